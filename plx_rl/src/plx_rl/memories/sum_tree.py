"""A binary tree of sums of priorities, to sample many indices in proportion at once."""

from __future__ import annotations

import numpy as np


class SumTree:
    """`size` non-negative numbers, and every partial sum of a complete binary tree over them.

    Setting or finding M of them takes M log2(size) steps, in vector operations over all M. A parent
    is always recomputed as the sum of its two children and never updated by a difference, so the
    tree is a function of its leaves.

    Args:
        size: how many numbers; initially all 0.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._leaves = 1 << max(1, (size - 1).bit_length())
        self._depth = self._leaves.bit_length() - 1
        self._sums = np.zeros(2 * self._leaves)

    @property
    def total(self) -> float:
        """The sum of all numbers."""
        return float(self._sums[1])

    def get(self, indices: np.ndarray) -> np.ndarray:
        """Return the numbers at indices."""
        return np.asarray(self._sums[self._leaves + indices])

    def set(self, indices: np.ndarray, values: np.ndarray) -> None:
        """Set the values at indices, int [M]; for a repeated index, the last value counts."""
        nodes = indices + self._leaves
        self._sums[nodes] = values
        for _ in range(self._depth):
            nodes = nodes >> 1
            left = nodes << 1
            self._sums[nodes] = self._sums[left] + self._sums[left + 1]

    def find(self, sums: np.ndarray) -> np.ndarray:
        """Find the first index at which the cumulative sum exceeds each given sum.

        Args:
            sums: [M], each at least 0 and below `total`.

        Returns:
            Indices, int [M]; never of a number that is 0, unless all are.
        """
        remainders = np.array(sums, np.float64)
        nodes = np.ones(remainders.shape, np.int64)
        for _ in range(self._depth):
            nodes = nodes << 1
            left = self._sums[nodes]
            # Because of rounding, a remainder may reach the left sum although the right sum is 0.
            goes_right = (remainders >= left) & (self._sums[nodes + 1] > 0.0)
            remainders -= left * goes_right
            nodes += goes_right
        return nodes - self._leaves

    def leaves(self) -> np.ndarray:
        """Return all numbers, float64 [size]."""
        return self._sums[self._leaves : self._leaves + self.size]

    def fill(self, values: np.ndarray) -> None:
        """Set all numbers."""
        self._sums[self._leaves : self._leaves + self.size] = values
        begin = self._leaves
        while begin > 1:
            level = self._sums[begin : 2 * begin]
            self._sums[begin // 2 : begin] = level[::2] + level[1::2]
            begin //= 2
