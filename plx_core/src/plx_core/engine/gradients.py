"""The training program: many steps in one call of TensorFlow, with metrics, and state that a checkpoint can keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from plx_core.models.spec import EstimatorSpec


def total_loss(spec: EstimatorSpec, features: Any, labels: Any, outputs: Any) -> tf.Tensor:
    """The loss of a batch, the parts of several heads and the penalties of regularizers added up: a scalar."""
    loss = spec.loss_fn(features, labels, outputs) if spec.loss_fn else tf.constant(0.0)
    parts = [*(loss.values() if isinstance(loss, Mapping) else [loss]), *spec.network.losses]
    return (
        tf.add_n([tf.cast(part, parts[0].dtype) for part in parts]) if len(parts) > 1 else parts[0]
    )


def clip_gradients(
    gradients: list[Any], weights: list[Any], norm: float | None, embedding_norm: float | None
) -> list[Any]:
    """Clip by the global norm, then each embedding's gradient by its own."""
    if norm is not None:
        gradients = _clip_all(gradients, norm)
    if embedding_norm is not None:
        is_embedding = ["embedding" in weight.path.lower() for weight in weights]
        gradients = [
            _clip_one(gradient, embedding_norm) if embedding else gradient
            for gradient, embedding in zip(gradients, is_embedding, strict=True)
        ]
    return gradients


def _clip_all(gradients: list[Any], norm: float) -> list[Any]:
    if len({gradient.dtype for gradient in gradients}) == 1:
        return list(tf.clip_by_global_norm(gradients, norm)[0])
    whole = tf.linalg.global_norm([tf.cast(gradient, tf.float32) for gradient in gradients])
    scale = norm / tf.maximum(whole, norm)
    return [
        tf.convert_to_tensor(gradient) * tf.cast(scale, gradient.dtype) for gradient in gradients
    ]


def _clip_one(gradient: Any, norm: float) -> Any:
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(
            tf.clip_by_norm(gradient.values, norm), gradient.indices, gradient.dense_shape
        )
    return None if gradient is None else tf.clip_by_norm(gradient, norm)
