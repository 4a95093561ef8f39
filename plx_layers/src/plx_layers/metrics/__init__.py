"""Metrics that Keras lacks, or measures otherwise than TensorFlow 1 did; each is updated inside the training program."""
