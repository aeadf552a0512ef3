"""Exchanges of legacy, recorded with their values hidden, and played again to the replacement."""
