"""Rewards of another size."""

from __future__ import annotations

from typing import final

import numpy as np

from plx_rl.wrappers.transform import Transform


@final
class ScaleReward(Transform):
    """Multiplies rewards by a number; an episode's return is still counted of the rewards as they were.

    Args:
        scale: the number.
    """

    def __init__(self, scale: float) -> None:
        self._scale = np.float32(scale)

    def reward(self, rewards: np.ndarray, ended: np.ndarray, learn: bool) -> np.ndarray:
        """The rewards, scaled."""
        return np.asarray(rewards * self._scale)
