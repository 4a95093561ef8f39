"""Classification."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from attrs import define, field
from keras import ops

from plx_core import EstimatorSpec, Model, make, with_older_names
from plx_core.annotations import LossLike, NonNegativeInt, PositiveInt
from plx_core.errors import ComponentError
from plx_core.types import Features, Labels, Metric, Nested, Network, Tensor
from plx_layers.models.labels import (
    require_label,
    require_single_output,
    shapes_agree,
    single_label,
)
from plx_layers.models.metric_inputs import metric_inputs
from plx_layers.models.positions import flatten_positions, masked_loss


@with_older_names
@define
class Classifier(Model):
    """Predict the class of an example, one of several.

    The graph's output is float [batch, classes]: logits, unless the loss takes probabilities.
    Labels are class indices, int [batch], or one-hot, [batch, classes]. If the output is [batch, …,
    classes], such as one for each word of a sentence, labels are int [batch, …], and each position
    is an example.

    Its predictions are `logits`, `probabilities` and `classes`. A metric that counts decisions
    (true positives, precision, recall, …) and has no thresholds of its own gets the most probable
    class. With two classes, the second is the positive one; with more, each class is counted
    against the rest, and the counts are added up, as with scikit-learn's `average="micro"`.

    Args:
        loss: the loss to minimise.
        one_hot_encode: convert labels that are class indices to one-hot vectors for the loss.
        n_classes: the number of classes; the graph's last axis when omitted.
        padding_label: the label that marks padding, which neither the loss nor the metrics count.
        label: the label to learn; the only one, or the one called `label`, when omitted.
    """

    loss: LossLike = field(default="SoftmaxCrossEntropy", kw_only=True)
    one_hot_encode: bool = field(default=False, kw_only=True)
    n_classes: PositiveInt | None = field(default=None, kw_only=True)
    padding_label: NonNegativeInt | None = field(default=None, kw_only=True)
    label: str | None = field(default=None, kw_only=True)

    def _check(self, outputs: Nested, labels: Labels) -> None:
        require_single_output(outputs, "Classifier")
        shape = tuple(outputs.shape)
        if self.n_classes is not None and shape[-1] != self.n_classes:
            raise ComponentError(
                f"the graph's output has shape {shape}, and n_classes is {self.n_classes}; "
                f"the last axis must be {self.n_classes}"
            )
        labels_shape = getattr(self._label(labels), "shape", None)
        if labels_shape is not None and not _fits(tuple(labels_shape), shape):
            raise ComponentError(
                f"the graph's output has shape {shape}, and the labels have shape "
                f"{tuple(labels_shape)}"
            )

    def _label(self, labels: Labels) -> Tensor | None:
        return single_label(labels, "Classifier", self.label)

    def _required_label(self, labels: Labels) -> Tensor:
        return require_label(self._label(labels), "Classifier")

    def _spec(self, network: Network, metrics: Mapping[str, Metric]) -> EstimatorSpec:
        loss = make("losses", self.loss)
        classes = self.n_classes or network.output_shape[-1]

        def encoded(labels: Tensor) -> Tensor:
            is_index = len(labels.shape) < 2 or (labels.shape[-1] == 1 and classes != 1)
            if self.one_hot_encode and is_index:
                return ops.one_hot(ops.cast(ops.reshape(labels, (-1,)), "int32"), classes)
            return labels

        def loss_fn(features: Features, labels: Labels, outputs: Tensor) -> Tensor:
            labels, outputs, mask = flatten_positions(
                self._required_label(labels), outputs, self.padding_label
            )
            return masked_loss(loss, encoded(labels), outputs, mask)

        def update_metrics(features: Features, labels: Labels, outputs: Tensor) -> None:
            labels, outputs, mask = flatten_positions(
                self._required_label(labels), outputs, self.padding_label
            )
            probabilities = _probabilities(loss, outputs)
            weights = {} if mask is None else {"sample_weight": mask}
            for metric in metrics.values():
                inputs = metric_inputs(metric, labels, outputs, probabilities, classes)
                metric.update_state(*inputs, **weights)

        def predict_fn(features: Features, outputs: Tensor) -> Mapping[str, Tensor]:
            probabilities = _probabilities(loss, outputs)
            if outputs.shape[-1] != 1:
                decisions = ops.argmax(outputs, axis=-1)
            else:
                decisions = ops.cast(probabilities[..., 0] > 0.5, "int64")
            return {"logits": outputs, "probabilities": probabilities, "classes": decisions}

        return EstimatorSpec(
            **self._common(network, metrics),
            loss_fn=loss_fn,
            update_metrics=update_metrics,
            predict_fn=predict_fn,
        )


def _fits(labels: tuple[int | None, ...], outputs: tuple[int | None, ...]) -> bool:
    """Return whether labels of this shape are indices or one-hot vectors for the outputs."""
    if len(labels) == len(outputs):
        return labels[-1] in (None, 1, outputs[-1]) and shapes_agree(labels[1:-1], outputs[1:-1])
    return len(labels) == len(outputs) - 1 and shapes_agree(labels[1:], outputs[1:-1])


def _probabilities(loss: keras.losses.Loss, outputs: Tensor) -> Tensor:
    if not getattr(loss, "from_logits", True):
        return outputs
    is_independent = outputs.shape[-1] == 1 or "sigmoid" in loss.name or "binary" in loss.name
    return ops.sigmoid(outputs) if is_independent else ops.softmax(outputs, axis=-1)
