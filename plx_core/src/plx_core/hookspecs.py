"""The hooks by which a plug-in extends plx, one for each kind of component.

A hook returns data: a mapping of names to factories. A factory is a class, a function, or the
string `"package.module:attribute"`, which is imported only when a config uses the name.

    from plx_core import hookimpl

    @hookimpl
    def provide_layers():
        return {"Scale": "acme_plx.layers:Scale"}
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pluggy

PROJECT = "plx"
API_VERSION = 1
"""The version of these hooks; a plug-in module may declare its own as `PLX_API_VERSION`."""

Factory: TypeAlias = Callable[..., Any]
Factories: TypeAlias = Mapping[str, Factory | str]
"""What a hook returns: factories, or their import paths, by name."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
"""Decorator that marks a function of a plug-in module as the implementation of a hook."""


@hookspec
def provide_layers() -> Factories:  # type: ignore[empty-body]
    """Provide Keras layers, by the name that a graph uses."""


@hookspec
def provide_losses() -> Factories:  # type: ignore[empty-body]
    """Provide Keras losses: callables of labels and outputs.

    A loss for classifiers declares two attributes: `multi_label`, True if each class is a decision
    of its own with the sigmoid as its probability, False if classes exclude each other, with the
    softmax; and `from_logits`, False if the outputs are probabilities.
    """


@hookspec
def provide_optimizers() -> Factories:  # type: ignore[empty-body]
    """Provide Keras optimizers."""


@hookspec
def provide_metrics() -> Factories:  # type: ignore[empty-body]
    """Provide Keras metrics: `update_state(y_true, y_pred, sample_weight=None)` and `result()`.

    A metric for classifiers declares what it takes by its attribute `takes`: `probabilities`,
    `logits` or `classes`; see `plx_core.metric_input`. A regressor passes its labels and outputs.
    """


@hookspec
def provide_schedules() -> Factories:  # type: ignore[empty-body]
    """Provide learning-rate schedules: callables of the global step."""


@hookspec
def provide_initializers() -> Factories:  # type: ignore[empty-body]
    """Provide initializers of weights."""


@hookspec
def provide_regularizers() -> Factories:  # type: ignore[empty-body]
    """Provide regularizers: penalties on weights, added to the loss."""


@hookspec
def provide_constraints() -> Factories:  # type: ignore[empty-body]
    """Provide constraints: projections of weights after each update."""


@hookspec
def provide_activations() -> Factories:  # type: ignore[empty-body]
    """Provide activations: functions of a tensor, and further arguments as parameters."""


@hookspec
def provide_models() -> Factories:  # type: ignore[empty-body]
    """Provide models: `plx_core.Model` subclasses join a graph to a loss, optimizer and metrics."""


@hookspec
def provide_bridges() -> Factories:  # type: ignore[empty-body]
    """Provide bridges, which join a generator's encoder to its decoder."""


@hookspec
def provide_pipelines() -> Factories:  # type: ignore[empty-body]
    """Provide pipelines: `plx_core.Pipeline` subclasses yield batches in a resumable order."""


@hookspec
def provide_datasets() -> Factories:  # type: ignore[empty-body]
    """Provide data sets: functions that prepare one in a folder, for `plx data`."""


@hookspec
def provide_explorations() -> Factories:  # type: ignore[empty-body]
    """Provide explorations: `plx_core.Exploration` subclasses depart from greedy actions."""


@hookspec
def provide_memories() -> Factories:  # type: ignore[empty-body]
    """Provide memories: `plx_core.Memory` subclasses store transitions."""


@hookspec
def provide_environments() -> Factories:  # type: ignore[empty-body]
    """Provide environments: `plx_core.Environment` subclasses are vectors of environments."""


@hookspec
def provide_dynamics() -> Factories:  # type: ignore[empty-body]
    """Provide dynamics: environments as TensorFlow programs, functions of states and actions."""


@hookspec
def provide_wrappers() -> Factories:  # type: ignore[empty-body]
    """Provide wrappers: callables that wrap an environment's observations, actions or rewards."""


@hookspec
def provide_agents() -> Factories:  # type: ignore[empty-body]
    """Provide agents, which a program uses as `plx.agents.NAME`; no config key takes one."""


@hookspec
def provide_callbacks() -> Factories:  # type: ignore[empty-body]
    """Provide callbacks: `plx_core.Callback` or `keras.callbacks.Callback` subclasses."""


@hookspec
def provide_exporters() -> Factories:  # type: ignore[empty-body]
    """Provide exporters: `plx_core.Exporter` subclasses, called after an evaluation."""


@hookspec
def provide_trackers() -> Factories:  # type: ignore[empty-body]
    """Provide trackers: `plx_core.Tracker` subclasses, to which metrics are logged."""


@hookspec
def provide_aliases() -> Mapping[str, Mapping[str, str]]:  # type: ignore[empty-body]
    """Provide aliases of this plug-in's components: kind to alias to name."""


@hookspec
def provide_parameter_aliases() -> Mapping[str, Mapping[str, Mapping[str, str]]]:  # type: ignore[empty-body]
    """Provide older names of parameters: kind to component, or `*` for all, to old name to name.

    `{"layers": {"Scale": {"by": "factor"}}}` lets a config say `Scale: {by: 2}` for
    `Scale: {factor: 2}`. An old name applies only to components of this plug-in that have the
    parameter and none of the old name.
    """


@hookspec
def provide_commands() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Provide commands: the words after `plx` to the place of a `click.Command`.

    `{"report": "acme_plx.commands:report"}` adds `plx report`, and
    `{"data weigh": "acme_plx.commands:weigh"}` adds `plx data weigh`.
    """


@hookspec
def provide_sections() -> Mapping[str, type | str]:  # type: ignore[empty-body]
    """Provide sections of experiment files: a key at the top of the file to its class.

    `{"report": "acme_plx.report:ReportConfig"}` lets a file say `report: {…}`. The class is an
    attrs class: its fields are the keys, with their types, defaults and `help`. Where it has a
    method `check(checked)`, `check_config` calls it with the `CheckedConfig`, and it raises a
    `ConfigError` with every mistake. `CheckedConfig.sections` has the object.
    """


@hookspec
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:  # type: ignore[empty-body]
    """Provide examples for the conformance checks: kind to name to the arguments of the check.

    `{"layers": {"Scale": {"params": {"factor": 2.0}, "input_shape": [6, 4]}}}` is passed to
    `plx_core.testing.check_layer`. A component that is checked with defaults needs no example. The
    place of a function, `"acme_plx.examples:shards"`, stands for what it returns when it is called
    with an empty folder.
    """


@hookspec
def provide_run_observers() -> Factories:  # type: ignore[empty-body]
    """Provide observers: `plx_core.Callback` subclasses that every run gets without naming them.

    A new one is created for each run. An observer only watches: an exception that it raises is
    logged and the run continues without it, and its `every_n_steps`, `last_step`, `stop_training`,
    `check` and `state` are ignored. A callback that changes the run belongs in the experiment file.
    """


FURTHER: tuple[str, ...] = (
    "provide_aliases",
    "provide_parameter_aliases",
    "provide_commands",
    "provide_sections",
    "provide_examples",
    "provide_run_observers",
)
"""The hooks that provide something other than components."""
KINDS: tuple[str, ...] = tuple(
    name.removeprefix("provide_")
    for name in list(globals())
    if name.startswith("provide_") and name not in FURTHER
)
"""The kinds of component, in the order of their declaration here."""
