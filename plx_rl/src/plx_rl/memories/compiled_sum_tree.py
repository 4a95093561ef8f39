"""A sum tree compiled with numba: the same bits as in NumPy, ten times as fast."""

from __future__ import annotations

import numpy as np
from numba import float64, int64, njit, void

from plx_rl.memories.sum_tree import SumTree


class CompiledSumTree(SumTree):
    """A `SumTree` with compiled loops."""

    def set(self, indices: np.ndarray, values: np.ndarray) -> None:
        """Set the values at indices, int [M]; for a repeated index, the last value counts."""
        _set(
            self._sums,
            np.ascontiguousarray(indices, np.int64) + self._leaves,
            np.ascontiguousarray(values, np.float64),
        )

    def find(self, sums: np.ndarray) -> np.ndarray:
        """Find indices by prefix sums; see `SumTree.find`."""
        remainders = np.array(sums, np.float64)
        indices = np.empty(remainders.shape, np.int64)
        _find(self._sums, self._leaves, remainders.ravel(), indices.ravel())
        return indices


def _set_loop(sums: np.ndarray, nodes: np.ndarray, values: np.ndarray) -> None:
    for position in range(nodes.size):
        node = nodes[position]
        sums[node] = values[position]
        while node > 1:
            node >>= 1
            sums[node] = sums[2 * node] + sums[2 * node + 1]


def _find_loop(sums: np.ndarray, leaves: int, remainders: np.ndarray, indices: np.ndarray) -> None:
    for position in range(remainders.size):
        node, remainder = 1, remainders[position]
        while node < leaves:
            node *= 2
            if remainder >= sums[node] and sums[node + 1] > 0.0:
                remainder -= sums[node]
                node += 1
        indices[position] = node - leaves


# Explicit types compile the loops here, once per process, instead of at the first call.
_set = njit(void(float64[::1], int64[::1], float64[::1]))(_set_loop)
_find = njit(void(float64[::1], int64, float64[::1], int64[::1]))(_find_loop)
