"""Categorical DQN for plx."""
