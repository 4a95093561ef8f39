"""A list of layers, as a config writes it, to a Keras network."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

from attrs import field, frozen

from plx_core.annotations import Layer, Of
from plx_core.components.component import Component, parameter_names
from plx_core.components.graph_keys import INBOUND
from plx_core.errors import ComponentError, ConfigError, Problem, did_you_mean, reason_of
from plx_core.networks.variable_names import snake_case

if TYPE_CHECKING:
    import keras

LayerData: TypeAlias = Annotated[Component, Of("layers")]
"""A layer that is made later: in a graph it may be made in several modes."""

FILLED_IN = ("training", "mask")
"""What no tensor of a graph is meant for."""


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _layers(value: Sequence[Any]) -> list[Any]:
    return [
        Component.of("layers", item) if isinstance(item, (str, Mapping)) else item for item in value
    ]


@frozen
class Graph:
    """A network as data.

    Each layer reads the one before it, or the layers and features that its `inbound_nodes` name; the first reads
    `input_layers`. A graph is a `graph_fn`: called with a mode and the features, it returns the outputs.

    Args:
        layers: layers by name, `{Name: {...}}` mappings, or Keras layers.
        input_layers: the features that the first layer reads; all of them when left out.
        output_layers: the layers whose outputs are returned, by name in a mapping when there are several; the last one when
            left out.
    """

    layers: list[Layer] = field(converter=_layers)
    input_layers: list[str] | str = field(factory=list, converter=_names)
    output_layers: list[str] | str = field(factory=list, converter=_names)

    def __call__(self, mode: str, features: Any) -> Any:
        """The outputs for symbolic or real features: one tensor, or a mapping where there are several `output_layers`."""
        return self.connect(self.make_layers(mode), features)

    def make_layers(self, mode: str, prefix: str = "") -> list[PlacedLayer]:
        """The layers, unconnected; connecting them twice shares their weights.

        Args:
            mode: one of `Modes`.
            prefix: what the names of layers and variables begin with; within the graph the layers are called as they are without it.
        """
        names: dict[str, int] = {}
        return [_place(item, mode, names, prefix) for item in self.layers]

    def connect(self, layers: Sequence[PlacedLayer], features: Any) -> Any:
        """The outputs of layers that `make_layers` made."""
        tensors = dict(features) if isinstance(features, Mapping) else {"features": features}
        inputs = self.input_layers or list(tensors)
        current: Any = _one_or_list([_look_up(tensors, name, "input_layers") for name in inputs])
        made: dict[str, Any] = {}
        for index, placed in enumerate(layers):
            where = f"layers[{index}].{getattr(placed.item, 'name', placed.item)}"
            layer = placed.layer
            if isinstance(layer, Shared):
                layer = _look_up(made, layer.layer, f"{where}.layer", "earlier layer")
            source = (
                _one_or_list(
                    [_look_up(tensors, name, f"{where}.{INBOUND}") for name in placed.inbound]
                )
                if placed.inbound
                else current
            )
            current = _call(layer, source, placed.item)
            if placed.name in tensors:
                raise _refused(
                    placed.item,
                    f"there is more than one layer or feature called {placed.name}; names in a graph are unique",
                )
            tensors[placed.name], made[placed.name] = current, layer
        outputs = {name: _look_up(tensors, name, "output_layers") for name in self.output_layers}
        return (
            current
            if not outputs
            else outputs
            if len(outputs) > 1
            else next(iter(outputs.values()))
        )


@frozen
class PlacedLayer:
    """A layer in its place in a graph: what it was made from, what it is called there, and what it reads, if that was said."""

    item: Any
    layer: Any
    name: str
    inbound: list[str]


class SubGraph:
    """A graph as one layer of another; a `Shared` layer uses it again, with the same weights.

    Takes the tensors that its `inbound_nodes` name, each of any shape, and gives what the last of its layers does.

    Args:
        layers: its layers, each of which reads the one before it or those that its `inbound_nodes` name.
        input_layers: what the tensors that it takes are called in it, in their order; the first layer reads them all when left out.
        output_layers: the layer whose output is given; the last one when left out.
        mode: one of `Modes`.
        name: its name, with which the names of its variables begin.
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

    def __call__(self, inputs: Any) -> Any:
        """The output; the first call makes the layers, each later one uses them again."""
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
    """An earlier layer of the same graph once more, with the same weights: any shape that it takes, to the shape that it gives.

    Args:
        layer: the name of the earlier layer, which may be a `SubGraph`.
        name: what this use of it is called.
    """

    def __init__(self, layer: str, name: str = "shared") -> None:
        self.layer = layer
        self.name = name


GraphLike = Graph | Callable[..., Any] | Mapping[str, Any] | Sequence[Any]


