"""Texts that others wrote: what in them reads like instructions to a model, and how they are told safely."""
