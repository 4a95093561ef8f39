"""Scaled rewards."""

from __future__ import annotations

from typing import final

import numpy as np

from plx_rl.wrappers.transform import Transform


@final
class ScaleReward(Transform):
    """Multiply rewards by a constant; episode returns are reported unscaled.

    Args:
        scale: the constant.
    """

    def __init__(self, scale: float) -> None:
        self._scale = np.float32(scale)

    def reward(self, rewards: np.ndarray, ended: np.ndarray, learn: bool) -> np.ndarray:
        """Return the scaled rewards."""
        return np.asarray(rewards * self._scale)
