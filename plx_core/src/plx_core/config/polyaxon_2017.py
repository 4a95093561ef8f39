"""polyaxon-lib's JSON dialect of 2017 to version 1: one pure function of trees, which keeps the place of every part."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from plx_core.components.config_objects import STREAMING, WEIGHTS, takes_weights_of_2017
from plx_core.config.yaml_tree import ListNode, MapNode, Node, ScalarNode, from_python
from plx_core.errors import ConfigError, Place, Problem, did_you_mean

MARKS = frozenset(
    {"model_config", "train_input_data_config", "eval_input_data_config", "estimator_config"}
)
"""The sections that only the dialect of 2017 has."""

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
"""Parameters that said where TensorFlow 1 kept things in its graph."""
DROPPED = frozenset({"delay_workers_by_global_step", "input_type"})
"""What has no effect on one machine, or is told by the rest."""


def is_2017(tree: MapNode) -> bool:
    """Whether a tree is written in the dialect of 2017."""
    return not MARKS.isdisjoint(tree.items)


def translate(tree: MapNode) -> MapNode:
    """The same experiment in version 1.

    Raises:
        ConfigError: a key is not one of the dialect's; all such keys at once.
    """
    problems: list[Problem] = []
    result = MapNode(place=tree.place)
    _put(result, ("version",), ScalarNode("1", plain=True, place=tree.place), tree.place)
    handlers: Mapping[str, Callable[[Node, Place | None], None]] = {
        "name": lambda node, place: _put(result, ("project", "name"), node, place),
        "output_dir": lambda node, place: _put(result, ("settings", "output_dir"), node, place),
        "estimator_config": lambda node, place: _estimator(result, node),
        "run_config": lambda node, place: _put(
            result, ("environment", "run_config"), _renamed(node, {"tf_random_seed": "seed"}), place
        ),
        "train_input_data_config": lambda node, place: _put(
            result, ("train", "data_pipeline"), _pipeline(node, problems), place
        ),
        "eval_input_data_config": lambda node, place: _put(
            result, ("eval", "data_pipeline"), _pipeline(node, problems), place
        ),
        "model_config": lambda node, place: _put(result, ("model",), _model(node, problems), place),
        "env_config": lambda node, place: _put(
            result, ("train", "env"), _component(node, problems), place
        ),
        "memory_config": lambda node, place: _put(
            result, ("agent", "memory"), _component(node, problems), place
        ),
        **{key: _section("train", key, result) for key in TRAIN_KEYS},
        **{key: _section("eval", key, result) for key in EVAL_KEYS},
    }
    for key, node in tree.items.items():
        place = tree.key_places[key]
        if key in handlers:
            handlers[key](node, place)
        elif key not in DROPPED:
            problems.append(
                Problem(
                    key, f"unknown key of the dialect of 2017{did_you_mean(key, handlers)}", place
                )
            )
    if problems:
        raise ConfigError(problems)
    ordered = MapNode(place=tree.place)
    for key in (name for name in SECTIONS if name in result.items):
        ordered.set(key, result.items[key], result.key_places[key])
    return ordered


def with_dropout_layers(tree: MapNode) -> MapNode:
    """The same tree, in which a `Dense` of 2017 with a `dropout` is followed by a `Dropout`."""
    result = MapNode(place=tree.place)
    for key, node in tree.items.items():
        changed = _with_dropout_layers(node)
        if key == "layers" and isinstance(changed, ListNode):
            changed = ListNode(
                [part for layer in changed.items for part in _without_dropout(layer)], changed.place
            )
        result.set(key, changed, tree.key_places[key])
    return result


def _with_dropout_layers(node: Node) -> Node:
    if isinstance(node, ListNode):
        return ListNode([_with_dropout_layers(item) for item in node.items], node.place)
    return with_dropout_layers(node) if isinstance(node, MapNode) else node


def _without_dropout(layer: Node) -> list[Node]:
    params = layer.items.get("Dense") if isinstance(layer, MapNode) else None
    if (
        not isinstance(layer, MapNode)
        or not isinstance(params, MapNode)
        or "dropout" not in params.items
    ):
        return [layer]
    rate, place = params.items["dropout"], params.key_places["dropout"]
    dense, rest, dropout, settings = (
        MapNode(place=where) for where in (layer.place, params.place, place, place)
    )
    for key in (key for key in params.items if key != "dropout"):
        rest.set(key, params.items[key], params.key_places[key])
    dense.set("Dense", rest, layer.key_places["Dense"])
    settings.set("rate", rate, place)
    dropout.set("Dropout", settings, place)
    return [dense, dropout]


def with_weighted_losses(tree: MapNode) -> MapNode:
    """Return the same tree with each `MeanSquaredError` that has 2017's weights in a `Weighted`."""
    result = MapNode(place=tree.place)
    for key, node in tree.items.items():
        changed = _with_weighted_losses(_weighted(node) if key == "loss" else node)
        result.set(key, changed, tree.key_places[key])
    return result


