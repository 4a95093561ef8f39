"""What supervised and reinforcement learning share: the trainer, the loop, and their timing."""
