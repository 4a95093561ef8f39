"""Gradients are clipped by the norms of what reaches the weights."""

import numpy as np
import pytest
import tensorflow as tf

from plx_core.engine.gradients import clip_gradients


class Weight:
    def __init__(self, path):
        self.path = path


ROWS = tf.IndexedSlices(
    tf.constant([[3.0], [1.0], [3.0]]), tf.constant([1, 0, 1]), tf.constant([3, 1])
)
"""A gradient that lists a row twice; its dense form is 1, 6, 0."""


def test_rows_of_a_sparse_gradient_are_added_before_their_norm_is_taken():
    weights = [Weight("dense/kernel"), Weight("embedding/embeddings")]
    dense = tf.constant([2.0, 0.0])
    (first, second) = clip_gradients([dense, ROWS], weights, None, 2.0)
    np.testing.assert_array_equal(first, dense)
    np.testing.assert_allclose(
        tf.convert_to_tensor(second), np.array([[1], [6], [0]]) * 2 / 37**0.5, rtol=1e-6
    )
    (first, second) = clip_gradients([dense, ROWS], weights, 1.0, None)
    np.testing.assert_allclose(first, np.array([2, 0]) / 41**0.5, rtol=1e-6)
    np.testing.assert_allclose(
        tf.convert_to_tensor(second), np.array([[1], [6], [0]]) / 41**0.5, rtol=1e-6
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_weight_without_a_gradient_stays_without(dtype):
    weights = [Weight("a"), Weight("embedding"), Weight("b")]
    gradients = [tf.constant([3.0]), None, tf.constant([4.0], dtype)]
    first, none, last = clip_gradients(gradients, weights, 1.0, 1.0)
    assert none is None
    assert (float(first[0]), float(last[0])) == pytest.approx((0.6, 0.8), rel=1e-3)


def test_without_norms_nothing_is_changed():
    assert clip_gradients([ROWS, None], [Weight("embedding"), Weight("b")], None, None) == [
        ROWS,
        None,
    ]
