"""Golden numbers, worked out by hand, and naive twins of what value-based agents learn towards."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from plx_rl.losses import value_learning as targets
from plx_rl.masks import mask_values, mask_values_on_host

Q_TM1 = tf.constant([[1.0, 2.0], [3.0, 4.0]])
A_TM1 = tf.constant([0, 1])
R_T = tf.constant([10.0, -1.0])
DISCOUNT_T = tf.constant([0.5, 0.0])
Q_T = tf.constant([[4.0, 6.0], [8.0, 7.0]])


def test_q_learning():
    target, value = targets.q_learning(Q_TM1, A_TM1, R_T, DISCOUNT_T, Q_T)
    np.testing.assert_allclose(target, [10 + 0.5 * 6, -1.0])
    np.testing.assert_allclose(value, [1.0, 4.0])


def test_q_learning_takes_the_best_legal_action():
    mask = tf.constant([[True, False], [True, True]])
    target, _ = targets.q_learning(Q_TM1, A_TM1, R_T, DISCOUNT_T, Q_T, mask)
    np.testing.assert_allclose(target, [10 + 0.5 * 4, -1.0])


def test_double_q_learning_chooses_with_one_network_and_values_with_the_other():
    selector = tf.constant([[9.0, 0.0], [0.0, 9.0]])
    target, value = targets.double_q_learning(
        Q_TM1, A_TM1, R_T, tf.constant([0.5, 1.0]), Q_T, selector
    )
    np.testing.assert_allclose(target, [10 + 0.5 * 4, -1 + 7])
    np.testing.assert_allclose(value, [1.0, 4.0])


def test_double_q_learning_never_chooses_an_illegal_action():
    selector = tf.constant([[9.0, 0.0], [0.0, 9.0]])
    mask = tf.constant([[False, True], [True, False]])
    target, _ = targets.double_q_learning(
        Q_TM1, A_TM1, R_T, tf.constant([0.5, 1.0]), Q_T, selector, mask
    )
    np.testing.assert_allclose(target, [10 + 0.5 * 6, -1 + 8])


def test_a_target_carries_no_gradient():
    q_t = tf.Variable([[4.0, 6.0], [8.0, 7.0]])
    with tf.GradientTape() as tape:
        target, value = targets.q_learning(Q_TM1, A_TM1, R_T, tf.constant([1.0, 1.0]), q_t)
        loss = tf.reduce_sum(target - value)
    assert tape.gradient(loss, q_t) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mean", [[9.0, 11.0]]), ("max", [[8.0, 10.0]]), ("naive", [[11.0, 13.0]])],
)
def test_dueling(kind, expected):
    np.testing.assert_allclose(
        targets.dueling(tf.constant([[10.0]]), tf.constant([[1.0, 3.0]]), kind), expected
    )


def test_large_margin_is_zero_only_where_the_demonstrated_action_leads_by_the_margin():
    q = tf.constant([[1.0, 0.0], [1.0, 0.5], [0.0, 2.0]])
    np.testing.assert_allclose(
        targets.large_margin(q, tf.constant([0, 0, 0]), 0.8), [0.0, 0.3, 2.8], rtol=1e-6
    )


def test_lower_triangle_fills_row_by_row_with_a_positive_diagonal():
    lower = targets.lower_triangle(tf.constant([[0.0, 5.0, np.log(2.0)]]), 2)
    np.testing.assert_allclose(lower, [[[1.0, 0.0], [5.0, 2.0]]], rtol=1e-6)


def test_normalized_advantage():
    # L = [[1, 0], [5, 2]], u - mu = [1, -1]: Lᵀ(u - mu) = [1 - 5, -2], so A = -(16 + 4) / 2.
    advantage = targets.normalized_advantage(
        tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 1.0]]), tf.constant([[0.0, 5.0, np.log(2.0)]])
    )
    np.testing.assert_allclose(advantage, [-10.0], rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(0, 2**31))
def test_normalized_advantage_is_the_quadratic_form_and_highest_at_mu(size, seed):
    rng = np.random.default_rng(seed)
    u, mu = rng.normal(size=(2, 3, size)).astype("f4")
    entries = rng.normal(size=(3, size * (size + 1) // 2)).astype("f4")
    expected = []
    for row in range(3):
        lower, k = np.zeros((size, size)), 0
        for i in range(size):
            for j in range(i + 1):
                lower[i, j] = np.exp(entries[row, k]) if i == j else entries[row, k]
                k += 1
        d = u[row] - mu[row]
        expected.append(-0.5 * d @ (lower @ lower.T) @ d)
    np.testing.assert_allclose(
        targets.normalized_advantage(u, tf.constant(mu), entries), expected, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        targets.normalized_advantage(mu, tf.constant(mu), entries), np.zeros(3), atol=1e-6
    )


def test_value_learning():
    np.testing.assert_allclose(
        targets.value_learning(R_T, DISCOUNT_T, tf.constant([2.0, 3.0])), [11.0, -1.0]
    )


def test_a_row_without_a_legal_action_counts_as_one_where_all_are():
    values = np.array([[1.0, 2.0], [3.0, 4.0]], "f4")
    mask = np.array([[False, False], [True, False]])
    for masked in (
        mask_values(tf.constant(values), tf.constant(mask)).numpy(),
        mask_values_on_host(values, mask),
    ):
        np.testing.assert_array_equal(masked[0], [1.0, 2.0])
        assert masked[1, 0] == 3.0
        assert masked[1, 1] < -1e30
        assert masked.dtype == np.float32
        assert np.isfinite(masked - masked.max(-1, keepdims=True)).all()


def test_no_mask_leaves_the_values_alone():
    values = np.ones((2, 3), "f4")
    assert mask_values(values, None) is values
    assert mask_values_on_host(values, None) is values
