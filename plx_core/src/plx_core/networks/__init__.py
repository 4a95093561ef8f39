"""From layers to a Keras network, and back from disk."""
