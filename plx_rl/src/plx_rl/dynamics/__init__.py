"""How environments move, as TensorFlow programs."""
