"""Models of reinforcement learning: what is learnt, and how to act by it."""
