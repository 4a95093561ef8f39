"""Autoencoders, variational ones among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

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
    with_older_names,
)
from plx_core.annotations import BridgeLike, LossLike
from plx_core.errors import ComponentError, did_you_mean

FEATURES, LATENT, OUTPUTS, RESULTS = "features", "latent", "outputs", "results"


@with_older_names
@define
class Generator(Trainable):
    """Learns to give back what it is given, through an encoder, a bridge and a decoder.

    The decoder's output has the shape of the target, [batch, …]. Functions instead of graphs take (mode, features): an encoder's
    features are the tensor itself where the data has one feature, and a mapping of names where it has several; a decoder's are what
    the bridge made.

    Its predictions are `results`: where the loss takes logits, their sigmoid. In the mode `encode` they are `latent` (or the outputs of
    an encoder of several, by name). Latents are decoded with `Estimator.decode` and drawn and decoded with `Estimator.generate`.

    Args:
        encoder: from the features to an encoding; or give `encoder_fn`.
        decoder: from what the bridge made, called `latent` or as its `input_layers` say, to the output; or give `decoder_fn`.
        encoder_fn: a function of (mode, features).
        decoder_fn: a function of (mode, features).
        bridge: what joins the two.
        bridge_fn: polyaxon-lib's form of the same, a function of (mode, features, labels, loss, encoder_fn, decoder_fn).
        loss: what is minimised, of the target and the output.
        target: the feature or label that is to be given back; the encoder's input when left out.
        reconstruction: whether the loss of an example is the sum over its numbers, as a bridge's divergence is, or their mean; the sum
            with a bridge that adds to the loss, and else the mean, when left out.
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
        self, features: Any, labels: Any = None, params: Any = None, config: Any = None
    ) -> EstimatorSpec:
        """The specification of this model on symbolic features and labels; see `Trainable`."""
        tensors = dict(features) if isinstance(features, Mapping) else {FEATURES: features}
        joined = self._join(tensors, labels)
        target = self._target(tensors, labels)
        _check_shapes(joined.results, target, {**_by_name(labels), **tensors}[target])
        latents = joined.latent if isinstance(joined.latent, Mapping) else {LATENT: joined.latent}
        outputs = {OUTPUTS: joined.results, **latents, **joined.losses}
        network = keras.Model(features, outputs, name=self.name)
        return self._spec(network, joined, target, tuple(latents))

    def _join(self, features: Mapping[str, Any], labels: Any) -> BridgeSpec:
        given = {
            "mode": self.mode,
            "features": next(iter(features.values())) if len(features) == 1 else features,
            "labels": labels,
            "loss": self.loss,
            "encoder_fn": self._part("encoder", lambda _, graph: features),
            "decoder_fn": self._part("decoder", _decoder_input),
        }
        if self.bridge_fn is None:
            bridge = make("bridges", self.bridge, mode=self.mode)
            return _bridged(
                bridge(**{name: value for name, value in given.items() if name != "mode"}),
                self.bridge,
            )
        return _bridged(self.bridge_fn(**given), self.bridge_fn)

    def _part(self, name: str, inputs: Callable[[Any, Graph], Any]) -> Callable[..., Any]:
        """The encoder's or decoder's function; a graph's layers are named after it, and it reads `inputs` by name."""
        graph, function = getattr(self, name), getattr(self, f"{name}_fn")
        if (graph is None) == (function is None):
            given = "both" if graph is not None else "neither"
            raise ComponentError(
                f"a Generator takes {'an' if name == 'encoder' else 'a'} {name} or {name}_fn, and got {given}"
            )
        if graph is None and not isinstance(as_graph_fn(function), Graph):
            return as_graph_fn(function)
        part = cast("Graph", as_graph_fn(graph if graph is not None else function))
        return lambda mode, features: part.connect(
            part.make_layers(mode, name), inputs(features, part)
        )

    def _target(self, features: Mapping[str, Any], labels: Any) -> str:
        if self.target is not None:
            known = {**_by_name(labels), **features}
            if self.target not in known:
                near = did_you_mean(self.target, known)
                raise ComponentError(
                    f"target: there is no feature or label called {self.target}{near}; there are {', '.join(known)}"
                )
            return self.target
        candidates: list[str] = list(
            getattr(as_graph_fn(self.encoder or self.encoder_fn), "input_layers", ()) or features
        )
        if len(candidates) != 1 or candidates[0] not in features:
            raise ComponentError(
                f"the encoder reads {', '.join(candidates)}; say with `target` which of {', '.join(features)} is given back"
            )
        return candidates[0]

    def _spec(
        self, network: keras.Model, joined: BridgeSpec, target: str, latents: tuple[str, ...]
    ) -> EstimatorSpec:
        is_sum = self.reconstruction == "sum" if self.reconstruction else bool(joined.losses)
        task = Reconstruction(make("losses", self.loss), target, is_sum)
        metrics = self._metrics()
        parts = {
            name: keras.metrics.Mean(name=name)
            for name in ("reconstruction", *joined.losses)
            if joined.losses
        }
        decoder = (
            None
            if isinstance(joined.code, Mapping)
            else keras.Model(joined.code, joined.results, name="decoder")
        )

        def loss_fn(features: Any, labels: Any, outputs: Any) -> Mapping[str, Any]:
            return {"reconstruction": task.loss(features, labels, outputs)} | {
                name: ops.mean(outputs[name]) for name in joined.losses
            }

        def update_metrics(features: Any, labels: Any, outputs: Any) -> None:
            wanted, results = task.wanted(features, labels, outputs), task.shown(outputs[OUTPUTS])
            for metric in metrics.values():
                metric.update_state(wanted, results)
            for name, value in loss_fn(features, labels, outputs).items() if parts else ():
                parts[name].update_state(value, sample_weight=ops.shape(results)[0])

        def predict_fn(features: Any, outputs: Any) -> Mapping[str, Any]:
            is_encoding = self.mode == Modes.ENCODE
            return (
                {name: outputs[name] for name in latents}
                if is_encoding
                else {RESULTS: task.shown(outputs[OUTPUTS])}
            )

        return EstimatorSpec(
            **self._common(network, metrics | parts),
            loss_fn=loss_fn,
            update_metrics=update_metrics,
            predict_fn=predict_fn,
            decode_fn=None
            if decoder is None
            else lambda codes: {RESULTS: task.shown(decoder(codes, training=False))},
            sample_fn=joined.sample_fn,
        )


