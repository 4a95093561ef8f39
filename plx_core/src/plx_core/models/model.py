"""A model joins a graph to what it is trained with; calling it gives a specification that an estimator can run."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from plx_core.annotations import GraphFn, MetricLike, OptimizerLike, PositiveFloat
from plx_core.components.component import make, parameter_names
from plx_core.errors import ComponentError, did_you_mean
from plx_core.models.spec import DEFAULT_SUMMARIES, SUMMARIES, EstimatorSpec, Summary
from plx_core.networks.graph import Graph, as_graph_fn, call_graph_fn
from plx_core.networks.variable_names import snake_case
from plx_core.state import Modes

if TYPE_CHECKING:
    import keras


def _summaries(value: Any) -> frozenset[str]:
    words = [value] if isinstance(value, str) else list(value or ())
    for word in words:
        if word not in ("all", *SUMMARIES):
            raise ComponentError(
                f"there is no summary called {word}{did_you_mean(word, SUMMARIES)}; there are all, {', '.join(SUMMARIES)}"
            )
    return frozenset(SUMMARIES if "all" in words else words)


@define
class Trainable:
    """What every model is trained with; called with features and labels, it makes a specification.

    Args:
        mode: one of `Modes`.
        optimizer: updates the weights.
        metrics: what is measured besides the loss, in training and in evaluation.
        summaries: what is written to TensorBoard.
        clip_gradients: the largest global norm of the gradients, over all of them together.
        clip_embed_gradients: the largest norm of each embedding's gradient.
        name: the network's name.
    """

    mode: str = Modes.TRAIN
    optimizer: OptimizerLike = field(default="Adam", kw_only=True)
    metrics: list[MetricLike] = field(factory=list, kw_only=True)
    summaries: Summary | list[Summary] = field(
        default=DEFAULT_SUMMARIES, kw_only=True, converter=_summaries
    )
    clip_gradients: PositiveFloat | None = field(default=None, kw_only=True)
    clip_embed_gradients: PositiveFloat | None = field(default=None, kw_only=True)
    name: str = field(default="model", kw_only=True)

    def __call__(
        self, features: Any, labels: Any = None, params: Any = None, config: Any = None
    ) -> EstimatorSpec:
        """The specification of this model on symbolic features and labels.

        Args:
            features: a Keras input, or a mapping of names to them.
            labels: the `tf.TensorSpec`s of the labels; for an agent's model, the space of actions.
            params: as a `model_fn` receives it; unused by the models of plx.
            config: as a `model_fn` receives it; unused by the models of plx.
        """
        raise NotImplementedError(f"{type(self).__name__} has to define __call__")

    def _metrics(self) -> dict[str, Any]:
        return _named([make("metrics", metric) for metric in self.metrics])

    def _common(self, network: keras.Model, metrics: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a specification that every model fills in alike."""
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
    """What a model's name in a config makes, where the model has one graph: call it with features and labels.

    Args:
        graph: the network as data; or give `graph_fn`.
        graph_fn: a function of (mode, features) that returns the network's outputs.
    """

    graph: Graph | None = field(default=None, kw_only=True)
    graph_fn: GraphFn | None = field(default=None, kw_only=True)

    def __call__(
        self, features: Any, labels: Any = None, params: Any = None, config: Any = None
    ) -> EstimatorSpec:
        """The specification of this model on symbolic features and labels; see `Trainable`."""
        return self.attach(
            features, call_graph_fn(self._graph_fn(), self.mode, features, labels), labels
        )

    def attach(self, features: Any, outputs: Any, labels: Any = None) -> EstimatorSpec:
        """The specification of this model on the outputs of a graph, which need not be its own."""
        import keras

        self._check(outputs, labels)
        return self._spec(keras.Model(features, outputs, name=self.name), self._metrics())

    def _graph_fn(self) -> Callable[..., Any]:
        if (self.graph is None) == (self.graph_fn is None):
            given = "both" if self.graph is not None else "neither"
            raise ComponentError(
                f"{type(self).__name__} takes a graph or a graph_fn, and got {given}"
            )
        return as_graph_fn(self.graph if self.graph is not None else self.graph_fn)

    def _spec(self, network: keras.Model, metrics: Mapping[str, Any]) -> EstimatorSpec:
        """The specification around a network; to be overridden, unless `__call__` is."""
        raise NotImplementedError(f"{type(self).__name__} has to define _spec or __call__")

    def _check(self, outputs: Any, labels: Any) -> None:
        """Refuse outputs that do not fit the labels, with both shapes and both names."""


OLDER_NAMES = {"eval_metrics_config": "metrics"}
"""What the parameters of polyaxon-lib's models are called now; besides these, `loss_config` is `loss`, and so on."""


def with_older_names(cls: type) -> type:
    """Let a model's class take its parameters by the names that polyaxon-lib had for them too, such as `optimizer_config`."""
    init = cls.__init__  # type: ignore[misc]
    names = parameter_names(cls)

    @functools.wraps(init)
    def renaming(self: Any, *args: Any, **params: Any) -> None:
        renamed = {
            name: OLDER_NAMES.get(name, name.removesuffix("_config"))
            for name in params
            if name not in names
        }
        init(self, *args, **{renamed.get(name, name): value for name, value in params.items()})

    cls.__init__ = renaming  # type: ignore[misc]
    return cls


def _named(metrics: list[Any]) -> dict[str, Any]:
    """Metrics by names that do not depend on what else the process has built: Keras numbers those that it names itself."""
    named: dict[str, Any] = {}
    for metric in metrics:
        own = snake_case(type(metric).__name__)
        stem = own if re.fullmatch(rf"{re.escape(own)}_\d+", metric.name) else metric.name
        name, count = stem, 1
        while name in named:
            name, count = f"{stem}_{count}", count + 1
        named[name] = metric
    return named
