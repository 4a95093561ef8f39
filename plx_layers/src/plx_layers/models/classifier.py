"""Classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, evolve, field
from keras import ops

from plx_core import EstimatorSpec, LabelRange, Model, make, with_older_names
from plx_core.annotations import LossLike, NonNegativeInt, PositiveInt
from plx_core.errors import ComponentError
from plx_core.types import Features, Labels, Loss, Metric, Nested, Network, Tensor
from plx_layers.losses.declared import loss_name, needs_columns
from plx_layers.models.class_task import ClassTask, class_task
from plx_layers.models.labels import (
    label_name,
    require_label,
    require_single_output,
    shapes_agree,
    single_label,
)
from plx_layers.models.metric_inputs import ClassBatch, check_metrics, metric_inputs
from plx_layers.models.positions import flatten_positions, masked_loss


@with_older_names
@define
class Classifier(Model):
    """Predict the class of an example, one of several.

    The graph's output is float [batch, classes]: logits, unless the loss takes probabilities.
    Labels are class indices, int [batch], or one-hot, [batch, classes]. If the output is [batch, …,
    classes], such as one for each word of a sentence, labels are int [batch, …], and each position
    is an example.

    With a loss of independent classes, such as `SigmoidCrossEntropy`, and several outputs, an
    example has a set of classes: labels are 0 or 1 for each class, [batch, …, classes]. If an
    example has one class nevertheless, set `one_hot_encode` or `multi_label: false`.

    Its predictions are `probabilities`, `classes`, and `logits` unless the loss takes
    probabilities. A class is an index; a set of classes is 0 or 1 for each class, 1 where the
    probability is above ½.

    A metric gets what it declares, `probabilities`, `logits` or `classes`; see
    `plx_core.metric_input`. What Keras's metrics take is known. A metric that counts decisions
    (true positives, precision, recall, F1, …) and has no thresholds of its own gets the predicted
    classes. Of two classes, the second is the positive one; of more, each class is counted against
    the rest, and the counts are added up, as with scikit-learn's `average="micro"`. For sets of
    classes, `Accuracy` counts equal sets, and `BinaryAccuracy` equal decisions.

    Args:
        loss: the loss to minimise.
        one_hot_encode: convert labels that are class indices to one-hot vectors for the loss.
        n_classes: the number of classes; the graph's last axis when omitted.
        multi_label: whether an example has any number of classes, each with a sigmoid, and not one
            of them, with a softmax; the loss declares it when omitted.
        padding_label: the label that marks padding, which neither the loss nor the metrics count.
        label: the label to learn; the only one, or the one called `label`, when omitted.
    """

    loss: LossLike = field(default="SoftmaxCrossEntropy", kw_only=True)
    one_hot_encode: bool = field(default=False, kw_only=True)
    n_classes: PositiveInt | None = field(default=None, kw_only=True)
    multi_label: bool | None = field(default=None, kw_only=True)
    padding_label: NonNegativeInt | None = field(default=None, kw_only=True)
    label: str | None = field(default=None, kw_only=True)

    def attach(self, features: Features, outputs: Tensor, labels: Labels = None) -> EstimatorSpec:
        """Build the specification of this model on the output of a graph."""
        spec = super().attach(features, outputs, labels)
        label = self._label(labels)
        if getattr(label, "shape", None) is None:
            return spec
        name = label_name(labels, "Classifier", self.label)
        return evolve(spec, label_ranges={name: self._range(label, outputs)})

    def _range(self, label: Tensor, outputs: Tensor) -> LabelRange:
        """Return the valid values of a label: class indices, or 0 to 1 for each column."""
        columns = outputs.shape[-1]
        if columns == 1:
            return LabelRange(1, is_index=not label.dtype.is_floating, padding=self.padding_label)
        if _are_indices(label.shape, outputs.shape):
            return LabelRange(columns - 1, padding=self.padding_label)
        return LabelRange(1, is_index=False)

    def _check(self, outputs: Nested, labels: Labels) -> None:
        require_single_output(outputs, "Classifier")
        shape = tuple(outputs.shape)
        if self.n_classes is not None and shape[-1] != self.n_classes:
            raise ComponentError(
                f"the graph's output has shape {shape}, and n_classes is {self.n_classes}; "
                f"the last axis must be {self.n_classes}"
            )
        loss = make("losses", self.loss)
        task = self._task(loss, shape[-1])
        if task.multi_label and self.padding_label is not None:
            raise ComponentError(
                "padding_label is a class index, and with multi_label a label has a column for "
                "each class"
            )
        labels_shape = getattr(self._label(labels), "shape", None)
        if labels_shape is None:
            return
        if not _fits(tuple(labels_shape), shape, multi_label=task.multi_label):
            hint = (
                "; with multi_label, a label has a column for each class; if an example has one "
                "class, set one_hot_encode or multi_label: false"
            )
            raise ComponentError(
                f"the graph's output has shape {shape}, and the labels have shape "
                f"{tuple(labels_shape)}{hint if task.multi_label else ''}"
            )
        has_indices = task.columns > 1 and _are_indices(labels_shape, shape)
        if has_indices and not self.one_hot_encode and needs_columns(loss):
            # Keras would broadcast them where the batch is as large as the number of classes.
            raise ComponentError(
                f"the loss {loss_name(loss)} compares a column for each class, and labels of shape "
                f"{tuple(labels_shape)} are class indices: set one_hot_encode"
            )

    def _label(self, labels: Labels) -> Tensor | None:
        return single_label(labels, "Classifier", self.label)

    def _required_label(self, labels: Labels) -> Tensor:
        return require_label(self._label(labels), "Classifier")

    def _spec(self, network: Network, metrics: Mapping[str, Metric]) -> EstimatorSpec:
        loss = make("losses", self.loss)
        task = self._task(loss, network.output_shape[-1])
        check_metrics(metrics, task, loss)

        def encoded(labels: Tensor) -> Tensor:
            is_index = len(labels.shape) < 2 or (labels.shape[-1] == 1 and task.columns != 1)
            if self.one_hot_encode and is_index:
                return ops.one_hot(ops.cast(ops.reshape(labels, (-1,)), "int32"), task.columns)
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
            batch = ClassBatch(task, labels, outputs)
            for metric in metrics.values():
                # Keras's intersections over unions count in integers.
                weights = {} if mask is None else {"sample_weight": ops.cast(mask, metric.dtype)}
                metric.update_state(*metric_inputs(metric, batch), **weights)

        def predict_fn(features: Features, outputs: Tensor) -> Mapping[str, Tensor]:
            predictions = {"logits": outputs} if task.from_logits else {}
            return predictions | {
                "probabilities": task.probabilities(outputs),
                "classes": task.decisions(outputs),
            }

        return EstimatorSpec(
            **self._common(network, metrics),
            loss_fn=loss_fn,
            update_metrics=update_metrics,
            predict_fn=predict_fn,
        )

    def _task(self, loss: Loss, columns: int) -> ClassTask:
        return class_task(loss, columns, self.multi_label, one_hot_encode=self.one_hot_encode)


def _fits(
    labels: tuple[int | None, ...], outputs: tuple[int | None, ...], *, multi_label: bool
) -> bool:
    """Return whether labels of this shape are indices or one-hot vectors for the outputs."""
    if len(labels) == len(outputs):
        columns = (None, outputs[-1]) if multi_label else (None, 1, outputs[-1])
        return labels[-1] in columns and shapes_agree(labels[1:-1], outputs[1:-1])
    has_indices = len(labels) == len(outputs) - 1 and not multi_label
    return has_indices and shapes_agree(labels[1:], outputs[1:-1])


def _are_indices(labels: Sequence[int | None], outputs: Sequence[int | None]) -> bool:
    """Return whether labels of this shape are class indices for outputs with several columns."""
    return len(labels) < len(outputs) or labels[-1] == 1