@frozen
class Reconstruction:
    """What is to be given back, and how far an output is from it.

    Args:
        loss_of: a Keras loss of the target and the output.
        target: the feature or label that is to be given back.
        is_sum: whether the loss of an example is the sum over its numbers, not their mean.
    """

    loss_of: Any
    target: str
    is_sum: bool

    def wanted(self, features: Any, labels: Any, outputs: Any) -> Any:
        """The target, in the dtype of the output."""
        tensors = {
            **_by_name(labels),
            **(features if isinstance(features, Mapping) else {FEATURES: features}),
        }
        return ops.cast(tensors[self.target], outputs[OUTPUTS].dtype)

    def loss(self, features: Any, labels: Any, outputs: Any) -> Any:
        """The mean over the examples of a batch, a scalar."""
        output = outputs[OUTPUTS]
        mean = self.loss_of(self.wanted(features, labels, outputs), output)
        return (
            mean * ops.cast(ops.size(output) // ops.shape(output)[0], mean.dtype)
            if self.is_sum
            else mean
        )

    def shown(self, outputs: Any) -> Any:
        """The output, or its sigmoid where the loss takes logits."""
        return ops.sigmoid(outputs) if getattr(self.loss_of, "from_logits", False) else outputs


def _by_name(labels: Any) -> Mapping[str, Any]:
    return labels if isinstance(labels, Mapping) else {} if labels is None else {"label": labels}


def _decoder_input(code: Any, graph: Graph) -> Mapping[str, Any]:
    """What a decoder reads, by name: a single input is called what the decoder calls it."""
    name = graph.input_layers[0] if len(graph.input_layers) == 1 else LATENT
    return code if isinstance(code, Mapping) else {name: code}


def _bridged(value: Any, bridge: Any) -> BridgeSpec:
    if not isinstance(value, BridgeSpec):
        raise ComponentError(
            f"a bridge returns a BridgeSpec, as LatentBridge does when it is called; {bridge} returned {value!r}"
        )
    return value


def _check_shapes(results: Any, name: str, target: Any) -> None:
    if isinstance(results, Mapping):
        raise ComponentError(
            f"a Generator's decoder has one output, this one has {', '.join(results)}"
        )
    shapes = tuple(results.shape)[1:], tuple(target.shape)[1:]
    if len(shapes[0]) != len(shapes[1]) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(*shapes, strict=True)
    ):
        hint = (
            f"; end the decoder with Reshape: {{target_shape: {list(shapes[1])}}}"
            if None not in shapes[1]
            else ""
        )
        raise ComponentError(
            f"the decoder gives {tuple(results.shape)}, and the target {name} has shape {tuple(target.shape)}{hint}"
        )
