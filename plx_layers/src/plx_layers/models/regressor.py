"""Regression."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field
from keras import ops

from plx_core import EstimatorSpec, Model, make, metric_input, with_older_names
from plx_core.annotations import LossLike
from plx_core.errors import ComponentError
from plx_core.types import Features, Labels, Metric, Nested, Network, Tensor
from plx_layers.models.labels import (
    require_label,
    require_single_output,
    shapes_agree,
    single_label,
)


@with_older_names
@define
class Regressor(Model):
    """Predict numbers.

    The graph's output and the labels are float [batch, …] of the same shape; a label [batch] also
    fits an output [batch, 1]. Its predictions are `results`. A metric gets the labels and outputs.

    Args:
        loss: the loss to minimise.
        label: the label to learn; the only one, or the one called `label`, when omitted.
    """

    loss: LossLike = field(default="MeanSquaredError", kw_only=True)
    label: str | None = field(default=None, kw_only=True)

    def _check(self, outputs: Nested, labels: Labels) -> None:
        require_single_output(outputs, "Regressor")
        shape = tuple(outputs.shape)
        labels_shape = tuple(getattr(self._label(labels), "shape", None) or ())
        if labels_shape and not _fits(labels_shape, shape):
            # Keras would compare each label with each output.
            raise ComponentError(
                f"the graph's output has shape {shape}, and the labels have shape {labels_shape}; "
                "a Regressor needs an output for each label"
            )

    def _label(self, labels: Labels) -> Tensor | None:
        return single_label(labels, "Regressor", self.label)

    def _spec(self, network: Network, metrics: Mapping[str, Metric]) -> EstimatorSpec:
        loss = make("losses", self.loss)
        for name, metric in metrics.items():
            if (takes := metric_input(metric)) is not None:
                raise ComponentError(
                    f"the metric {name} takes {takes}, and a Regressor predicts numbers"
                )

        def shaped(labels: Labels, outputs: Tensor) -> Tensor:
            labels = ops.cast(require_label(self._label(labels), "Regressor"), outputs.dtype)
            if len(labels.shape) == len(outputs.shape) - 1 and outputs.shape[-1] == 1:
                return ops.expand_dims(labels, -1)
            return labels

        def loss_fn(features: Features, labels: Labels, outputs: Tensor) -> Tensor:
            return loss(shaped(labels, outputs), outputs)

        def update_metrics(features: Features, labels: Labels, outputs: Tensor) -> None:
            for metric in metrics.values():
                metric.update_state(shaped(labels, outputs), outputs)

        return EstimatorSpec(
            **self._common(network, metrics), loss_fn=loss_fn, update_metrics=update_metrics
        )


def _fits(labels: tuple[int | None, ...], outputs: tuple[int | None, ...]) -> bool:
    """Return whether labels have the shape of the outputs, up to a last axis of one output."""
    if len(labels) == len(outputs) - 1:
        labels = (*labels, 1)
    return len(labels) == len(outputs) and shapes_agree(labels[1:], outputs[1:])
