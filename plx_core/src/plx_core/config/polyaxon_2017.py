"""Translate files of polyaxon-lib, 2017, to version 1, keeping the place of every node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

from plx_core.components.config_objects import STREAMING, WEIGHTS, takes_weights_of_2017
from plx_core.components.graph_keys import INBOUND
from plx_core.config.yaml_tree import ListNode, MapNode, Node, ScalarNode, from_python
from plx_core.errors import ConfigError, Place, Problem, did_you_mean

RENAMED = {
    "loss_config": "loss",
    "optimizer_config": "optimizer",
    "eval_metrics_config": "metrics",
    "metrics_config": "metrics",
    "graph_config": "graph",
    "encoder_config": "encoder",
    "decoder_config": "decoder",
    "bridge_config": "bridge",
    "exploration_config": "exploration",
    "memory_config": "memory",
    "env_config": "env",
}
LAYER_NAMES = frozenset({"input_layers", "output_layers", INBOUND})
"""The keys of a graph whose values are names of layers."""
GRAPHS = frozenset({"graph", "encoder", "decoder"})
SECTIONS = ("version", "project", "settings", "environment", "model", "agent", "train", "eval")
TRAIN_KEYS = frozenset(
    {
        "train_steps",
        "train_episodes",
        "train_steps_per_iteration",
        "first_update",
        "update_frequency",
    }
)
EVAL_KEYS = frozenset(
    {"eval_steps", "eval_every_n_steps", "eval_delay_secs", "continuous_eval_throttle_secs"}
)
IMAGES, IMAGE = "TFRecordImagePipeline", "image"
WITHOUT_EFFECT = frozenset(
    {"collect", "scope", "use_locking", "metrics_collections", "updates_collections"}
)
"""Parameters about the graph collections and scopes of TensorFlow 1."""
DROPPED = frozenset({"delay_workers_by_global_step", "input_type"})
"""Keys that have no effect on one machine or are redundant."""


def translate(tree: MapNode) -> MapNode:
    """Translate an experiment from the JSON dialect to version 1.

    Raises:
        ConfigError: keys are not part of the dialect, or components have no name (all at once).
    """
    problems: list[Problem] = []
    result = MapNode(place=tree.place)
    _put(result, ("version",), ScalarNode("1", plain=True, place=tree.place), tree.place)
    handlers = _handlers(result, problems)
    for key, node in tree.items.items():
        place = tree.key_places[key]
        if key in handlers:
            handlers[key](node, place)
        elif key not in DROPPED:
            message = f"unknown key of the dialect of 2017{did_you_mean(key, handlers)}"
            problems.append(Problem(key, message, place))
    if problems:
        raise ConfigError(problems)
    ordered = MapNode(place=tree.place)
    for key in (name for name in SECTIONS if name in result.items):
        ordered.set(key, result.items[key], result.key_places[key])
    return ordered


def with_plain_names(tree: MapNode) -> MapNode:
    """Return the tree with each layer that is named by `[name, 0, 0]` named by its name alone."""

    def change(key: str, node: Node) -> Node:
        if key not in LAYER_NAMES or not isinstance(node, ListNode):
            return node
        return ListNode([_plain_name(item) for item in node.items], node.place)

    return _changed(tree, change)


def _changed(tree: MapNode, change: Callable[[str, Node], Node]) -> MapNode:
    """Return a tree with the value of each key changed, the inner ones first."""

    def inner(node: Node) -> Node:
        if isinstance(node, ListNode):
            return ListNode([inner(item) for item in node.items], node.place)
        return _changed(node, change) if isinstance(node, MapNode) else node

    result = MapNode(place=tree.place)
    for key, node in tree.items.items():
        result.set(key, change(key, inner(node)), tree.key_places[key])
    return result


def _plain_name(node: Node) -> Node:
    """Return the name in `[name, 0, 0]`: the only node and the only output of a layer."""
    if not isinstance(node, ListNode) or len(node.items) != 3:
        return node
    name, *indices = node.items
    is_first = all(isinstance(index, ScalarNode) and index.text == "0" for index in indices)
    return name if is_first else node


def split_dropout(tree: MapNode) -> MapNode:
    """Return the tree with `Dense: {dropout: …}` split into `Dense` and `Dropout`."""

    def change(key: str, node: Node) -> Node:
        if key != "layers" or not isinstance(node, ListNode):
            return node
        layers = [part for layer in node.items for part in _split_layer(layer)]
        return ListNode(layers, node.place)

    return _changed(tree, change)


def _split_layer(layer: Node) -> list[Node]:
    params = layer.items.get("Dense") if isinstance(layer, MapNode) else None
    if (
        not isinstance(layer, MapNode)
        or not isinstance(params, MapNode)
        or "dropout" not in params.items
    ):
        return [layer]
    dense_params = MapNode(place=params.place)
    for key in params.items:
        if key != "dropout":
            dense_params.set(key, params.items[key], params.key_places[key])
    dense = MapNode(place=layer.place)
    dense.set("Dense", dense_params, layer.key_places["Dense"])
    place = params.key_places["dropout"]
    dropout_params = MapNode(place=place)
    dropout_params.set("rate", params.items["dropout"], place)
    dropout = MapNode(place=place)
    dropout.set("Dropout", dropout_params, place)
    return [dense, dropout]


def with_weighted_losses(tree: MapNode) -> MapNode:
    """Return the same tree with each `MeanSquaredError` that has 2017's weights in a `Weighted`."""
    return _changed(tree, lambda key, node: _weighted(node) if key == "loss" else node)


