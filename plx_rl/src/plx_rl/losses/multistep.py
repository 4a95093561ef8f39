"""Returns and advantages of trajectories: pure functions over time-major arrays [T, N].

Row t of environment n holds V(s), the reward of the action taken there, and V of the state that followed: the last one of
its episode where that one ended, so that an episode cut short is worth what was still to come. `discount_t` is γ, and 0
where the environment terminated; `carry_t` is γ, and 0 where an episode ended for any reason.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from plx_core.types import Tensor


def generalized_advantages(
    r_t: Tensor, discount_t: Tensor, carry_t: Tensor, v_tm1: Tensor, v_t: Tensor, lambda_: float
) -> Tensor:
    """Generalised advantage estimates.

    Args:
        r_t: rewards [T, N].
        discount_t: γ (1 - terminated) [T, N].
        carry_t: γ (1 - ended) [T, N]: how much the next row's advantage counts.
        v_tm1: V(s) [T, N].
        v_t: V(s') [T, N].
        lambda_: λ, from 0 (one step) to 1 (whole episodes).

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
    r_t: np.ndarray,
    discount_t: np.ndarray,
    carry_t: np.ndarray,
    v_tm1: np.ndarray,
    v_t: np.ndarray,
    lambda_: float,
) -> Tensor:
    """`generalized_advantages` for NumPy arrays: a host loop over rows is quicker than a graph's, short of XLA."""
    deltas, weights = r_t + discount_t * v_t - v_tm1, carry_t * lambda_
    advantages = np.empty_like(deltas)
    later = np.zeros_like(deltas[0])
    for t in range(len(deltas) - 1, -1, -1):
        later = deltas[t] + weights[t] * later
        advantages[t] = later
    return advantages


def discounted_returns(r_t: Tensor, carry_t: Tensor, bootstrap_t: Tensor) -> Tensor:
    """Monte Carlo returns [T, N]: G_t = r_t + bootstrap_t + carry_t G_{t+1}.

    Args:
        r_t: rewards [T, N].
        carry_t: γ (1 - ended) [T, N].
        bootstrap_t: γ V(s') where an episode was cut short, and 0 elsewhere, [T, N].

    Source: Sutton and Barto 2018, equation 3.9.
    """
    inputs = r_t + bootstrap_t
    return tf.scan(
        lambda later, now: now[0] + now[1] * later,
        (inputs, carry_t),
        tf.zeros_like(inputs[0]),
        reverse=True,
    )


def returns_on_host(r_t: np.ndarray, carry_t: np.ndarray) -> np.ndarray:
    """`discounted_returns` for NumPy arrays, without what an episode that was cut short would have brought."""
    returns = np.empty_like(r_t)
    later = np.zeros_like(r_t[0])
    for t in range(len(r_t) - 1, -1, -1):
        later = r_t[t] + carry_t[t] * later
        returns[t] = later
    return returns
