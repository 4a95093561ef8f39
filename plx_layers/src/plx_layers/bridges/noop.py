"""Nothing between encoder and decoder."""

from __future__ import annotations

from typing import Any

from plx_core import Bridge, BridgeOutput


class NoOpBridge(Bridge):
    """Hands the encoding to the decoder as it is: float [batch, …] to the same.

    Args:
        mode: one of `Modes`.
    """

    def cross(self, encoding: Any) -> BridgeOutput:
        """The encoding."""
        return BridgeOutput(latent=encoding, code=encoding)
