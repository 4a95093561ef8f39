"""Build a Keras network from a list of layers, as a config has it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, cast

from attrs import evolve, field, frozen

from plx_core import types
from plx_core.annotations import GraphFn, Layer, Of
from plx_core.components.component import Component, explaining, parameter_names
from plx_core.components.graph_keys import INBOUND
from plx_core.errors import ComponentError, ConfigError, Problem, did_you_mean
from plx_core.networks.fitted_layers import require_fitted
from plx_core.networks.layer_trials import active_trial
from plx_core.plugins.registry import snake_case
from plx_core.types import Features, Labels, Nested, Tensor

if TYPE_CHECKING:
    import keras

LayerData: TypeAlias = Annotated[Component, Of("layers")]
"""A layer that is built later, because a graph may be built in several modes."""

_T = TypeVar("_T")

FEATURES = "features"
"""The name of the feature of data that does not name its features."""
FILLED_IN = ("training", "mask")
"""The arguments of `Layer.call` that Keras fills in itself."""


def _names(value: str | Sequence[str | Sequence[Any]] | None) -> list[str]:
    """Return names of layers, each of which may also be `[name, 0, 0]`, as Keras writes it."""
    names = [value] if isinstance(value, str) else list(value or ())
    for name in names:
        if not isinstance(name, str) and list(name[1:]) != [0, 0]:
            raise ComponentError(
                f"expected the name of a layer, or [name, 0, 0] for its only output; got {name!r}"
            )
    return [name if isinstance(name, str) else name[0] for name in names]


def _layers(value: Sequence[object]) -> list[object]:
    return [
        Component.of("layers", item) if isinstance(item, (str, Mapping)) else item for item in value
    ]


@frozen
class Graph:
    """A network as data.

    Each layer reads the one before it, or the layers and features that its `inbound_nodes` name.
    The first layer reads `input_layers`. A graph is a `graph_fn`: called with a mode and the
    features, it returns the outputs.

    Args:
        layers: layers by name, `{Name: {...}}` mappings, or Keras layers.
        input_layers: the features that the first layer reads; all of them if empty.
        output_layers: the layers whose outputs are returned, as a mapping if there are several; the
            last layer if empty.
    """

    layers: list[Layer] = field(converter=_layers)
    input_layers: list[str] | str = field(factory=list, converter=_names)
    output_layers: list[str] | str = field(factory=list, converter=_names)

    def __call__(self, mode: str, features: Nested) -> Nested:
        """Return the outputs for symbolic or real features.

        Returns:
            A tensor, or a mapping of tensors if there are several `output_layers`.
        """
        return self.connect(self.make_layers(mode), features)

    def make_layers(self, mode: str, prefix: str = "") -> list[PlacedLayer]:
        """Build the layers without connecting them; connecting them twice shares their weights.

        Args:
            mode: one of `Modes`.
            prefix: is put before the names of layers and variables, but not before the names that
                the layers have within the graph.
        """
        counts: dict[str, int] = {}
        return [_place(item, mode, counts, prefix) for item in self.layers]

    def connect(self, layers: Sequence[PlacedLayer], features: Nested) -> Nested:
        """Return the outputs of layers that `make_layers` built."""
        tensors = named_features(features)
        inputs = self.input_layers or list(tensors)
        current = _one_or_list([_look_up(tensors, name, "input_layers") for name in inputs])
        earlier: dict[str, types.Layer] = {}
        for index, placed in enumerate(layers):
            path = f"layers[{index}].{getattr(placed.item, 'name', placed.item)}"
            layer = placed.layer
            if isinstance(layer, Shared):
                layer = _look_up(earlier, layer.layer, f"{path}.layer", "earlier layer")
            if placed.inbound:
                sources = [_look_up(tensors, name, f"{path}.{INBOUND}") for name in placed.inbound]
                current = _one_or_list(sources)
            trial = active_trial()
            if trial is not None and placed.again is not None:
                layer = trial.prepare(layer, _arguments(layer, current), placed.again)
            current = _call(layer, current, placed.item)
            if placed.name in tensors:
                raise _error(
                    placed.item,
                    f"there is more than one layer or feature called {placed.name}; names in a "
                    "graph are unique",
                )
            tensors[placed.name] = current
            earlier[placed.name] = layer
        outputs = {name: _look_up(tensors, name, "output_layers") for name in self.output_layers}
        if len(outputs) > 1:
            return outputs
        return next(iter(outputs.values())) if outputs else current


@frozen
class PlacedLayer:
    """A layer in its place in a graph.

    Args:
        item: the component, or the Keras layer itself.
        layer: the layer.
        name: its name in the graph.
        inbound: the names of its inputs; empty if it reads the layer before it.
        again: builds the same layer again; None for a layer that was passed in Python.
    """

    item: Component | types.Layer
    layer: types.Layer
    name: str
    inbound: list[str]
    again: Callable[[], types.Layer] | None = None


class SubGraph:
    """A graph as one layer of another graph; a `Shared` layer can reuse it with the same weights.

    Takes the tensors that its `inbound_nodes` name, each of any shape, and returns the output of
    its last layer.

    Args:
        layers: its layers; each reads the one before it, or those that its `inbound_nodes` name.
        input_layers: names within the graph for the tensors that it takes, in order; the first
            layer reads all of them if left out.
        output_layers: the layer whose output is returned; the last one if left out.
        mode: one of `Modes`.
        name: its name, and the prefix of the names of its variables.
    """

    def __init__(
        self,
        layers: list[LayerData],
        input_layers: list[str] | str | None = None,
        output_layers: str | None = None,
        mode: str = "train",
        name: str = "sub_graph",
    ) -> None:
        self.name = name
        self._graph = Graph(layers, input_layers or [], output_layers or [])
        self._mode = mode
        self._layers: list[PlacedLayer] | None = None

    def __call__(self, inputs: Tensor | list[Tensor]) -> Nested:
        """Return the output. The first call builds the layers and later calls reuse them."""
        tensors = _as_list(inputs)
        names = self._graph.input_layers or [f"input_{index}" for index in range(len(tensors))]
        if len(names) != len(tensors):
            raise ComponentError(
                f"{self.name} takes {', '.join(names)}, and was given {len(tensors)} tensors"
            )
        if self._layers is None:
            self._layers = self._graph.make_layers(self._mode, self.name)
        return self._graph.connect(self._layers, dict(zip(names, tensors, strict=True)))


class Shared:
    """An earlier layer of the same graph again, with the same weights and the same output shape.

    Args:
        layer: the name of the earlier layer, which may be a `SubGraph`.
        name: the name of this use of it.
    """

    def __init__(self, layer: str, name: str = "shared") -> None:
        self.layer = layer
        self.name = name


GraphLike = Graph | Callable[..., Any] | Mapping[str, Any] | Sequence[Any]


def as_graph_fn(graph: GraphLike | None) -> GraphFn:
    """Convert a graph, a mapping, a list of layers or a function to a `graph_fn`.

    Raises:
        ComponentError: the value is none of these.
    """
    if isinstance(graph, Mapping):
        return Graph(**graph)
    if isinstance(graph, Sequence) and not isinstance(graph, str):
        return Graph(layers=graph)
    if not callable(graph):
        raise ComponentError(
            "expected a graph (a mapping with `layers`) or a function of (mode, features), got "
            f"{graph!r}"
        )
    return cast("GraphFn", graph)


def call_graph_fn(graph_fn: GraphFn, mode: str, features: Nested, labels: Labels = None) -> Nested:
    """Call a `graph_fn` that takes (mode, features), (mode, inputs) or (mode, features, labels).

    Raises:
        ComponentError: the function takes none of these.
    """
    if isinstance(graph_fn, Graph):
        return graph_fn(mode, features)
    names = parameter_names(graph_fn)
    feature_name = next((name for name in ("features", "inputs", "x") if name in names), None)
    if feature_name is None:
        raise ComponentError(
            "a graph_fn takes (mode, features) and, if it needs them, labels; this one takes "
            f"{sorted(names)}"
        )
    supplied = {"mode": mode, feature_name: features, "labels": labels}
    return graph_fn(**{name: value for name, value in supplied.items() if name in names})


def build_network(
    graph_fn: GraphFn, features: Features, mode: str, name: str = "network"
) -> keras.Model:
    """Build the Keras network of a graph.

    Args:
        graph_fn: a `Graph`, or a function of (mode, features).
        features: `tf.TensorSpec`s by name, each with a batch axis.
        mode: one of `Modes`.
        name: the name of the network.

    Returns:
        A functional model that takes a mapping of features and returns the outputs of the graph.
    """
    import keras

    inputs = symbolic_inputs(features)
    outputs = call_graph_fn(graph_fn, mode, inputs)
    return keras.Model(inputs, outputs, name=name)


def symbolic_inputs(features: Nested) -> Nested:
    """Return Keras inputs for `tf.TensorSpec`s by name, or one called `features` for only one."""
    import keras

    if not isinstance(features, Mapping):
        return symbolic_inputs({FEATURES: features})[FEATURES]
    return {
        key: keras.Input(
            shape=tuple(spec.shape)[1:], batch_size=spec.shape[0], dtype=spec.dtype.name, name=key
        )
        for key, spec in features.items()
    }


def named_features(features: Nested) -> dict[str, Tensor]:
    """Return features as a mapping; a tensor alone is called `features`."""
    return dict(features) if isinstance(features, Mapping) else {FEATURES: features}


def _place(
    item: Component | types.Layer, mode: str, counts: dict[str, int], prefix: str
) -> PlacedLayer:
    if not isinstance(item, Component):
        return PlacedLayer(item, item, item.name, [])
    params = dict(item.params)
    inbound = _names(params.pop(INBOUND, None))
    again = functools.partial(evolve(item, params=params).build, mode=mode)
    layer = again()
    # Keras counts names over the whole process. A variable's name must depend on its graph only.
    name = params.get("name") or _unique(snake_case(item.name.rpartition("/")[2]), counts)
    if hasattr(layer, "name"):
        layer.name = f"{prefix}_{name}" if prefix else name
    try:
        require_fitted(layer)
    except ComponentError as error:
        raise _error(item, str(error)) from error
    return PlacedLayer(item, layer, name, inbound, again)


def _call(
    layer: types.Layer, source: Tensor | list[Tensor], item: Component | types.Layer
) -> Nested:
    name = getattr(layer, "name", type(layer).__name__)
    inputs = ", ".join(map(_describe, _as_list(source)))
    component = item if isinstance(item, Component) else None
    trial = active_trial()
    with explaining(component, f"layer {name} cannot take {inputs}: ", _remedy(source)):
        if trial is None:
            return layer(*_arguments(layer, source))
        with trial.scope():
            outputs = layer(*_arguments(layer, source))
            trial.trace(layer, _arguments(layer, source))
        return outputs


def _remedy(source: Nested) -> str:
    """Return what may help a layer that cannot take its inputs."""
    if isinstance(source, list):
        return "; if it takes one input, put a Concatenate layer before it"
    if str(getattr(source, "dtype", "")).startswith(("int", "uint")):
        return f"; its input is {source.dtype}: put a Rescaling or Cast layer before it"
    return ""


def _arguments(layer: types.Layer, source: Tensor | list[Tensor]) -> list[Nested]:
    """Return the arguments of a layer: one tensor or list of tensors, or several tensors.

    A layer with several arguments, such as `MultiHeadAttention`, gets a single tensor for each.
    """
    required = [
        parameter
        for parameter in _required_parameters(getattr(layer, "call", None))
        if parameter.name not in FILLED_IN
    ]
    if len(required) < 2:
        return [source]
    tensors = _as_list(source)
    return tensors if len(tensors) > 1 else tensors * len(required)


def _required_parameters(function: Callable[..., Any] | None) -> list[inspect.Parameter]:
    if function is None:
        return []
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a few built-in callables have no signature
        return []
    return [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]


def _describe(tensor: Nested) -> str:
    if not hasattr(tensor, "shape"):
        return f"a {type(tensor).__name__}"
    history = getattr(tensor, "_keras_history", None)
    name = history.operation.name if history else getattr(tensor, "name", "a tensor")
    return f"{name} of shape {tuple(tensor.shape)}"


def _error(item: Component | types.Layer, message: str) -> ConfigError:
    if isinstance(item, Component):
        return ConfigError([Problem(item.path or item.name, message, item.place)])
    return ConfigError([Problem("", message)])


def _look_up(
    choices: Mapping[str, _T], name: str, path: str, what: str = "feature or earlier layer"
) -> _T:
    if name not in choices:
        message = (
            f"there is no {what} called {name}{did_you_mean(name, choices)} "
            f"(there are {', '.join(choices) or 'none'})"
        )
        raise ConfigError([Problem(path, message)])
    return choices[name]


def _one_or_list(tensors: list[Tensor]) -> Tensor | list[Tensor]:
    return tensors[0] if len(tensors) == 1 else tensors


def _as_list(value: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _unique(name: str, counts: dict[str, int]) -> str:
    count = counts.get(name, 0)
    counts[name] = count + 1
    return f"{name}_{count}" if count else name
