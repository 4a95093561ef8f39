"""Losses that Keras does not have, and weights for any loss."""
