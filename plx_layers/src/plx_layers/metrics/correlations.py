"""Covariance and correlation of labels and outputs over all examples."""

from __future__ import annotations

import keras
import tensorflow as tf

from plx_core.types import Tensor


class ComomentMetric(keras.metrics.Metric):
    """Base class of the metrics here: means, and sums of products of the deviations from them.

    A batch's sums are merged with the earlier ones without subtracting large numbers from each
    other.
    Source: Chan, Golub and LeVeque 1979, Updating Formulae and a Pairwise Algorithm for Computing
        Sample
    Variances.

    Args:
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(self, name: str | None = None, dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.count = self.add_variable((), "zeros", name="count")
        self.means = self.add_variable((2,), "zeros", name="means")
        self.comoments = self.add_variable((2, 2), "zeros", name="comoments")

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None
    ) -> None:
        """Add a batch of labels and outputs, float of the same shape."""
        values = tf.stack(
            [tf.reshape(tf.cast(value, self.dtype), [-1]) for value in (y_true, y_pred)]
        )
        weights = tf.ones_like(values[0])
        if sample_weight is not None:
            sample_weight = tf.cast(sample_weight, self.dtype)
            shape = tf.concat(
                [
                    tf.shape(sample_weight),
                    tf.ones([tf.rank(y_pred) - tf.rank(sample_weight)], tf.int32),
                ],
                0,
            )
            expanded = tf.broadcast_to(tf.reshape(sample_weight, shape), tf.shape(y_pred))
            weights *= tf.reshape(expanded, [-1])
        count = tf.reduce_sum(weights)
        means = tf.math.divide_no_nan(tf.linalg.matvec(values, weights), count)
        deviations = values - means[:, None]
        shift = means - self.means
        total = self.count + count
        share = tf.math.divide_no_nan(count, total)
        within = tf.matmul(deviations * weights, deviations, transpose_b=True)
        self.comoments.assign_add(within + self.count * share * shift[:, None] * shift[None, :])
        self.means.assign_add(shift * share)
        self.count.assign(total)


@keras.saving.register_keras_serializable("plx_layers")
class Covariance(ComomentMetric):
    """Σ (yᵢ − ȳ)(ŷᵢ − mean of ŷ) / (n − 1), over all elements of all batches.

    Labels y and outputs ŷ are float of the same shape. The result is a scalar, and 0 for fewer than
    two elements.

    Args:
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def result(self) -> tf.Tensor:
        """Return the covariance, a float scalar."""
        return tf.math.divide_no_nan(
            tf.convert_to_tensor(self.comoments)[0, 1], tf.maximum(self.count - 1.0, 0.0)
        )


@keras.saving.register_keras_serializable("plx_layers")
class StreamingPearsonCorrelation(ComomentMetric):
    """Pearson's correlation of labels and outputs, over all elements of all batches.

    Labels and outputs are float of the same shape. The result is a scalar, and 0 where one of them
    is constant. Keras's `PearsonCorrelation` is the mean over examples of the correlation along an
    axis.

    Args:
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def result(self) -> tf.Tensor:
        """Return the correlation, a float scalar from −1 to 1."""
        comoments = tf.convert_to_tensor(self.comoments)
        return tf.math.divide_no_nan(comoments[0, 1], tf.sqrt(comoments[0, 0] * comoments[1, 1]))
