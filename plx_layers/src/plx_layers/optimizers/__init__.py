"""Keras's optimizers and those of TensorFlow 1."""
