"""The parts of reinforcement learning, as a plug-in of plx."""