def _weighted(loss: Node) -> Node:
    if not isinstance(loss, MapNode) or len(loss.items) != 1:
        return loss
    ((name, params),) = loss.items.items()
    if not isinstance(params, MapNode) or not takes_weights_of_2017(name, params.items):
        return loss
    place = loss.key_places[name]
    own = MapNode(place=params.place)
    wrapped = MapNode(place=place)
    wrapped.set(name, own, place)
    settings = MapNode(place=params.place)
    settings.set("loss", wrapped, place)
    for key, value in params.items.items():
        (settings if key in WEIGHTS else own).set(key, value, params.key_places[key])
    result = MapNode(place=loss.place)
    result.set("Weighted", settings, place)
    return result


_Handler = Callable[[Node, Place | None], None]


def _handlers(result: MapNode, problems: list[Problem]) -> Mapping[str, _Handler]:
    """Return functions by key of the dialect that add the translated value to `result`."""

    def put(*path: str) -> _Handler:
        return lambda node, place: _put(result, path, node, place)

    def put_component(*path: str) -> _Handler:
        return lambda node, place: _put(result, path, _component(node, problems), place)

    def put_pipeline(*path: str) -> _Handler:
        return lambda node, place: _put(result, path, _pipeline(node, problems), place)

    def put_run_config(node: Node, place: Place | None) -> None:
        renamed = _renamed(node, {"tf_random_seed": "seed"})
        _put(result, ("environment", "run_config"), renamed, place)

    def put_estimator(node: Node, place: Place | None) -> None:
        if isinstance(node, MapNode) and "output_dir" in node.items:
            put("settings", "output_dir")(node.items["output_dir"], node.key_places["output_dir"])

    return {
        "name": put("project", "name"),
        "output_dir": put("settings", "output_dir"),
        "estimator_config": put_estimator,
        "run_config": put_run_config,
        "train_input_data_config": put_pipeline("train", "data_pipeline"),
        "eval_input_data_config": put_pipeline("eval", "data_pipeline"),
        "model_config": lambda node, place: _put(result, ("model",), _model(node, problems), place),
        "env_config": put_component("train", "env"),
        "memory_config": put_component("agent", "memory"),
        **{key: put("train", key) for key in TRAIN_KEYS},
        **{key: put("eval", key) for key in EVAL_KEYS},
    }


def _put(tree: MapNode, path: tuple[str, ...], node: Node, place: Place | None) -> None:
    for key in path[:-1]:
        child = tree.items.get(key)
        if not isinstance(child, MapNode):
            child = MapNode(place=place)
            tree.set(key, child, place)
        tree = child
    tree.set(path[-1], node, place)


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    if not isinstance(node, MapNode):
        return node
    result = MapNode(place=node.place)
    for key, value in node.items.items():
        result.set(names.get(key, key), value, node.key_places[key])
    return result


def _component(node: Node, problems: list[Problem]) -> Node:
    """Translate `{module: Name, a: 1, params: {b: 2}}` to `{Name: {a: 1, b: 2}}`.

    A name without parameters is left unchanged.
    """
    if not isinstance(node, MapNode):
        return node
    module = node.items.get("module")
    if not isinstance(module, ScalarNode):
        problems.append(Problem("module", "is missing: the name of the component", node.place))
        return node
    params = MapNode(place=node.place)
    for key, value in node.items.items():
        if key == "params" and isinstance(value, MapNode):
            for inner, item in value.items.items():
                params.set(inner, item, value.key_places[inner])
        elif key != "module" and key not in WITHOUT_EFFECT:
            params.set(key, value, node.key_places[key])
    component = MapNode(place=node.place)
    component.set(module.text, params, module.place)
    return component


def _metric(node: Node, problems: list[Problem]) -> Node:
    component = _component(node, problems)
    names = component.items if isinstance(component, MapNode) else {}
    return _renamed(component, {name: f"Streaming{name}" for name in names if name in STREAMING})


def _pipeline(node: Node, problems: list[Problem]) -> Node:
    if not isinstance(node, MapNode) or "pipeline_config" not in node.items:
        problems.append(Problem("pipeline_config", "is missing", node.place))
        return node
    pipeline = _component(node.items["pipeline_config"], problems)
    if isinstance(pipeline, MapNode) and "module" not in pipeline.items:
        ((name, params),) = pipeline.items.items()
        if isinstance(params, MapNode):
            _translate_processors(name, params, problems)
    return pipeline


