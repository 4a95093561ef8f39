"""Where an agent keeps its transitions."""