def as_graph_fn(graph: Any) -> Callable[..., Any]:
    """The `graph_fn` that a graph, a mapping, a list of layers or a function stands for."""
    if isinstance(graph, Mapping):
        return Graph(**graph)
    if isinstance(graph, Sequence) and not isinstance(graph, str):
        return Graph(layers=graph)
    if not callable(graph):
        raise ComponentError(
            f"expected a graph (a mapping with `layers`) or a function of (mode, features), got {graph!r}"
        )
    return cast("Callable[..., Any]", graph)


def call_graph_fn(
    graph_fn: Callable[..., Any], mode: str, features: Any, labels: Any = None
) -> Any:
    """Call a `graph_fn` that takes (mode, features), (mode, inputs) or (mode, features, labels).

    Raises:
        ComponentError: the function's parameters are none of these.
    """
    names = (
        parameter_names(graph_fn)
        if not isinstance(graph_fn, Graph)
        else frozenset({"mode", "features"})
    )
    feature_name = next((name for name in ("features", "inputs", "x") if name in names), None)
    if feature_name is None:
        raise ComponentError(
            f"a graph_fn takes (mode, features) and, if it needs them, labels; this one takes {sorted(names)}"
        )
    supplied = {"mode": mode, feature_name: features, "labels": labels}
    return graph_fn(**{name: value for name, value in supplied.items() if name in names})


def build_network(
    graph_fn: Callable[..., Any], features: Mapping[str, Any], mode: str, name: str = "network"
) -> keras.Model:
    """The Keras network of a graph.

    Args:
        graph_fn: a `Graph`, or a function of (mode, features).
        features: `tf.TensorSpec`s by name, each with a batch axis.
        mode: one of `Modes`.
        name: the network's name.

    Returns:
        A functional model that takes a mapping of features and returns the graph's outputs.
    """
    import keras

    inputs = symbolic_inputs(features)
    outputs = call_graph_fn(graph_fn, mode, inputs)
    return keras.Model(inputs, outputs, name=name)


def symbolic_inputs(features: Mapping[str, Any]) -> dict[str, Any]:
    """Keras inputs for `tf.TensorSpec`s by name."""
    import keras

    return {
        key: keras.Input(
            shape=tuple(spec.shape)[1:], batch_size=spec.shape[0], dtype=spec.dtype.name, name=key
        )
        for key, spec in features.items()
    }


def _place(item: Any, mode: str, names: dict[str, int], prefix: str) -> PlacedLayer:
    if not isinstance(item, Component):
        return PlacedLayer(item, item, item.name, [])
    params = dict(item.params)
    inbound = _names(params.pop(INBOUND, None))
    layer = Component(item.kind, item.name, params, item.place, item.path, item.registry).build(
        mode=mode
    )
    # Keras counts names over the whole process; a variable's name must depend on its own graph alone.
    name = params.get("name") or _unique(snake_case(item.name.rpartition("/")[2]), names)
    if hasattr(layer, "name"):
        layer.name = f"{prefix}_{name}" if prefix else name
    return PlacedLayer(item, layer, name, inbound)


def _call(layer: Any, source: Any, item: Any) -> Any:
    try:
        return layer(*_arguments(layer, source))
    except (TypeError, ValueError) as error:
        shapes = ", ".join(
            f"{_origin(tensor)} of shape {tuple(tensor.shape)}" for tensor in _as_list(source)
        )
        raise _refused(
            item, f"layer {layer.name} cannot take {shapes}: {reason_of(error)}"
        ) from error


def _arguments(layer: Any, source: Any) -> list[Any]:
    """What a layer is called with: one tensor or list, or, for one such as `MultiHeadAttention`, several; a single tensor is each."""
    needed = [
        parameter
        for parameter in _parameters(getattr(layer, "call", None))
        if parameter.name not in FILLED_IN
    ]
    if len(needed) < 2:
        return [source]
    tensors = _as_list(source)
    return tensors if len(tensors) > 1 else tensors * len(needed)


def _parameters(function: Any) -> list[inspect.Parameter]:
    """The parameters that have to be given by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # what is no Keras layer has no `call`
        return []
    return [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]


def _origin(tensor: Any) -> str:
    history = getattr(tensor, "_keras_history", None)
    return history.operation.name if history else getattr(tensor, "name", "a tensor")


def _refused(item: Any, message: str) -> ConfigError:
    return ConfigError(
        [
            Problem(item.path or item.name, message, item.place)
            if isinstance(item, Component)
            else Problem("", message)
        ]
    )


def _look_up(
    tensors: Mapping[str, Any], name: str, where: str, what: str = "feature or earlier layer"
) -> Any:
    if name not in tensors:
        message = f"there is no {what} called {name}{did_you_mean(name, tensors)}; there are {', '.join(tensors) or 'none'}"
        raise ConfigError([Problem(where, message)])
    return tensors[name]


def _one_or_list(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _unique(name: str, names: dict[str, int]) -> str:
    count = names.get(name, 0)
    names[name] = count + 1
    return f"{name}_{count}" if count else name
