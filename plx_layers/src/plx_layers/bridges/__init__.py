"""Bridges: what joins a generator's encoder to its decoder."""
