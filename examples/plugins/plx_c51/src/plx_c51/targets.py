"""The mathematics of C51: pure functions with the paper's names.

Shapes: B transitions, A actions, N atoms.
"""

from __future__ import annotations

import tensorflow as tf

from plx_core.types import Tensor


def project(atoms: Tensor, probabilities: Tensor, support: Tensor) -> Tensor:
    """Project distributions onto a support: each atom shares its probability among its neighbours.

    Args:
        atoms: Tz, float [B, N]; atoms outside the support count at its ends.
        probabilities: float [B, N].
        support: z, float [N], evenly spaced and increasing.

    Returns:
        The probabilities on the support, float [B, N].

    Source: equation 7.
    """
    spacing = support[1] - support[0]
    clipped = tf.clip_by_value(atoms, support[0], support[-1])
    distance = tf.abs(clipped[:, None, :] - support[None, :, None]) / spacing
    share = tf.clip_by_value(1.0 - distance, 0.0, 1.0)
    return tf.einsum("bij,bj->bi", share, probabilities)


def categorical_target(
    logits_t: Tensor, q_selector: Tensor, r_t: Tensor, discount_t: Tensor, support: Tensor
) -> Tensor:
    """Return the target distribution of the taken action, [B, N], without a gradient.

    Args:
        logits_t: the target network's logits after the step, [B, A, N].
        q_selector: the values that choose the next action, [B, A]; illegal actions are masked.
        r_t: rewards, [B].
        discount_t: discounts, [B]; 0 after a terminal step.
        support: z, [N].

    Source: algorithm 1.
    """
    best = tf.argmax(q_selector, axis=-1)
    probabilities = tf.gather(tf.nn.softmax(logits_t), best, batch_dims=1)
    atoms = r_t[:, None] + discount_t[:, None] * support[None, :]
    return tf.stop_gradient(project(atoms, probabilities, support))


def cross_entropy(target: Tensor, logits: Tensor) -> Tensor:
    """Return −Σ m log p, [B], of targets m [B, N] and the logits [B, N] of p."""
    return tf.nn.softmax_cross_entropy_with_logits(target, logits)
