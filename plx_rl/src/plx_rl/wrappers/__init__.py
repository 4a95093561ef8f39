"""What changes an environment's observations, actions or rewards."""
