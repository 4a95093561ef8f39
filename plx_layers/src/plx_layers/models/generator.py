"""Autoencoders, including variational ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, cast

import keras
from attrs import define, field, frozen
from keras import ops

from plx_core import (
    BridgeSpec,
    EstimatorSpec,
    Graph,
    GraphFn,
    Modes,
    Trainable,
    as_graph_fn,
    make,
    metric_input,
    with_older_names,
)
from plx_core.annotations import BridgeLike, LossLike
from plx_core.errors import ComponentError, did_you_mean
from plx_core.types import Features, Labels, Metric, Nested, Network, Tensor
from plx_layers.losses import declared
from plx_layers.models.labels import shapes_agree
from plx_layers.models.metric_inputs import takes_logits

FEATURES, LATENT, OUTPUTS, RESULTS = "features", "latent", "outputs", "results"


@with_older_names
@define
class Generator(Trainable):
    """Reconstruct the input through an encoder, a bridge and a decoder.

    The decoder's output has the shape of the target, [batch, …]. Functions in place of graphs take
    (mode, features). An encoder's features are the tensor itself if the data has one feature, and a
    mapping of names if it has several; a decoder's features are the output of the bridge.

    Its predictions are `results`: their sigmoid if the loss takes logits. In the mode `encode` they
    are `latent`, or the outputs by name of an encoder that has several. `Estimator.decode` decodes
    latents, and `Estimator.generate` draws and decodes them. A metric gets the target and the
    `results`, or the output before the sigmoid if it declares `takes = "logits"`.

    Args:
        encoder: from the features to an encoding; or give `encoder_fn`.
        decoder: from the output of the bridge to the decoder's output; or give `decoder_fn`. Its
            input is called `latent`, or as its `input_layers` say.
        encoder_fn: a function of (mode, features).
        decoder_fn: a function of (mode, features).
        bridge: the bridge from the encoder to the decoder.
        bridge_fn: polyaxon-lib's form of a bridge, a function of
            (mode, features, labels, loss, encoder_fn, decoder_fn).
        loss: the loss to minimise, of the target and the output.
        target: the feature or label to reconstruct; the encoder's input when omitted.
        reconstruction: how the loss of an example combines its elements. When omitted, it is the
            sum with a bridge that adds to the loss, as its divergence is a sum too, and the mean
            otherwise.
    """

    encoder: Graph | None = field(default=None, kw_only=True)
    decoder: Graph | None = field(default=None, kw_only=True)
    encoder_fn: GraphFn | None = field(default=None, kw_only=True)
    decoder_fn: GraphFn | None = field(default=None, kw_only=True)
    bridge: BridgeLike = field(default="NoOpBridge", kw_only=True)
    bridge_fn: GraphFn | None = field(default=None, kw_only=True)
    loss: LossLike = field(default="MeanSquaredError", kw_only=True)
    target: str | None = field(default=None, kw_only=True)
    reconstruction: Literal["sum", "mean"] | None = field(default=None, kw_only=True)

    def __call__(
        self,
        features: Nested,
        labels: Labels = None,
        params: object = None,
        config: object = None,
    ) -> EstimatorSpec:
        """Build the specification of this model on symbolic features and labels."""
        tensors = dict(features) if isinstance(features, Mapping) else {FEATURES: features}
        joined = self._join(tensors, labels)
        target = self._target(tensors, labels)
        _check_shapes(joined.results, target, {**_by_name(labels), **tensors}[target])
        latents = joined.latent if isinstance(joined.latent, Mapping) else {LATENT: joined.latent}
        outputs = {OUTPUTS: joined.results, **latents, **joined.losses}
        network = keras.Model(tensors, outputs, name=self.name)
        return self._spec(network, joined, target, tuple(latents))

    def _join(self, features: Features, labels: Labels) -> BridgeSpec:
        arguments = {
            "features": next(iter(features.values())) if len(features) == 1 else features,
            "labels": labels,
            "loss": self.loss,
            "encoder_fn": self._part("encoder", lambda _, graph: features),
            "decoder_fn": self._part("decoder", _decoder_input),
        }
        if self.bridge_fn is not None:
            return _require_bridge_spec(self.bridge_fn(mode=self.mode, **arguments), self.bridge_fn)
        bridge = make("bridges", self.bridge, mode=self.mode)
        return _require_bridge_spec(bridge(**arguments), self.bridge)

    def _part(
        self, name: str, inputs: Callable[[Nested, Graph], Features]
    ) -> Callable[[str, Nested], Nested]:
        """Return the function of the encoder or decoder.

        If it is a graph, it reads `inputs`, and its layers are named after the part.
        """
        graph = getattr(self, name)
        function = getattr(self, f"{name}_fn")
        if (graph is None) == (function is None):
            article = "an" if name == "encoder" else "a"
            got = "neither" if graph is None else "both"
            raise ComponentError(f"a Generator takes {article} {name} or {name}_fn, and got {got}")
        graph_fn = as_graph_fn(function if graph is None else graph)
        if graph is None and not isinstance(graph_fn, Graph):
            return graph_fn
        part = cast("Graph", graph_fn)
        return lambda mode, features: part.connect(
            part.make_layers(mode, name), inputs(features, part)
        )

    def _target(self, features: Features, labels: Labels) -> str:
        if self.target is not None:
            available = {**_by_name(labels), **features}
            if self.target not in available:
                near = did_you_mean(self.target, available)
                raise ComponentError(
                    f"target: there is no feature or label called {self.target}{near}; "
                    f"there are {', '.join(available)}"
                )
            return self.target
        encoder = as_graph_fn(self.encoder or self.encoder_fn)
        inputs: list[str] = list(getattr(encoder, "input_layers", ()) or features)
        if len(inputs) != 1 or inputs[0] not in features:
            raise ComponentError(
                f"the encoder reads {', '.join(inputs)}; set `target` to the feature to "
                f"reconstruct, one of {', '.join(features)}"
            )
        return inputs[0]

    def _spec(
        self, network: Network, joined: BridgeSpec, target: str, latents: tuple[str, ...]
    ) -> EstimatorSpec:
        is_sum = self.reconstruction == "sum" if self.reconstruction else bool(joined.losses)
        task = Reconstruction(make("losses", self.loss), target, is_sum)
        metrics = self._metrics()
        task.check_metrics(metrics)
        parts = {}
        if joined.losses:
            names = ("reconstruction", *joined.losses)
            parts = {name: keras.metrics.Mean(name=name) for name in names}

        def loss_fn(
            features: Nested, labels: Labels, outputs: Mapping[str, Tensor]
        ) -> Mapping[str, Tensor]:
            return {"reconstruction": task.loss(features, labels, outputs)} | {
                name: ops.mean(outputs[name]) for name in joined.losses
            }

        def update_metrics(features: Nested, labels: Labels, outputs: Mapping[str, Tensor]) -> None:
            expected = task.target_of(features, labels, outputs)
            for metric in metrics.values():
                output = outputs[OUTPUTS]
                results = output if takes_logits(metric) else task.results(output)
                metric.update_state(expected, results)
            if parts:
                for name, value in loss_fn(features, labels, outputs).items():
                    parts[name].update_state(value, sample_weight=ops.shape(expected)[0])

        def predict_fn(features: Nested, outputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            if self.mode == Modes.ENCODE:
                return {name: outputs[name] for name in latents}
            return {RESULTS: task.results(outputs[OUTPUTS])}

        return EstimatorSpec(
            **self._common(network, metrics | parts),
            loss_fn=loss_fn,
            update_metrics=update_metrics,
            predict_fn=predict_fn,
            decode_fn=_decode_fn(joined, task),
            sample_fn=joined.sample_fn,
        )


@frozen
class Reconstruction:
    """The target of a generator, and the loss of its output.

    Args:
        loss_of: a Keras loss of the target and the output.
        name: the feature or label to reconstruct.
        is_sum: the loss of an example is the sum over its elements, not their mean.
    """

    loss_of: keras.losses.Loss
    name: str
    is_sum: bool

    def target_of(self, features: Nested, labels: Labels, outputs: Mapping[str, Tensor]) -> Tensor:
        """Return the target, in the dtype of the output."""
        by_name = features if isinstance(features, Mapping) else {FEATURES: features}
        target = {**_by_name(labels), **by_name}[self.name]
        return ops.cast(target, outputs[OUTPUTS].dtype)

    def loss(self, features: Nested, labels: Labels, outputs: Mapping[str, Tensor]) -> Tensor:
        """Return the mean loss of the examples of a batch, a scalar."""
        output = outputs[OUTPUTS]
        mean = self.loss_of(self.target_of(features, labels, outputs), output)
        if not self.is_sum:
            return mean
        return mean * ops.cast(ops.size(output) // ops.shape(output)[0], mean.dtype)

    def check_metrics(self, metrics: Mapping[str, Metric]) -> None:
        """Raise an error if a metric takes classes, or logits and the output is none."""
        for name, metric in metrics.items():
            takes = "logits" if takes_logits(metric) else metric_input(metric)
            has_logits = bool(declared.takes_logits(self.loss_of))
            if takes == "classes" or (takes == "logits" and not has_logits):
                raise ComponentError(
                    f"the metric {name} takes {takes}, and this Generator has none"
                )

    def results(self, outputs: Tensor) -> Tensor:
        """Return the output, or its sigmoid if the loss takes logits."""
        return ops.sigmoid(outputs) if declared.takes_logits(self.loss_of) else outputs


def _decode_fn(
    joined: BridgeSpec, task: Reconstruction
) -> Callable[[Tensor], Mapping[str, Tensor]] | None:
    """Return the function from latents to results; None if the decoder has several inputs."""
    if isinstance(joined.code, Mapping):
        return None
    decoder = keras.Model(joined.code, joined.results, name="decoder")
    return lambda codes: {RESULTS: task.results(decoder(codes, training=False))}


def _by_name(labels: Labels) -> Mapping[str, Tensor]:
    if isinstance(labels, Mapping):
        return labels
    return {} if labels is None else {"label": labels}


def _decoder_input(code: Nested, graph: Graph) -> Features:
    """Return the decoder's inputs by name; a single one by the decoder's name for it."""
    name = graph.input_layers[0] if len(graph.input_layers) == 1 else LATENT
    return code if isinstance(code, Mapping) else {name: code}


def _require_bridge_spec(value: object, bridge: object) -> BridgeSpec:
    if not isinstance(value, BridgeSpec):
        raise ComponentError(
            "a bridge returns a BridgeSpec, as a call of LatentBridge does; "
            f"{bridge} returned {value!r}"
        )
    return value


def _check_shapes(results: Nested, name: str, target: Tensor) -> None:
    if isinstance(results, Mapping):
        raise ComponentError(
            f"a Generator's decoder has one output, this one has {', '.join(results)}"
        )
    actual = tuple(results.shape)
    expected = tuple(target.shape)
    if len(actual) == len(expected) and shapes_agree(actual[1:], expected[1:]):
        return
    hint = ""
    if None not in expected[1:]:
        hint = f"; end the decoder with Reshape: {{target_shape: {list(expected[1:])}}}"
    raise ComponentError(
        f"the decoder's output has shape {actual}, and the target {name} has shape {expected}{hint}"
    )
