"""Nothing between encoder and decoder."""

from __future__ import annotations

from typing import Any

from plx_core import Bridge, Crossing


class NoOpBridge(Bridge):
    """Hands the encoding to the decoder as it is: float [batch, …] to the same.

    Args:
        mode: one of `Modes`.
    """

    def cross(self, encoding: Any) -> Crossing:
        """The encoding."""
        return Crossing(latent=encoding, code=encoding)
