"""A sum tree whose loops numba compiles; it gives bit for bit what the one in NumPy gives, ten times as fast."""

from __future__ import annotations

import numpy as np
from numba import float64, int64, njit, void

from plx_rl.memories.sum_tree import SumTree


class CompiledSumTree(SumTree):
    """See `SumTree`."""

    def set(self, indices: np.ndarray, values: np.ndarray) -> None:
        """Change the numbers at these indices, int [M]; of an index given twice, the later value holds."""
        _set(
            self._sums,
            np.ascontiguousarray(indices, np.int64) + self._leaves,
            np.ascontiguousarray(values, np.float64),
        )

    def find(self, sums: np.ndarray) -> np.ndarray:
        """See `SumTree.find`."""
        rest = np.array(sums, np.float64)
        found = np.empty(rest.shape, np.int64)
        _find(self._sums, self._leaves, rest.ravel(), found.ravel())
        return found


def _set_one_by_one(sums: np.ndarray, nodes: np.ndarray, values: np.ndarray) -> None:
    for place in range(nodes.size):
        node = nodes[place]
        sums[node] = values[place]
        while node > 1:
            node >>= 1
            sums[node] = sums[2 * node] + sums[2 * node + 1]


def _find_one_by_one(sums: np.ndarray, leaves: int, rest: np.ndarray, found: np.ndarray) -> None:
    for place in range(rest.size):
        node, wanted = 1, rest[place]
        while node < leaves:
            node *= 2
            if wanted >= sums[node] and sums[node + 1] > 0.0:
                wanted -= sums[node]
                node += 1
        found[place] = node - leaves


# With their types given they are compiled here, once in a process, and not at the first call of each kind.
_set = njit(void(float64[::1], int64[::1], float64[::1]))(_set_one_by_one)
_find = njit(void(float64[::1], int64, float64[::1], int64[::1]))(_find_one_by_one)
