"""Reinforcement learning: the agent, and the interfaces of its parts."""
