"""Regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from attrs import define, field
from keras import ops

from plx_core import EstimatorSpec, Model, make, with_older_names
from plx_core.annotations import LossLike
from plx_core.errors import ComponentError
from plx_layers.labels import single_label, single_output


@with_older_names
@define
class Regressor(Model):
    """Estimates numbers.

    The graph's output and the labels are float [batch, …] of the same shape; a label [batch] fits an output [batch, 1].

    Its predictions are `results`.

    Args:
        loss: what is minimised.
        label: which label is learnt; the only one, or the one called `label`, when left out.
    """

    loss: LossLike = field(default="MeanSquaredError", kw_only=True)
    label: str | None = field(default=None, kw_only=True)

    def _check(self, outputs: Any, labels: Any) -> None:
        single_output(outputs, "Regressor")
        shape = getattr(self._label(labels), "shape", None)
        if (
            shape is not None
            and len(shape) == len(outputs.shape)
            and any(
                None not in pair and pair[0] != pair[1]
                for pair in zip(tuple(shape)[1:], tuple(outputs.shape)[1:], strict=True)
            )
        ):
            raise ComponentError(
                f"the graph's last layer gives {tuple(outputs.shape)}, and the labels have shape {tuple(shape)}"
            )

    def _label(self, labels: Any) -> Any:
        return single_label(labels, "Regressor", self.label)

    def _spec(self, network: keras.Model, metrics: Mapping[str, Any]) -> EstimatorSpec:
        loss = make("losses", self.loss)

        def shaped(labels: Any, outputs: Any) -> Any:
            labels = ops.cast(self._label(labels), outputs.dtype)
            return (
                ops.expand_dims(labels, -1)
                if len(labels.shape) == len(outputs.shape) - 1 and outputs.shape[-1] == 1
                else labels
            )

        def loss_fn(features: Any, labels: Any, outputs: Any) -> Any:
            return loss(shaped(labels, outputs), outputs)

        def update_metrics(features: Any, labels: Any, outputs: Any) -> None:
            for metric in metrics.values():
                metric.update_state(shaped(labels, outputs), outputs)

        return EstimatorSpec(
            **self._common(network, metrics), loss_fn=loss_fn, update_metrics=update_metrics
        )
