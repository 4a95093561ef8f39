"""The key that graphs add to the parameters of layers."""

from __future__ import annotations

INBOUND = "inbound_nodes"
"""The parameter of every layer in a graph that names the layers its input comes from."""
