"""The mean and variance of all that was ever seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class Moments:
    """Mean and variance, of each number of an array by itself, updated batch by batch.

    Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: np.ndarray = np.zeros(())
        self.variance: np.ndarray = np.ones(())

    def update(self, batch: np.ndarray) -> None:
        """Add a batch [N, …]."""
        batch = batch.astype(np.float64)
        count, mean, variance = len(batch), batch.mean(axis=0), batch.var(axis=0)
        total = self.count + count
        shift = mean - self.mean
        if self.count == 0:
            self.mean, self.variance = mean, variance
        else:
            squares = (
                self.variance * self.count
                + variance * count
                + np.square(shift) * (self.count * count / total)
            )
            self.mean = self.mean + shift * (count / total)
            self.variance = squares / total
        self.count = total

    def state(self) -> dict[str, Any]:
        """The moments."""
        return {"count": self.count, "mean": self.mean, "variance": self.variance}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.count, self.mean, self.variance = (
            int(state["count"]),
            np.asarray(state["mean"]),
            np.asarray(state["variance"]),
        )
