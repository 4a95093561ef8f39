"""Multi-step returns and advantages: pure functions of time-major arrays [T, N].

Row t holds V(s), the reward of the action, and V(s') of the next state. Where an episode ended, s'
is its final state and not the first one of the next episode, so that truncated episodes are
bootstrapped. `discount_t` is γ, or 0 where the episode terminated; `carry_t` is γ, or 0 where it
ended for either reason.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from plx_core.types import Array, Tensor


def generalized_advantages(
    r_t: Tensor, discount_t: Tensor, carry_t: Tensor, v_tm1: Tensor, v_t: Tensor, lambda_: float
) -> Tensor:
    """Return generalised advantage estimates.

    Args:
        r_t: rewards [T, N].
        discount_t: γ (1 - terminated) [T, N].
        carry_t: γ (1 - ended) [T, N], the discount of the next row's advantage.
        v_tm1: V(s) [T, N].
        v_t: V(s') [T, N].
        lambda_: λ, from 0 (one step) to 1 (full returns).

    Returns:
        A_t = δ_t + carry_t λ A_{t+1} with δ_t = r_t + discount_t V(s') - V(s), [T, N].

    Source: Schulman et al. 2016, equation 16.
    """
    deltas = r_t + discount_t * v_t - v_tm1
    return tf.scan(
        lambda later, now: now[0] + now[1] * lambda_ * later,
        (deltas, carry_t),
        tf.zeros_like(deltas[0]),
        reverse=True,
    )


def generalized_advantages_on_host(
    r_t: Array,
    discount_t: Array,
    carry_t: Array,
    v_tm1: Array,
    v_t: Array,
    lambda_: float,
) -> Array:
    """Return `generalized_advantages` of NumPy arrays; faster than a graph without XLA."""
    deltas, weights = r_t + discount_t * v_t - v_tm1, carry_t * lambda_
    advantages: Array = np.empty_like(deltas)
    later = np.zeros_like(deltas[0])
    for t in range(len(deltas) - 1, -1, -1):
        later = deltas[t] + weights[t] * later
        advantages[t] = later
    return advantages


def discounted_returns(r_t: Tensor, carry_t: Tensor, bootstrap_t: Tensor) -> Tensor:
    """Return Monte Carlo returns [T, N]: G_t = r_t + bootstrap_t + carry_t G_{t+1}.

    Args:
        r_t: rewards [T, N].
        carry_t: γ (1 - ended) [T, N].
        bootstrap_t: γ V(s') where an episode was truncated, and 0 elsewhere, [T, N].

    Source: Sutton and Barto 2018, equation 3.9.
    """
    inputs = r_t + bootstrap_t
    return tf.scan(
        lambda later, now: now[0] + now[1] * later,
        (inputs, carry_t),
        tf.zeros_like(inputs[0]),
        reverse=True,
    )


def returns_on_host(r_t: Array, carry_t: Array) -> Array:
    """Return `discounted_returns` of NumPy arrays, without bootstrapping truncated episodes."""
    returns = np.empty_like(r_t)
    later = np.zeros_like(r_t[0])
    for t in range(len(r_t) - 1, -1, -1):
        later = r_t[t] + carry_t[t] * later
        returns[t] = later
    return returns
