"""Policies: how the outputs of a network become actions."""
