"""Losses of reinforcement learning, as pure functions."""