def _with_weighted_losses(node: Node) -> Node:
    if isinstance(node, ListNode):
        return ListNode([_with_weighted_losses(item) for item in node.items], node.place)
    return with_weighted_losses(node) if isinstance(node, MapNode) else node


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


def _section(section: str, key: str, result: MapNode) -> Callable[[Node, Place | None], None]:
    return lambda node, place: _put(result, (section, key), node, place)


def _put(tree: MapNode, path: tuple[str, ...], node: Node, place: Place | None) -> None:
    for key in path[:-1]:
        child = tree.items.get(key)
        if not isinstance(child, MapNode):
            child = MapNode(place=place)
            tree.set(key, child, place)
        tree = child
    tree.set(path[-1], node, place)


def _estimator(result: MapNode, node: Node) -> None:
    if isinstance(node, MapNode) and "output_dir" in node.items:
        _put(
            result,
            ("settings", "output_dir"),
            node.items["output_dir"],
            node.key_places["output_dir"],
        )


def _renamed(node: Node, names: Mapping[str, str]) -> Node:
    if not isinstance(node, MapNode):
        return node
    renamed = MapNode(place=node.place)
    for key, value in node.items.items():
        renamed.set(names.get(key, key), value, node.key_places[key])
    return renamed


def _component(node: Node, problems: list[Problem]) -> Node:
    """`{module: Name, a: 1, params: {b: 2}}` to `{Name: {a: 1, b: 2}}`; a bare name stays one."""
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
            _processors(name, params, problems)
    return pipeline


def _processors(pipeline: str, params: MapNode, problems: list[Problem]) -> None:
    """`definition: {feature: [[Name, {...}], …]}` to `feature_processors`; an image of 2017 was float to begin with."""
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
        graph = MapNode(place=node.place)
        graph.set(
            "input_layers",
            ListNode([ScalarNode(feature, plain=False, place=node.place)], node.place),
            node.place,
        )
        graph.set("layers", translated, node.place)
        processors.set(feature, graph, places.get(feature, place))
    if processors.items:
        params.set("feature_processors", processors, place)


def _model(node: Node, problems: list[Problem]) -> Node:
    component = _component(node, problems)
    if not isinstance(component, MapNode) or not component.items or "module" in component.items:
        return component
    ((name, params),) = component.items.items()
    model = MapNode(place=component.place)
    translated = MapNode(place=component.place)
    model.set(name, translated, component.key_places[name])
    for key, value in params.items.items() if isinstance(params, MapNode) else ():
        place = params.key_places[key] if isinstance(params, MapNode) else None
        new = RENAMED.get(key, key)
        if new in GRAPHS:
            graph, graph_name = _graph(value, problems)
            translated.set(new, graph, place)
            if graph_name is not None and "name" not in params.items:  # type: ignore[union-attr]
                translated.set("name", graph_name, graph_name.place)
        elif new == "metrics" and isinstance(value, ListNode):
            translated.set(
                new,
                ListNode([_metric(item, problems) for item in value.items], value.place),
                place,
            )
        elif new in RENAMED.values():
            translated.set(new, _component(value, problems), place)
        else:
            translated.set(new, value, place)
    return model


def _graph(node: Node, problems: list[Problem]) -> tuple[Node, ScalarNode | None]:
    """`{name: …, features: [...], definition: [...]}` to `{input_layers: [...], layers: [...]}`, and the name."""
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
            problems.append(
                Problem(
                    key,
                    "unknown key of a graph of 2017; there are name, features and definition",
                    place,
                )
            )
    return graph, name if isinstance(name, ScalarNode) else None


def _layers(node: Node, problems: list[Problem]) -> Node:
    """`[[Name, {...}], …]` to `[{Name: {...}}, …]`."""
    if not isinstance(node, ListNode):
        return node
    layers: list[Node] = []
    for item in node.items:
        name = item.items[0] if isinstance(item, ListNode) and item.items else None
        if (
            not isinstance(item, ListNode)
            or not isinstance(name, ScalarNode)
            or len(item.items) > 2
        ):
            problems.append(
                Problem("definition", "expected a layer as [Name, {parameters}]", item.place)
            )
            continue
        layer = MapNode(place=item.place)
        layer.set(
            name.text,
            item.items[1] if len(item.items) == 2 else MapNode(place=name.place),
            name.place,
        )
        layers.append(layer)
    return ListNode(layers, node.place)
