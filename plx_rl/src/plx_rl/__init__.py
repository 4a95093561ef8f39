"""Reinforcement learning as a plug-in of plx."""
