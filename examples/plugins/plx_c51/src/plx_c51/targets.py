"""The mathematics of C51: pure functions, with the names of the paper. Shapes: [B] a transition, [B, A, N] an action and an atom."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def project(atoms: Any, probabilities: Any, support: Any) -> Any:
    """The distribution on `support` that is nearest to one on other atoms: each shares its probability among its two neighbours.

    Args:
        atoms: Tz, float [B, N], where the probabilities lie; what is outside the support counts at its ends.
        probabilities: float [B, N].
        support: z, float [N], evenly spaced and rising.

    Returns:
        Float [B, N].

    Source: equation 7.
    """
    spacing = support[1] - support[0]
    inside = tf.clip_by_value(atoms, support[0], support[-1])
    share = tf.clip_by_value(
        1.0 - tf.abs(inside[:, None, :] - support[None, :, None]) / spacing, 0.0, 1.0
    )
    return tf.einsum("bij,bj->bi", share, probabilities)


def categorical_target(
    logits_t: Any, q_selector: Any, r_t: Any, discount_t: Any, support: Any
) -> Any:
    """The distribution [B, N] that the taken action's should become, without a gradient.

    Args:
        logits_t: of the target network after the step, [B, A, N].
        q_selector: values [B, A] by which the next action is chosen, illegal ones already the lowest.
        r_t: rewards [B].
        discount_t: discounts [B], 0 after a terminal step.
        support: z, [N].

    Source: algorithm 1.
    """
    chosen = tf.gather(tf.nn.softmax(logits_t), tf.argmax(q_selector, axis=-1), batch_dims=1)
    atoms = r_t[:, None] + discount_t[:, None] * support[None, :]
    return tf.stop_gradient(project(atoms, chosen, support))


def cross_entropy(target: Any, logits: Any) -> Any:
    """−Σ m log p, [B], of a target m [B, N] and the logits [B, N] of p."""
    return tf.nn.softmax_cross_entropy_with_logits(target, logits)
