"""Categorical DQN (C51) for plx."""
