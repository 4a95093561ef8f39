"""Wrappers that change an environment's observations, actions or rewards."""
