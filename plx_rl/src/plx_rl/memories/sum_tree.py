"""Sums of priorities in a binary tree, for drawing many indices in proportion at once."""

from __future__ import annotations

from typing import Any

import numpy as np


class SumTree:
    """`size` numbers, none below 0, with every partial sum of a complete binary tree over them.

    Changing or finding M of them costs M log2(size), in vector operations over all M. A parent is always the sum of its
    two children as they are, never a running difference, so the tree is a function of its leaves alone.

    Args:
        size: how many numbers; all are 0 at first.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._leaves = 1 << max(1, (size - 1).bit_length())
        self._depth = self._leaves.bit_length() - 1
        self._sums = np.zeros(2 * self._leaves)

    @property
    def total(self) -> float:
        """The sum of all."""
        return float(self._sums[1])

    def get(self, indices: np.ndarray) -> Any:
        """The numbers at these indices."""
        return self._sums[self._leaves + indices]

    def set(self, indices: np.ndarray, values: np.ndarray) -> None:
        """Change the numbers at these indices, int [M]; of an index given twice, the later value holds."""
        nodes = indices + self._leaves
        self._sums[nodes] = values
        for _ in range(self._depth):
            nodes = nodes >> 1
            left = nodes << 1
            self._sums[nodes] = self._sums[left] + self._sums[left + 1]

    def find(self, sums: np.ndarray) -> np.ndarray:
        """For each given number, the first index up to which the sum of all numbers is above it.

        Args:
            sums: [M], each at least 0 and below `total`.

        Returns:
            Indices int [M], none of a number that is 0 while another is not.
        """
        rest = np.array(sums, np.float64)
        nodes = np.ones(rest.shape, np.int64)
        for _ in range(self._depth):
            nodes = nodes << 1
            left = self._sums[nodes]
            # Rounding may leave a rest as large as the left sum where nothing lies to the right.
            right = (rest >= left) & (self._sums[nodes + 1] > 0.0)
            rest -= left * right
            nodes += right
        return nodes - self._leaves

    def leaves(self) -> np.ndarray:
        """All numbers, float64 [size]."""
        return self._sums[self._leaves : self._leaves + self.size]

    def fill(self, values: np.ndarray) -> None:
        """Change all numbers."""
        self._sums[self._leaves : self._leaves + self.size] = values
        begin = self._leaves
        while begin > 1:
            level = self._sums[begin : 2 * begin]
            self._sums[begin // 2 : begin] = level[::2] + level[1::2]
            begin //= 2
