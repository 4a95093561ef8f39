"""Several tasks learned by one graph."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import keras
from attrs import define, field
from keras import ops

from plx_core import EstimatorSpec, Model, with_older_names
from plx_core.annotations import ModelLike, NonNegativeFloat
from plx_core.errors import ComponentError, ConfigError, Problem, did_you_mean
from plx_core.types import Features, Labels, Metric, Network, Tensor
from plx_layers.models.labels import LABEL

NOT_FOR_HEADS = (
    "graph",
    "graph_fn",
    "optimizer",
    "summaries",
    "clip_gradients",
    "clip_embed_gradients",
)
"""The parameters of the MultiHead that a head cannot have."""


@with_older_names
@define
class MultiHead(Model):
    """Learn several tasks at once: each output of the graph has a model, its head.

    The graph's outputs, its `output_layers`, are float [batch, …] by name; each has the shape that
    its head expects of its graph's output. The loss is the weighted sum of the heads' losses.

    The loss and metrics of a head are reported as `HEAD/loss`, before its weight, and
    `HEAD/METRIC`; predictions are `HEAD/PREDICTION`.

    Args:
        heads: a model without a graph for each output, by the output's name:
            `{digit: {Classifier: {metrics: [Accuracy]}}}`. A head learns the label that its `label`
            names, or else the one with the head's name, if there is one.
        loss_weights: the factors of the heads' losses, by the head's name; 1 where omitted.
    """

    heads: dict[str, ModelLike] = field(kw_only=True)
    loss_weights: dict[str, NonNegativeFloat] = field(factory=dict, kw_only=True)

    def attach(
        self, features: Features, outputs: Mapping[str, Tensor], labels: Labels = None
    ) -> EstimatorSpec:
        """Build the specification of this model on the outputs of a graph, by name."""
        self._check(outputs, labels)
        specs = {
            name: self._head(name, head, features, outputs[name], labels)
            for name, head in self.heads.items()
        }
        return self._joined(keras.Model(features, outputs, name=self.name), specs, labels)

    def _check(self, outputs: Mapping[str, Tensor] | Tensor, labels: Labels) -> None:
        names = list(outputs) if isinstance(outputs, Mapping) else []
        heads = ", ".join(self.heads)
        if not names:
            raise ComponentError(
                f"the graph of a MultiHead names two or more output_layers; its heads are {heads}"
            )
        problems = [
            Problem(
                f"heads.{name}",
                f"the graph has no such output{did_you_mean(name, names)}; "
                f"its output_layers are {', '.join(names)}",
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
                f"there is no such head{did_you_mean(name, self.heads)}; there are {heads}",
            )
            for name in self.loss_weights
            if name not in self.heads
        ]
        if problems:
            raise ConfigError(problems)

    def _head(
        self, name: str, head: Model, features: Features, output: Tensor, labels: Labels
    ) -> EstimatorSpec:
        path = f"heads.{name}"
        if not isinstance(head, Model):
            message = (
                f"a {type(head).__name__} cannot be a head: a head has one output, "
                "such as that of a Classifier or a Regressor"
            )
            raise ConfigError([Problem(path, message)])
        if misplaced := _misplaced_parameters(head):
            message = f"a head takes no {', '.join(misplaced)}: set it on the MultiHead"
            raise ConfigError([Problem(path, message)])
        try:
            return head.attach(features, output, _labels_of(name, head, labels))
        except ComponentError as error:
            raise ConfigError([Problem(path, str(error))]) from error

    def _joined(
        self, network: Network, specs: Mapping[str, EstimatorSpec], labels: Labels
    ) -> EstimatorSpec:
        losses = {name: keras.metrics.Mean(name=f"{name}/loss") for name in specs}
        metrics: dict[str, Metric] = {}
        for name, spec in specs.items():
            metrics[f"{name}/loss"] = losses[name]
            metrics |= {f"{name}/{key}": metric for key, metric in spec.metrics.items()}

        label_ranges = {
            name if _is_own(name, self.heads[name], labels) else key: limits
            for name, spec in specs.items()
            for key, limits in spec.label_ranges.items()
        }

        def loss_of(
            name: str, features: Features, labels: Labels, outputs: Mapping[str, Tensor]
        ) -> Tensor:
            loss_fn = specs[name].loss_fn
            if loss_fn is None:
                return 0.0
            return loss_fn(features, _labels_of(name, self.heads[name], labels), outputs[name])

        def loss_fn(
            features: Features, labels: Labels, outputs: Mapping[str, Tensor]
        ) -> Mapping[str, Tensor]:
            return {
                name: self.loss_weights.get(name, 1.0) * loss_of(name, features, labels, outputs)
                for name in specs
            }

        def update_metrics(
            features: Features, labels: Labels, outputs: Mapping[str, Tensor]
        ) -> None:
            for name, spec in specs.items():
                own_labels = _labels_of(name, self.heads[name], labels)
                spec.update_metrics(features, own_labels, outputs[name])
                losses[name].update_state(
                    loss_of(name, features, labels, outputs),
                    sample_weight=ops.shape(outputs[name])[0],
                )

        def predict_fn(features: Features, outputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            return {
                f"{name}/{key}": value
                for name, spec in specs.items()
                for key, value in spec.predict_fn(features, outputs[name]).items()
            }

        return EstimatorSpec(
            **self._common(network, metrics),
            label_ranges=label_ranges,
            loss_fn=loss_fn,
            update_metrics=update_metrics,
            predict_fn=predict_fn,
        )


def _labels_of(name: str, head: Model, labels: Labels) -> Labels:
    """Return the label with the head's name, or all if the head names one or there is none."""
    return {LABEL: labels[name]} if _is_own(name, head, labels) else labels


def _is_own(name: str, head: Model, labels: Labels) -> bool:
    """Return whether a head learns the label with its own name."""
    return isinstance(labels, Mapping) and name in labels and getattr(head, "label", None) is None


def _misplaced_parameters(head: Model) -> list[str]:
    defaults = {attribute.name: attribute.default for attribute in attrs.fields(type(head))}
    return [name for name in NOT_FOR_HEADS if getattr(head, name) != defaults[name]]
