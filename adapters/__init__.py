"""Adapters: legacy systems behind one small contract, usable with no web framework."""
