"""Environment dynamics as TensorFlow programs."""
