"""Losses of policy-gradient methods: pure functions, with the papers' names.

All arguments are [B], one value per transition. Means are weighted by `weights` [B]: 1 for a
transition, and 0 for padding or an auto-reset.
"""

from __future__ import annotations

import tensorflow as tf

from plx_core.types import Tensor


def weighted_mean(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the weighted mean of values [B]."""
    if weights is None:
        return tf.reduce_mean(values)
    return tf.reduce_sum(values * weights) / tf.maximum(tf.reduce_sum(weights), 1e-8)


def standardize(values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Scale values [B] to mean 0 and (unbiased) standard deviation 1, by their weights."""
    count = tf.cast(tf.size(values), values.dtype) if weights is None else tf.reduce_sum(weights)
    centred = values - weighted_mean(values, weights)
    variance = weighted_mean(tf.square(centred), weights) * count / tf.maximum(count - 1.0, 1.0)
    return centred / (tf.sqrt(variance) + 1e-8)


def policy_gradient(log_prob: Tensor, advantage: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return -E[log π(a|s) A], the gradient of which is the policy gradient.

    Source: Williams 1992; Sutton et al. 2000.
    """
    return -weighted_mean(log_prob * tf.stop_gradient(advantage), weights)


def surrogate(
    log_prob: Tensor, log_prob_old: Tensor, advantage: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return -E[π(a|s) / π_old(a|s) A], the loss of TRPO.

    Source: Schulman et al. 2015, equation 14.
    """
    return -weighted_mean(tf.exp(log_prob - log_prob_old) * advantage, weights)


def clipped_surrogate(
    log_prob: Tensor,
    log_prob_old: Tensor,
    advantage: Tensor,
    clip: Tensor,
    weights: Tensor | None = None,
) -> Tensor:
    """Return -E[min(ρ A, clip(ρ, 1 - ε, 1 + ε) A)] with ρ = π / π_old, the loss of PPO.

    Args:
        log_prob: log π(a|s) [B]; gradients flow through it.
        log_prob_old: log π_old(a|s) [B], of the policy that collected the rollout.
        advantage: A [B].
        clip: the clip range ε.
        weights: [B].

    Source: Schulman et al. 2017, equation 7.
    """
    ratio = tf.exp(log_prob - log_prob_old)
    return -weighted_mean(
        tf.minimum(ratio * advantage, tf.clip_by_value(ratio, 1.0 - clip, 1.0 + clip) * advantage),
        weights,
    )


def clip_fraction(
    log_prob: Tensor, log_prob_old: Tensor, clip: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return the fraction of importance ratios outside 1 ± ε."""
    outside = tf.abs(tf.exp(log_prob - log_prob_old) - 1.0) > clip
    return weighted_mean(tf.cast(outside, log_prob.dtype), weights)


def approximate_kl(log_prob: Tensor, log_prob_old: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return E[(ρ - 1) - log ρ], a non-negative estimate of KL(π_old ‖ π).

    Source: Schulman 2020, "Approximating KL Divergence".
    """
    log_ratio = log_prob - log_prob_old
    return weighted_mean(tf.exp(log_ratio) - 1.0 - log_ratio, weights)


def value_loss(v: Tensor, returns: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return ½ E[(V - G)²]."""
    return 0.5 * weighted_mean(tf.square(v - returns), weights)


def clipped_value_loss(
    v: Tensor, v_old: Tensor, returns: Tensor, clip: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return ½ E[max((V - G)², (V_old + clip(V - V_old, -ε, ε) - G)²)].

    Source: the PPO of the OpenAI Baselines; Huang et al. 2022, detail 9.
    """
    clipped = v_old + tf.clip_by_value(v - v_old, -clip, clip)
    return 0.5 * weighted_mean(
        tf.maximum(tf.square(v - returns), tf.square(clipped - returns)), weights
    )


def explained_variance(v: Tensor, returns: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return 1 - Var[G - V] / Var[G]: 1 for perfect values, 0 for the best constant."""
    error = returns - v
    residual = weighted_mean(tf.square(error - weighted_mean(error, weights)), weights)
    total = weighted_mean(tf.square(returns - weighted_mean(returns, weights)), weights)
    return tf.where(total > 0.0, 1.0 - residual / tf.maximum(total, 1e-12), 0.0)
