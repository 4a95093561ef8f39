"""A list of layers, as a config writes it, to a Keras network."""

from __future__ import annotations

INBOUND = "inbound_nodes"
"""The parameter of any layer in a graph that names the layers its input comes from."""
