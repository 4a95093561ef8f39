"""Policies: how a network's outputs become actions."""
