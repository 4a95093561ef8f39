"""The sum trees against a twin that adds up every number, each other, and the frequencies of their draws."""

from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plx_rl.memories.prioritized_memory import fastest_sum_tree
from plx_rl.memories.sum_tree import SumTree

COMPILED = pytest.param(
    fastest_sum_tree,
    id="compiled",
    marks=pytest.mark.skipif(find_spec("numba") is None, reason="no numba"),
)
each_tree = pytest.mark.parametrize("make", [pytest.param(SumTree, id="numpy"), COMPILED])


class NaiveSumTree:
    """The same by brute force."""

    def __init__(self, size):
        self.values = [0.0] * size

    def set(self, indices, values):
        for index, value in zip(indices, values, strict=True):
            self.values[index] = value

    def find(self, target):
        total = 0.0
        for index, value in enumerate(self.values):
            total += value
            if target < total:
                return index
        return max(index for index, value in enumerate(self.values) if value > 0)


def check_sums(tree):
    """Every parent is the sum of its children."""
    for node in range(1, tree._leaves):
        assert tree._sums[node] == tree._sums[2 * node] + tree._sums[2 * node + 1]


@each_tree
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**31), st.integers(1, 6))
def test_any_sequence_of_changes_gives_what_brute_force_gives(make, size, seed, rounds):
    rng = np.random.default_rng(seed)
    tree, naive = make(size), NaiveSumTree(size)
    for _ in range(rounds):
        indices = rng.integers(size, size=rng.integers(1, 2 * size + 1))
        # Whole numbers add up exactly in any order, so the answers must be equal, not merely close.
        values = rng.integers(0, 10, size=len(indices)).astype(float)
        tree.set(indices, values)
        naive.set(indices, values)
        check_sums(tree)
        np.testing.assert_array_equal(tree.leaves(), naive.values)
        assert tree.total == sum(naive.values)
        if tree.total > 0:
            targets = rng.integers(0, int(tree.total), size=8) + rng.choice([0.0, 0.5], size=8)
            np.testing.assert_array_equal(
                tree.find(targets), [naive.find(target) for target in targets]
            )


@each_tree
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), st.integers(0, 2**31))
def test_what_has_no_priority_is_never_found(make, size, seed):
    rng = np.random.default_rng(seed)
    tree = make(size)
    values = rng.random(size) * (rng.random(size) < 0.3) * 10.0 ** rng.integers(-12, 12, size)
    values[rng.integers(size)] = 1e-9
    tree.fill(values)
    check_sums(tree)
    targets = np.append(rng.random(50) * tree.total, [0.0, np.nextafter(tree.total, 0.0)])
    assert (tree.get(tree.find(targets)) > 0).all()


@each_tree
def test_draws_are_in_proportion(make):
    tree = make(4)
    tree.fill(np.array([1.0, 0.0, 3.0, 4.0]))
    indices = tree.find(np.random.default_rng(0).random(50_000) * tree.total)
    np.testing.assert_allclose(
        np.bincount(indices, minlength=4) / 50_000, [0.125, 0.0, 0.375, 0.5], atol=0.01
    )


@each_tree
@pytest.mark.parametrize("shape", [(3,), (2, 3)])
def test_find_keeps_the_shape(make, shape):
    tree = make(5)
    tree.fill(np.ones(5))
    assert tree.find(np.zeros(shape)).shape == shape


@each_tree
def test_fill_equals_set(make):
    values = np.random.default_rng(0).random(11)
    filled, changed = make(11), make(11)
    filled.fill(values)
    changed.set(np.arange(11), values)
    np.testing.assert_array_equal(filled._sums, changed._sums)


@pytest.mark.skipif(find_spec("numba") is None, reason="no numba")
@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(0, 2**31))
def test_compiled_loops_give_the_same_bits(size, seed):
    rng = np.random.default_rng(seed)
    trees = [SumTree(size), fastest_sum_tree(size)]
    assert type(trees[1]) is not SumTree
    for _ in range(3):
        indices = rng.integers(size, size=rng.integers(1, 2 * size + 1))
        values = (
            rng.random(len(indices))
            * (rng.random(len(indices)) < 0.7)
            * 10.0 ** rng.integers(-12, 12, len(indices))
        )
        for tree in trees:
            tree.set(indices, values)
        np.testing.assert_array_equal(trees[0]._sums, trees[1]._sums)
        targets = rng.random((3, 20)) * trees[0].total
        np.testing.assert_array_equal(trees[0].find(targets), trees[1].find(targets))
