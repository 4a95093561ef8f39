"""The loss of a specification, and the clipping of gradients."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from plx_core.models.spec import EstimatorSpec
from plx_core.types import Features, Labels, Nested, Tensor, Variable


def total_loss(spec: EstimatorSpec, features: Features, labels: Labels, outputs: Nested) -> Tensor:
    """Return the loss of a batch, a scalar: the sum over heads, plus regularization."""
    loss = spec.loss_fn(features, labels, outputs) if spec.loss_fn else tf.constant(0.0)
    parts = [*(loss.values() if isinstance(loss, Mapping) else [loss]), *spec.network.losses]
    if len(parts) == 1:
        return parts[0]
    return tf.add_n([tf.cast(part, parts[0].dtype) for part in parts])


def clip_gradients(
    gradients: list[Tensor],
    weights: list[Variable],
    norm: float | None,
    embedding_norm: float | None,
) -> list[Tensor]:
    """Clip gradients by their global norm, and then those of embeddings each by its own norm.

    Args:
        gradients: one for each weight; None where a weight has no gradient.
        weights: the weights.
        norm: the largest global norm; None to leave it.
        embedding_norm: the largest norm of the gradient of an embedding; None to leave it.
    """
    if norm is not None:
        gradients = _clip_all(gradients, norm)
    if embedding_norm is not None:
        is_embedding = ["embedding" in weight.path.lower() for weight in weights]
        gradients = [
            _clip_one(gradient, embedding_norm) if embedding else gradient
            for gradient, embedding in zip(gradients, is_embedding, strict=True)
        ]
    return gradients


def _clip_all(gradients: list[Tensor], norm: float) -> list[Tensor]:
    present = [_dense(gradient) for gradient in gradients if gradient is not None]
    if len({gradient.dtype for gradient in present}) == 1:
        global_norm = tf.linalg.global_norm(present)
        return list(tf.clip_by_global_norm(gradients, norm, use_norm=global_norm)[0])
    global_norm = tf.linalg.global_norm([tf.cast(gradient, tf.float32) for gradient in present])
    scale = norm / tf.maximum(global_norm, norm)
    return [
        None if gradient is None else _dense(gradient) * tf.cast(scale, gradient.dtype)
        for gradient in gradients
    ]


def _clip_one(gradient: Tensor, norm: float) -> Tensor:
    if isinstance(gradient, tf.IndexedSlices):
        scale = norm / tf.maximum(tf.norm(_dense(gradient)), norm)
        return tf.IndexedSlices(gradient.values * scale, gradient.indices, gradient.dense_shape)
    return None if gradient is None else tf.clip_by_norm(gradient, norm)


def _dense(gradient: Tensor) -> Tensor:
    """Return a gradient as a tensor, with the rows added that a sparse one lists for each use."""
    return tf.convert_to_tensor(gradient)
