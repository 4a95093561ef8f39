"""Vectors of environments to act in."""
