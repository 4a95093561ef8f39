"""The base class of models: call one with features and labels to get its specification."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from plx_core.annotations import GraphFn, MetricLike, OptimizerLike, PositiveFloat
from plx_core.components.component import make, parameter_names
from plx_core.errors import ComponentError
from plx_core.models.metrics import by_name, require_labels_and_outputs
from plx_core.models.spec import DEFAULT_SUMMARIES, EstimatorSpec, Summary
from plx_core.networks.graph import Graph, as_graph_fn, call_graph_fn, named_features
from plx_core.state import Modes
from plx_core.types import Features, Labels, Metric, Nested

if TYPE_CHECKING:
    import keras

    from plx_core.config.sections import RunConfig


@define
class Trainable:
    """The base of every model; call it with features and labels to get a specification.

    Args:
        mode: one of `Modes`.
        optimizer: updates the weights.
        metrics: metrics of training and evaluation, besides the loss.
        summaries: what to write to TensorBoard.
        clip_gradients: the largest global norm of the gradients.
        clip_embed_gradients: the largest norm of the gradient of each embedding.
        name: the name of the network.
    """

    mode: str = Modes.TRAIN
    optimizer: OptimizerLike = field(default="Adam", kw_only=True)
    metrics: list[MetricLike] = field(factory=list, kw_only=True)
    summaries: Summary | list[Summary] = field(default=DEFAULT_SUMMARIES, kw_only=True)
    clip_gradients: PositiveFloat | None = field(default=None, kw_only=True)
    clip_embed_gradients: PositiveFloat | None = field(default=None, kw_only=True)
    name: str = field(default="model", kw_only=True)

    def __call__(
        self,
        features: Nested,
        labels: Labels = None,
        params: Mapping[str, Any] | None = None,
        config: RunConfig | None = None,
    ) -> EstimatorSpec:
        """Return the specification of this model.

        Args:
            features: a Keras input, or a mapping of names to Keras inputs.
            labels: the `tf.TensorSpec`s of the labels; the action space for an agent's model.
            params: an argument of every `model_fn`; unused by the models of plx.
            config: an argument of every `model_fn`; unused by the models of plx.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define __call__")

    def _metrics(self) -> dict[str, Metric]:
        metrics = [make("metrics", metric) for metric in self.metrics]
        for metric in metrics:
            require_labels_and_outputs(metric)
        return by_name(metrics)

    def _common(self, network: keras.Model, metrics: Mapping[str, Metric]) -> dict[str, Any]:
        """Return the fields of the specification that are the same for every model."""
        return {
            "mode": self.mode,
            "network": network,
            "optimizer": make("optimizers", self.optimizer) if self.mode == Modes.TRAIN else None,
            "metrics": metrics,
            "clip_gradients": self.clip_gradients,
            "clip_embed_gradients": self.clip_embed_gradients,
            "summaries": self.summaries,
        }


@define
class Model(Trainable):
    """The base of models with one graph.

    Args:
        graph: the network as data; or pass `graph_fn`.
        graph_fn: a function of (mode, features) that returns the outputs of the network.
    """

    graph: Graph | None = field(default=None, kw_only=True)
    graph_fn: GraphFn | None = None

    def __call__(
        self,
        features: Nested,
        labels: Labels = None,
        params: Mapping[str, Any] | None = None,
        config: RunConfig | None = None,
    ) -> EstimatorSpec:
        """Return the specification of this model; see `Trainable`."""
        outputs = call_graph_fn(self._graph_fn(), self.mode, features, labels)
        return self.attach(named_features(features), outputs, labels)

    def attach(self, features: Features, outputs: Nested, labels: Labels = None) -> EstimatorSpec:
        """Return the specification of this model for the outputs of any graph."""
        import keras

        self._check(outputs, labels)
        return self._spec(keras.Model(features, outputs, name=self.name), self._metrics())

    def _graph_fn(self) -> GraphFn:
        if self.graph is None and self.graph_fn is None:
            problem = "neither"
        elif self.graph is not None and self.graph_fn is not None:
            problem = "both"
        else:
            return as_graph_fn(self.graph_fn if self.graph is None else self.graph)
        raise ComponentError(
            f"{type(self).__name__} takes a graph or a graph_fn, and got {problem}"
        )

    def _spec(self, network: keras.Model, metrics: Mapping[str, Metric]) -> EstimatorSpec:
        """Return the specification for a network. Subclasses define this or `__call__`."""
        raise NotImplementedError(f"{type(self).__name__} has to define _spec or __call__")

    def _check(self, outputs: Nested, labels: Labels) -> None:
        """Raise a `ComponentError` if the outputs do not fit the labels."""


OLDER_NAMES = {"eval_metrics_config": "metrics"}
"""Current names of polyaxon-lib's parameters, where the older name is not NAME_config for NAME."""


def with_older_names(cls: type) -> type:
    """Let a model also take its parameters under polyaxon-lib's names, such as `loss_config`."""
    init = cls.__init__  # type: ignore[misc]
    names = parameter_names(cls)

    @functools.wraps(init)
    def renaming(self: object, *args: object, **params: object) -> None:
        current = {
            name if name in names else OLDER_NAMES.get(name, name.removesuffix("_config")): value
            for name, value in params.items()
        }
        init(self, *args, **current)

    cls.__init__ = renaming  # type: ignore[misc]
    return cls
