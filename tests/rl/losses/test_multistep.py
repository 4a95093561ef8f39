"""Advantages and returns: closed forms, and a twin that sums term by term."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from plx_rl.losses import multistep as returns


def column(*values):
    return np.array(values, "f4")[:, None]


def test_generalized_advantages_by_hand():
    # Two steps, then a cut with V(s') = 4: δ = [1 + 0.5*2 - 3, 5 + 0.5*4 - 2] = [-1, 5]; A = [-1 + 0.5*0.8*5, 5].
    arguments = (column(1, 5), column(0.5, 0.5), column(0.5, 0), column(3, 2), column(2, 4), 0.8)
    np.testing.assert_allclose(returns.generalized_advantages(*arguments), column(1, 5), rtol=1e-6)
    np.testing.assert_allclose(
        returns.generalized_advantages_on_host(*arguments), column(1, 5), rtol=1e-6
    )


def test_termination_takes_what_was_still_to_come_and_a_cut_does_not():
    rewards, values, following = column(1), column(0), column(10)
    terminated = returns.generalized_advantages_on_host(
        rewards, column(0), column(0), values, following, 0.9
    )
    truncated = returns.generalized_advantages_on_host(
        rewards, column(0.5), column(0), values, following, 0.9
    )
    np.testing.assert_allclose([terminated, truncated], [column(1), column(6)])


def test_constant_values_and_one_last_reward_have_a_closed_form():
    gamma, lam, steps = 0.9, 0.7, 6
    rewards = np.zeros((steps, 1), "f4")
    rewards[-1] = 1.0
    discount = np.full((steps, 1), gamma, "f4")
    discount[-1] = 0.0
    advantages = returns.generalized_advantages_on_host(
        rewards,
        discount,
        discount,
        np.full((steps, 1), 2.0, "f4"),
        np.full((steps, 1), 2.0, "f4"),
        lam,
    )
    step, last = gamma * 2.0 - 2.0, 1.0 - 2.0
    expected = [
        sum((gamma * lam) ** k * step for k in range(steps - 1 - t))
        + (gamma * lam) ** (steps - 1 - t) * last
        for t in range(steps)
    ]
    np.testing.assert_allclose(advantages[:, 0], expected, rtol=1e-5)


def test_discounted_returns_by_hand():
    # The first episode ends after two steps, the second is cut after one with 0.5 * V = 8 still to come.
    result = returns.discounted_returns(column(1, 2, 3), column(0.5, 0, 0), column(0, 0, 8))
    np.testing.assert_allclose(result, column(2, 2, 11))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 7), st.integers(1, 3), st.integers(0, 2**31), st.floats(0, 1), st.floats(0, 1)
)
def test_graph_and_host_sum_the_same_terms(steps, envs, seed, gamma, lam):
    rng = np.random.default_rng(seed)
    r, v, following = rng.normal(size=(3, steps, envs)).astype("f4")
    terminated = rng.random((steps, envs)) < 0.2
    ended = terminated | (rng.random((steps, envs)) < 0.2)
    discount, carry = (gamma * ~terminated).astype("f4"), (gamma * ~ended).astype("f4")
    expected = np.zeros((steps, envs))
    for n in range(envs):
        for t in range(steps):
            weight = 1.0
            for k in range(t, steps):
                expected[t, n] += weight * (r[k, n] + discount[k, n] * following[k, n] - v[k, n])
                weight *= carry[k, n] * lam
    host = returns.generalized_advantages_on_host(r, discount, carry, v, following, np.float32(lam))
    graph = returns.generalized_advantages(
        *map(tf.constant, (r, discount, carry, v, following)), lam
    )
    np.testing.assert_allclose(host, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(graph, expected, rtol=1e-4, atol=1e-4)
    assert host.dtype == np.float32


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**31))
def test_lambda_one_gives_returns_less_values(steps, seed):
    rng = np.random.default_rng(seed)
    r, v = rng.normal(size=(2, steps, 2)).astype("f4")
    ended = rng.random((steps, 2)) < 0.3
    ended[-1] = True
    carry = (0.9 * ~ended).astype("f4")
    following = np.concatenate([v[1:], np.zeros((1, 2), "f4")])
    advantages = returns.generalized_advantages_on_host(r, carry, carry, v, following, 1.0)
    monte_carlo = returns.discounted_returns(tf.constant(r), tf.constant(carry), tf.zeros_like(r))
    np.testing.assert_allclose(advantages + v, monte_carlo, rtol=1e-4, atol=1e-5)
