"""Build Keras networks from layers, and load them from disk."""
