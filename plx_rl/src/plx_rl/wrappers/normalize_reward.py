"""Rewards whose discounted sums have variance 1."""

from __future__ import annotations

from typing import final

import numpy as np

from plx_core import State
from plx_core.annotations import Fraction, PositiveFloat
from plx_rl.wrappers.moments import Moments
from plx_rl.wrappers.transform import Transform


@final
class NormalizeReward(Transform):
    """Divide rewards by the running standard deviation of their discounted sums.

    The statistics are taken over all environments and all steps of training. A replay memory
    stores rewards divided by the deviation of their time, which changes most at first;
    `ScaleReward` has one scale throughout.

    Args:
        discount: γ of the sums; usually the model's.
        clip: clip normalised rewards to [-clip, clip].
        epsilon: added to the variance.

    Source: Huang et al. 2022, "The 37 implementation details of PPO", details of continuous
    actions.
    """

    def __init__(
        self, discount: Fraction = 0.99, clip: PositiveFloat = 10.0, epsilon: PositiveFloat = 1e-8
    ) -> None:
        self._discount = discount
        self._clip = clip
        self._epsilon = epsilon
        self._moments = Moments()
        self._sums: np.ndarray | None = None

    def reward(self, rewards: np.ndarray, ended: np.ndarray, learn: bool) -> np.ndarray:
        """Return the normalised rewards."""
        if learn:
            previous = np.zeros(len(rewards)) if self._sums is None else self._sums
            sums = previous * self._discount + rewards
            self._moments.update(sums)
            self._sums = np.where(ended, 0.0, sums)
        scaled = rewards / np.sqrt(self._moments.variance + self._epsilon)
        return np.asarray(np.clip(scaled, -self._clip, self._clip), np.float32)

    def follow(self, training: State) -> None:
        """Take over the moments; the sums belong to the episodes of the other environment."""
        self._moments.restore(training["moments"])

    def state(self) -> State:
        """Return the moments, and the sums of the current episodes."""
        return {"moments": self._moments.state(), "sums": self._sums}

    def restore(self, state: State) -> None:
        """Continue from a state."""
        self._moments.restore(state["moments"])
        self._sums = None if state["sums"] is None else np.asarray(state["sums"])
