"""Models of reinforcement learning: networks with their policies, losses and learners."""
