"""Vectors of environments: gymnasium's, and TensorFlow programs."""
