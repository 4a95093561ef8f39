"""Every way in which a plug-in extends plx, one hook a kind.

A hook returns data: a mapping of names to factories. A factory is a class, a function, or the string
`"package.module:attribute"`, which is imported only when a config uses the name.

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
"""The version of these hooks; a plug-in module may state the one it was written for as `PLX_API_VERSION`."""

Factory: TypeAlias = Callable[..., Any]
Factories: TypeAlias = Mapping[str, Factory | str]

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def provide_layers() -> Factories:  # type: ignore[empty-body]
    """Keras layers, by the name that a graph uses."""


@hookspec
def provide_losses() -> Factories:  # type: ignore[empty-body]
    """Keras losses: objects called with labels and outputs."""


@hookspec
def provide_optimizers() -> Factories:  # type: ignore[empty-body]
    """Keras optimizers."""


@hookspec
def provide_metrics() -> Factories:  # type: ignore[empty-body]
    """Keras metrics: `update_state(labels, outputs)` and `result()`."""


@hookspec
def provide_schedules() -> Factories:  # type: ignore[empty-body]
    """Learning-rate schedules: objects called with the global step."""


@hookspec
def provide_initializers() -> Factories:  # type: ignore[empty-body]
    """Initial values of weights."""


@hookspec
def provide_regularizers() -> Factories:  # type: ignore[empty-body]
    """Penalties on weights, added to the loss."""


@hookspec
def provide_constraints() -> Factories:  # type: ignore[empty-body]
    """Projections of weights after each update."""


@hookspec
def provide_activations() -> Factories:  # type: ignore[empty-body]
    """Activation functions of one tensor; a component's parameters are the function's further arguments."""


@hookspec
def provide_models() -> Factories:  # type: ignore[empty-body]
    """Models: `plx_core.Model` subclasses that join a graph to a loss, an optimizer and metrics."""


@hookspec
def provide_bridges() -> Factories:  # type: ignore[empty-body]
    """What joins a generator's encoder to its decoder."""


@hookspec
def provide_pipelines() -> Factories:  # type: ignore[empty-body]
    """Inputs: `plx_core.Pipeline` subclasses, which yield batches in a resumable order."""


@hookspec
def provide_datasets() -> Factories:  # type: ignore[empty-body]
    """Known data sets: functions that prepare one in a folder, for `plx data`."""


@hookspec
def provide_explorations() -> Factories:  # type: ignore[empty-body]
    """How an agent departs from its greedy action: `plx_core.Exploration` subclasses."""


@hookspec
def provide_memories() -> Factories:  # type: ignore[empty-body]
    """Where an agent keeps its transitions: `plx_core.Memory` subclasses."""


@hookspec
def provide_environments() -> Factories:  # type: ignore[empty-body]
    """Vectors of environments: `plx_core.Environment` subclasses."""


@hookspec
def provide_dynamics() -> Factories:  # type: ignore[empty-body]
    """How environments move, as TensorFlow programs: pure functions of states and actions."""


@hookspec
def provide_wrappers() -> Factories:  # type: ignore[empty-body]
    """What changes an environment's observations, actions or rewards: objects called with an environment, which return one."""


@hookspec
def provide_agents() -> Factories:  # type: ignore[empty-body]
    """Agents: what acts, remembers and learns. A program takes one by name, `plx.agents.NAME`; an experiment file has no place for it."""


@hookspec
def provide_callbacks() -> Factories:  # type: ignore[empty-body]
    """Run hooks: `plx_core.Callback` or `keras.callbacks.Callback` subclasses."""


@hookspec
def provide_exporters() -> Factories:  # type: ignore[empty-body]
    """Export strategies, run after an evaluation."""


@hookspec
def provide_trackers() -> Factories:  # type: ignore[empty-body]
    """Where metrics go: `plx_core.Tracker` subclasses."""


@hookspec
def provide_aliases() -> Mapping[str, Mapping[str, str]]:  # type: ignore[empty-body]
    """Further names for this plug-in's own components: a mapping of kind to a mapping of alias to name."""


@hookspec
def provide_parameter_aliases() -> Mapping[str, Mapping[str, Mapping[str, str]]]:  # type: ignore[empty-body]
    """Older names of parameters: a mapping of kind to a mapping of component, or `*` for all of the kind, to old name and name.

    `{"layers": {"Scale": {"by": "factor"}}}` lets a config say `Scale: {by: 2}` for `Scale: {factor: 2}`. An old name counts only where
    the component is this plug-in's, has the parameter, and has none of the old name.
    """


@hookspec
def provide_commands() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Commands for the command line: the words typed after `plx` to the place of a `click.Command`.

    `{"report": "acme_plx.commands:report"}` adds `plx report`, and `{"data weigh": "acme_plx.commands:weigh"}` adds `plx data weigh`.
    """


@hookspec
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:  # type: ignore[empty-body]
    """How each part is tried: a mapping of kind to a mapping of name to what the check of that kind in `plx_core.testing` is given.

    `{"layers": {"Scale": {"params": {"factor": 2.0}, "input_shape": [6, 4]}}}`; a part whose check needs no more than defaults needs no
    example. The place of a function, `"acme_plx.examples:shards"`, stands for what it returns: it is called with an empty folder.
    """


@hookspec
def provide_run_observers() -> Factories:  # type: ignore[empty-body]
    """Callbacks that every run gets without naming them: `plx_core.Callback` subclasses by name.

    A new one is created for each run. An observer only watches: an exception that it raises is
    logged and the run continues without it, and its `every_n_steps`, `last_step`, `stop_training`,
    `check` and `state` are ignored. A callback that changes the run belongs in the experiment file.
    """


FURTHER: tuple[str, ...] = (
    "provide_aliases",
    "provide_parameter_aliases",
    "provide_commands",
    "provide_examples",
    "provide_run_observers",
)
"""The hooks that offer something besides components."""
KINDS: tuple[str, ...] = tuple(
    name.removeprefix("provide_")
    for name in list(globals())
    if name.startswith("provide_") and name not in FURTHER
)
"""The kinds of component, in the order in which this module declares them."""
