"""Several tasks learnt by one graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import keras
from attrs import define, field
from keras import ops

from plx_core import DEFAULT_SUMMARIES, EstimatorSpec, Model, with_older_names
from plx_core.annotations import ModelLike, NonNegativeFloat
from plx_core.errors import ComponentError, ConfigError, Problem, did_you_mean
from plx_layers.labels import LABEL

OF_THE_WHOLE = (
    "graph",
    "graph_fn",
    "optimizer",
    "summaries",
    "clip_gradients",
    "clip_embed_gradients",
)
"""What a head cannot have for itself."""


@with_older_names
@define
class MultiHead(Model):
    """Learns several things at once: each output of the graph has a model, its head, with a loss, metrics and a label of its own.

    The graph's outputs are float [batch, …] by name, its `output_layers`; each is what its head says of its graph's output. The loss
    is the sum of the heads' losses, each times its weight.

    A head's losses and metrics are reported as `HEAD/loss`, before its weight, and `HEAD/METRIC`; predictions are `HEAD/PREDICTION`.

    Args:
        heads: a model without a graph for each output, by the output's name: `{digit: {Classifier: {metrics: [Accuracy]}}}`. A head
            learns the label that its `label` names, or else the one of its own name, if there is one.
        loss_weights: what heads' losses are multiplied by, by the head's name; 1 where left out.
    """

    heads: dict[str, ModelLike] = field(kw_only=True)
    loss_weights: dict[str, NonNegativeFloat] = field(factory=dict, kw_only=True)

    def attach(self, features: Any, outputs: Any, labels: Any = None) -> EstimatorSpec:
        """The specification of this model on the outputs of a graph, a mapping."""
        self._check(outputs, labels)
        specs = {
            name: self._head(name, head, features, outputs[name], labels)
            for name, head in self.heads.items()
        }
        return self._joined(keras.Model(features, outputs, name=self.name), specs)

    def _check(self, outputs: Any, labels: Any) -> None:
        names = list(outputs) if isinstance(outputs, Mapping) else []
        if not names:
            raise ComponentError(
                f"the graph of a MultiHead names its output_layers, two or more; its heads are {', '.join(self.heads)}"
            )
        problems = [
            Problem(
                f"heads.{name}",
                f"the graph has no such output{did_you_mean(name, names)}; its output_layers are {', '.join(names)}",
            )
            for name in self.heads
            if name not in names
        ]
        problems += [
            Problem("heads", f"{name} is missing: each output has a head")
            for name in names
            if name not in self.heads
        ]
        problems += [
            Problem(
                f"loss_weights.{name}",
                f"there is no such head{did_you_mean(name, self.heads)}; there are {', '.join(self.heads)}",
            )
            for name in self.loss_weights
            if name not in self.heads
        ]
        if problems:
            raise ConfigError(problems)

    def _head(self, name: str, head: Any, features: Any, output: Any, labels: Any) -> EstimatorSpec:
        where = f"heads.{name}"
        if not isinstance(head, Model):
            message = f"a {type(head).__name__} cannot be a head: a head has one output, such as that of a Classifier or a Regressor"
            raise ConfigError([Problem(where, message)])
        if own := _own_settings(head):
            raise ConfigError(
                [Problem(where, f"{', '.join(own)} cannot be a head's; give it to the MultiHead")]
            )
        try:
            return head.attach(features, output, _labels_of(name, head, labels))
        except ComponentError as error:
            raise ConfigError([Problem(where, str(error))]) from error

    def _joined(self, network: keras.Model, specs: Mapping[str, EstimatorSpec]) -> EstimatorSpec:
        losses = {name: keras.metrics.Mean(name=f"{name}/loss") for name in specs}
        metrics: dict[str, Any] = {}
        for name, spec in specs.items():
            metrics |= {f"{name}/loss": losses[name]} | {
                f"{name}/{key}": metric for key, metric in spec.metrics.items()
            }

        def loss_of(name: str, features: Any, labels: Any, outputs: Any) -> Any:
            loss_fn = specs[name].loss_fn
            return (
                0.0
                if loss_fn is None
                else loss_fn(features, _labels_of(name, self.heads[name], labels), outputs[name])
            )

        def loss_fn(features: Any, labels: Any, outputs: Any) -> Mapping[str, Any]:
            return {
                name: self.loss_weights.get(name, 1.0) * loss_of(name, features, labels, outputs)
                for name in specs
            }

        def update_metrics(features: Any, labels: Any, outputs: Any) -> None:
            for name, spec in specs.items():
                spec.update_metrics(
                    features, _labels_of(name, self.heads[name], labels), outputs[name]
                )
                losses[name].update_state(
                    loss_of(name, features, labels, outputs),
                    sample_weight=ops.shape(outputs[name])[0],
                )

        def predict_fn(features: Any, outputs: Any) -> Mapping[str, Any]:
            return {
                f"{name}/{key}": value
                for name, spec in specs.items()
                for key, value in spec.predict_fn(features, outputs[name]).items()
            }

        return EstimatorSpec(
            **self._common(network, metrics),
            loss_fn=loss_fn,
            update_metrics=update_metrics,
            predict_fn=predict_fn,
        )


def _labels_of(name: str, head: Any, labels: Any) -> Any:
    """What a head chooses its label from: the one of its own name, or all where it names one or there is none."""
    is_own = isinstance(labels, Mapping) and name in labels and getattr(head, "label", None) is None
    return {LABEL: labels[name]} if is_own else labels


def _own_settings(head: Model) -> list[str]:
    """The settings of the whole that a head was given."""
    defaults = {attribute.name: attribute.default for attribute in attrs.fields(type(head))} | {
        "summaries": frozenset(DEFAULT_SUMMARIES)
    }
    return [name for name in OF_THE_WHOLE if getattr(head, name) != defaults[name]]
