"""Metrics that Keras does not have, or computes differently from TensorFlow 1."""
