"""Targets of value-based methods: pure functions, with the papers' names.

Names end in the time step: `q_tm1` are the values where the action `a_tm1` was taken; `r_t`,
`discount_t` and `q_t` are the reward, discount and values that followed. `discount_t` is γⁿ after n
steps, or 0 where the episode terminated (not where it was truncated). Shapes are [B] for one value
per transition and [B, A] for one per action; floats are float32.
"""

from __future__ import annotations

from typing import Literal

import tensorflow as tf

from plx_core.types import Tensor
from plx_rl.masks import mask_values

Dueling = Literal["mean", "max", "naive"]


def select(q: Tensor, actions: Tensor) -> Tensor:
    """Return the values [B] of actions, int [B], from q [B, A]."""
    return tf.gather(q, actions, batch_dims=1)


def q_learning(
    q_tm1: Tensor,
    a_tm1: Tensor,
    r_t: Tensor,
    discount_t: Tensor,
    q_t: Tensor,
    mask_t: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the target of Q-learning and the value that regresses to it, both [B].

    Args:
        q_tm1: online action values at t-1 [B, A]; gradients flow through them.
        a_tm1: actions taken, int [B].
        r_t: rewards [B].
        discount_t: discounts [B], 0 after a terminal step.
        q_t: action values of the target network at t [B, A].
        mask_t: legal actions at t, bool [B, A]; None when all are.

    Source: Watkins and Dayan 1992; with a target network, Mnih et al. 2015.
    """
    best = tf.reduce_max(mask_values(q_t, mask_t), axis=-1)
    return tf.stop_gradient(r_t + discount_t * best), select(q_tm1, a_tm1)


def double_q_learning(
    q_tm1: Tensor,
    a_tm1: Tensor,
    r_t: Tensor,
    discount_t: Tensor,
    q_t_value: Tensor,
    q_t_selector: Tensor,
    mask_t: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the target of double Q-learning and the value that regresses to it, both [B].

    The online network selects the next action (`q_t_selector`) and the target network evaluates it
    (`q_t_value`); see `q_learning` for the other arguments. Source: van Hasselt, Guez and Silver
    2016.
    """
    best = tf.argmax(mask_values(q_t_selector, mask_t), axis=-1)
    return tf.stop_gradient(r_t + discount_t * select(q_t_value, best)), select(q_tm1, a_tm1)


def dueling(value: Tensor, advantage: Tensor, kind: Dueling) -> Tensor:
    """Combine a state value [B, 1] and advantages [B, A] into action values [B, A].

    Args:
        value: V(s).
        advantage: A(s, ·), unconstrained.
        kind: the value to subtract from the advantages: their "mean" (equation 9), their "max"
            (equation 8), or nothing ("naive").

    Source: Wang et al. 2016.
    """
    if kind == "naive":
        return value + advantage
    reduce = {"mean": tf.reduce_mean, "max": tf.reduce_max}[kind]
    return value + advantage - reduce(advantage, axis=-1, keepdims=True)


def large_margin(q: Tensor, expert_actions: Tensor, margin: float = 0.8) -> Tensor:
    """Return the large-margin loss of demonstrated actions, [B].

    Args:
        q: values [B, A].
        expert_actions: the demonstrated actions, int [B].
        margin: l(a_E, a) for a ≠ a_E.

    Returns:
        max_a [Q(s, a) + l(a_E, a)] - Q(s, a_E), [B]; 0 where the demonstrated action exceeds all
        others by the margin.

    Source: Hester et al. 2018, "Deep Q-learning from Demonstrations", equation 2.
    """
    others = 1.0 - tf.one_hot(expert_actions, tf.shape(q)[-1], dtype=q.dtype)
    return tf.reduce_max(q + margin * others, axis=-1) - select(q, expert_actions)


def lower_triangle(entries: Tensor, size: int) -> Tensor:
    """Build lower-triangular matrices [B, D, D] with positive diagonals.

    The entries [B, D(D + 1)/2] fill the triangle row by row; the diagonal is their exponential.
    Source: Gu et al. 2016, section 4.
    """
    rows = [
        [
            column + row * (row + 1) // 2 if column <= row else size * (size + 1) // 2
            for column in range(size)
        ]
        for row in range(size)
    ]
    padded = tf.concat([entries, tf.zeros_like(entries[:, :1])], axis=-1)
    free = tf.gather(padded, rows, axis=-1)
    diagonal = tf.linalg.diag_part(free)
    return tf.linalg.set_diag(free, tf.exp(diagonal))


def normalized_advantage(actions: Tensor, mu: Tensor, entries: Tensor) -> Tensor:
    """Return the advantage [B] of continuous actions: -½ (u - μ)ᵀ P (u - μ), with P = L Lᵀ.

    Args:
        actions: u, [B, D].
        mu: the greedy actions, [B, D].
        entries: the free entries of L, [B, D(D + 1)/2]; see `lower_triangle`.

    Source: Gu et al. 2016, "Continuous Deep Q-Learning with Model-based Acceleration", equation
    11.
    """
    lower = lower_triangle(entries, int(mu.shape[-1]))
    projected = tf.einsum("bij,bi->bj", lower, actions - mu)
    return -0.5 * tf.reduce_sum(tf.square(projected), axis=-1)


def value_learning(r_t: Tensor, discount_t: Tensor, v_t: Tensor) -> Tensor:
    """Return the one-step target r + γ V(s'), [B]; no gradient flows through it."""
    return tf.stop_gradient(r_t + discount_t * v_t)
