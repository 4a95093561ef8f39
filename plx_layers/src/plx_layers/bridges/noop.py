"""A bridge that changes nothing."""

from __future__ import annotations

from plx_core import Bridge, BridgeOutput
from plx_core.types import Nested


class NoOpBridge(Bridge):
    """Pass the encoding to the decoder unchanged: float [batch, …] to the same.

    Args:
        mode: one of `Modes`.
    """

    def cross(self, encoding: Nested) -> BridgeOutput:
        """Return the encoding."""
        return BridgeOutput(latent=encoding, code=encoding)
