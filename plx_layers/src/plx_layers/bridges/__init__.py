"""Bridges from a generator's encoder to its decoder."""