def _translate_processors(pipeline: str, params: MapNode, problems: list[Problem]) -> None:
    """Translate `definition: {feature: [[Name, {...}], …]}` to `feature_processors`.

    Images were floats in 2017, so the processors of an image begin with a cast.
    """
    place = params.key_places.pop("definition", params.place)
    definition = params.items.pop("definition", None)
    layers = dict(definition.items) if isinstance(definition, MapNode) else {}
    places = definition.key_places if isinstance(definition, MapNode) else {}
    if pipeline == IMAGES:
        layers.setdefault(IMAGE, ListNode([], place))
    processors = MapNode(place=place)
    for feature, node in layers.items():
        translated = _layers(node, problems)
        if pipeline == IMAGES and feature == IMAGE and isinstance(translated, ListNode):
            cast = MapNode(place=place)
            cast.set("Cast", from_python({"dtype": "float32"}), place)
            translated = ListNode([cast, *translated.items], translated.place)
        name = ScalarNode(feature, plain=False, place=node.place)
        graph = MapNode(place=node.place)
        graph.set("input_layers", ListNode([name], node.place), node.place)
        graph.set("layers", translated, node.place)
        processors.set(feature, graph, places.get(feature, place))
    if processors.items:
        params.set("feature_processors", processors, place)


def _model(node: Node, problems: list[Problem]) -> Node:
    component = _component(node, problems)
    if not isinstance(component, MapNode) or not component.items or "module" in component.items:
        return component
    ((name, params),) = component.items.items()
    translated = MapNode(place=component.place)
    model = MapNode(place=component.place)
    model.set(name, translated, component.key_places[name])
    if not isinstance(params, MapNode):
        return model
    for key, value in params.items.items():
        place = params.key_places[key]
        new_key = RENAMED.get(key, key)
        new_value = value
        graph_name = None
        if new_key in GRAPHS:
            new_value, graph_name = _graph(value, problems)
        elif new_key == "metrics" and isinstance(value, ListNode):
            metrics = [_metric(item, problems) for item in value.items]
            new_value = ListNode(metrics, value.place)
        elif new_key in RENAMED.values():
            new_value = _component(value, problems)
        translated.set(new_key, new_value, place)
        if graph_name is not None and "name" not in params.items:
            translated.set("name", graph_name, graph_name.place)
    return model


def _graph(node: Node, problems: list[Problem]) -> tuple[Node, ScalarNode | None]:
    """Translate `{name: …, features: [...], definition: [...]}`.

    Returns:
        `{input_layers: [...], layers: [...]}`, and the name.
    """
    if not isinstance(node, MapNode):
        return node, None
    graph = MapNode(place=node.place)
    name = node.items.get("name")
    for key, value in node.items.items():
        place = node.key_places[key]
        if key == "features":
            graph.set("input_layers", value, place)
        elif key == "definition":
            graph.set("layers", _layers(value, problems), place)
        elif key != "name":
            message = "unknown key of a graph of 2017; there are name, features and definition"
            problems.append(Problem(key, message, place))
    return graph, name if isinstance(name, ScalarNode) else None


def _layers(node: Node, problems: list[Problem]) -> Node:
    """Translate `[[Name, {...}], …]` to `[{Name: {...}}, …]`."""
    if not isinstance(node, ListNode):
        return node
    layers: list[Node] = []
    for item in node.items:
        parts = item.items if isinstance(item, ListNode) else []
        name = parts[0] if parts else None
        if not isinstance(name, ScalarNode) or len(parts) > 2:
            message = "expected a layer as [Name, {parameters}]"
            problems.append(Problem("definition", message, item.place))
            continue
        params = parts[1] if len(parts) == 2 else MapNode(place=name.place)
        layer = MapNode(place=item.place)
        layer.set(name.text, _layer_params(name.text, params, problems), name.place)
        layers.append(layer)
    return ListNode(layers, node.place)


def _layer_params(name: str, params: Node, problems: list[Problem]) -> Node:
    """Translate the parameters of a layer that mean something else than Keras's."""
    if not isinstance(params, MapNode):
        return params
    result = MapNode(place=params.place)
    for key, value in params.items.items():
        place = params.key_places[key]
        if name == "Dropout" and key == "keep_prob":
            result.set("rate", _complement(value, problems), place)
        else:
            is_layers = name == "Merge" and key == "modules"
            result.set(key, _layers(value, problems) if is_layers else value, place)
    return result


def _complement(node: Node, problems: list[Problem]) -> Node:
    """Return 1 minus the share that a `Dropout` keeps."""
    try:
        share = Decimal(node.text if isinstance(node, ScalarNode) else "")
    except InvalidOperation:
        problems.append(Problem("keep_prob", "expected a number", node.place))
        return node
    return ScalarNode(str(1 - share), plain=True, place=node.place)
