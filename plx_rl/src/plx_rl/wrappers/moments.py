"""Running mean and variance."""

from __future__ import annotations

import numpy as np

from plx_core import State


class Moments:
    """The mean and variance of each element of an array, updated batch by batch.

    Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing
    sample variances".
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
            self.mean = mean
            self.variance = variance
        else:
            squares = (
                self.variance * self.count
                + variance * count
                + np.square(shift) * (self.count * count / total)
            )
            self.mean = self.mean + shift * (count / total)
            self.variance = squares / total
        self.count = total

    def state(self) -> State:
        """Return the count, mean and variance."""
        return {"count": self.count, "mean": self.mean, "variance": self.variance}

    def restore(self, state: State) -> None:
        """Continue from a state."""
        self.count = int(state["count"])
        self.mean = np.asarray(state["mean"])
        self.variance = np.asarray(state["variance"])
