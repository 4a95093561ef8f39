"""Classification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from attrs import define, field
from keras import ops

from plx_core import EstimatorSpec, Model, make, with_older_names
from plx_core.annotations import LossLike, NonNegativeInt, PositiveInt
from plx_core.errors import ComponentError
from plx_layers.labels import single_label, single_output
from plx_layers.measuring import measure
from plx_layers.positions import counted_loss, flatten_positions


@with_older_names
@define
class Classifier(Model):
    """Tells which of several classes an example belongs to.

    The graph's output is float [batch, classes]: logits, unless the loss says that it takes probabilities. Labels are class indices,
    int [batch], or one-hot, [batch, classes]. Where the output is [batch, …, classes], such as a word's at each place of a sentence, labels
    are int [batch, …], and each place counts as an example.

    Its predictions are `logits`, `probabilities` and `classes`. A metric that counts decisions (true positives, precision, recall, …)
    and has no thresholds of its own sees the most probable class; with two classes the second is the positive one, with more each
    class against the rest is counted and summed up, which is scikit-learn's `average="micro"`.

    Args:
        loss: what is minimised.
        one_hot_encode: whether labels are class indices to be turned into one-hot vectors for the loss.
        n_classes: how many classes; the graph's last axis when left out.
        padding_label: a label that marks padding: such places count neither in the loss nor in metrics.
        label: which label is learnt; the only one, or the one called `label`, when left out.
    """

    loss: LossLike = field(default="SoftmaxCrossEntropy", kw_only=True)
    one_hot_encode: bool = field(default=False, kw_only=True)
    n_classes: PositiveInt | None = field(default=None, kw_only=True)
    padding_label: NonNegativeInt | None = field(default=None, kw_only=True)
    label: str | None = field(default=None, kw_only=True)

    def _check(self, outputs: Any, labels: Any) -> None:
        single_output(outputs, "Classifier")
        if self.n_classes is not None and outputs.shape[-1] != self.n_classes:
            shown = tuple(outputs.shape)
            raise ComponentError(
                f"the graph's last layer gives {shown}, and n_classes is {self.n_classes}; its last axis must be {self.n_classes}"
            )
        shape = getattr(self._label(labels), "shape", None)
        if shape is not None and not _fits(tuple(shape), tuple(outputs.shape)):
            raise ComponentError(
                f"the graph's last layer gives {tuple(outputs.shape)}, and the labels have shape {tuple(shape)}"
            )

    def _label(self, labels: Any) -> Any:
        return single_label(labels, "Classifier", self.label)

    def _spec(self, network: keras.Model, metrics: Mapping[str, Any]) -> EstimatorSpec:
        loss = make("losses", self.loss)
        classes = self.n_classes or network.output_shape[-1]

        def encoded(labels: Any) -> Any:
            is_index = len(labels.shape) < 2 or (labels.shape[-1] == 1 and classes != 1)
            if self.one_hot_encode and is_index:
                return ops.one_hot(ops.cast(ops.reshape(labels, (-1,)), "int32"), classes)
            return labels

        def loss_fn(features: Any, labels: Any, outputs: Any) -> Any:
            labels, outputs, counts = flatten_positions(
                self._label(labels), outputs, self.padding_label
            )
            return counted_loss(loss, encoded(labels), outputs, counts)

        def update_metrics(features: Any, labels: Any, outputs: Any) -> None:
            labels, outputs, counts = flatten_positions(
                self._label(labels), outputs, self.padding_label
            )
            probabilities = _probabilities(loss, outputs)
            weights = {} if counts is None else {"sample_weight": counts}
            for metric in metrics.values():
                metric.update_state(
                    *measure(metric, labels, outputs, probabilities, classes), **weights
                )

        def predict_fn(features: Any, outputs: Any) -> Mapping[str, Any]:
            probabilities = _probabilities(loss, outputs)
            decided = (
                ops.argmax(outputs, axis=-1)
                if outputs.shape[-1] != 1
                else ops.cast(probabilities[..., 0] > 0.5, "int64")
            )
            return {"logits": outputs, "probabilities": probabilities, "classes": decided}

        return EstimatorSpec(
            **self._common(network, metrics),
            loss_fn=loss_fn,
            update_metrics=update_metrics,
            predict_fn=predict_fn,
        )


def _fits(labels: tuple[int | None, ...], outputs: tuple[int | None, ...]) -> bool:
    """Whether labels of this shape are indices or one-hot vectors for outputs of that shape."""
    if len(labels) == len(outputs):
        return labels[-1] in (None, 1, outputs[-1]) and _agree(labels[1:-1], outputs[1:-1])
    return len(labels) == len(outputs) - 1 and _agree(labels[1:], outputs[1:-1])


def _agree(first: tuple[int | None, ...], second: tuple[int | None, ...]) -> bool:
    return all(None in pair or pair[0] == pair[1] for pair in zip(first, second, strict=True))


def _probabilities(loss: Any, outputs: Any) -> Any:
    if not getattr(loss, "from_logits", True):
        return outputs
    independent = outputs.shape[-1] == 1 or "sigmoid" in loss.name or "binary" in loss.name
    return ops.sigmoid(outputs) if independent else ops.softmax(outputs, axis=-1)
