"""Build everything that a run would build, without running it."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import tensorflow as tf

from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.components.component import make
from plx_core.config.check import CheckedConfig, in_order
from plx_core.engine.gradients import total_loss
from plx_core.engine.warm_start import compile_expression
from plx_core.errors import ComponentError, ConfigError, PlxError, Problem, failure_of
from plx_core.experiments.from_config import (
    check_callbacks,
    create_experiment,
    environment_of,
    input_fn_of,
    located,
    model_fn_of,
)
from plx_core.experiments.reinforcement import RLExperiment
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.layer_trials import LayerTrial, layer_trial
from plx_core.reinforcement.agent import Agent
from plx_core.reinforcement.agent_loop import UpdateSchedule
from plx_core.state import Modes
from plx_core.supervised.estimator import Estimator
from plx_core.types import Features, Labels, Nested, Tensor

WARN_BYTES = 2**30
"""Weights of more than this size are worth a warning."""


def build(checked: CheckedConfig) -> list[Problem]:
    """Build everything that a run would build, up to the loss of one symbolic batch.

    Large weights get no memory.

    Returns:
        Warnings.

    Raises:
        ConfigError: with every mistake, at its place in the config.
    """
    with tempfile.TemporaryDirectory() as scratch:
        try:
            if (source := checked.config.train.warm_start) is not None:
                located(checked, checked.config.model, lambda: compile_expression(source.variables))
            build_all = _build_agent if checked.is_reinforcement else _build_estimator
            return build_all(checked, scratch)
        except ConfigError as error:
            further = (
                _parts_of_agent(checked, scratch)
                if checked.is_reinforcement
                else _parts_of_estimator(checked)
            )
            raise ConfigError(
                sorted({*error.problems, *_problems(further)}, key=in_order)
            ) from error


def _problems(parts: Iterable[Callable[[], Any]]) -> Iterator[Problem]:
    """Yield the mistakes of parts that can be built separately."""
    for part in parts:
        try:
            part()
        except ConfigError as error:
            yield from error.problems


def _parts_of_estimator(checked: CheckedConfig) -> Iterator[Callable[[], Any]]:
    sections = checked.config
    for section, mode in ((sections.train, Modes.TRAIN), (sections.eval, Modes.EVAL)):
        input_fn = input_fn_of(checked, section.data_pipeline)
        if input_fn is not None:
            yield functools.partial(input_fn, mode, sections.environment.seed)
    yield from _extensions(checked)


def _parts_of_agent(checked: CheckedConfig, scratch: str) -> Iterator[Callable[[], Any]]:
    sections = checked.config
    train, seed = sections.train, sections.environment.seed
    memory = sections.agent.memory if sections.agent is not None else None

    def model() -> None:
        env = environment_of(checked, train.env, Modes.TRAIN, seed)
        if env is not None:
            agent = Agent(model_fn_of(checked), None, scratch, sections.environment)
            located(checked, sections.model, lambda: agent.build(Modes.TRAIN, env))

    def schedule() -> None:
        built = make("memories", memory, seed=seed)
        updates = UpdateSchedule(train.first_update, train.update_frequency)
        located(checked, train.env, lambda: updates.check(built))

    yield lambda: environment_of(checked, sections.eval.env, Modes.EVAL, seed)
    yield lambda: located(checked, memory, lambda: make("memories", memory, seed=seed))
    yield model
    if memory is not None:
        yield schedule
    yield from _extensions(checked)


def _extensions(checked: CheckedConfig) -> Iterator[Callable[[], Any]]:
    """Yield what builds each callback and exporter."""
    sections = checked.config
    for component in (*sections.train.callbacks, *sections.eval.callbacks):
        yield functools.partial(
            located, checked, component, functools.partial(as_callbacks, [component])
        )
    for component in sections.eval.export_strategies:
        yield functools.partial(
            located, checked, component, functools.partial(make, "exporters", component)
        )


def _build_estimator(checked: CheckedConfig, scratch: str) -> list[Problem]:
    sections = checked.config
    warnings: dict[str, Problem] = {}
    estimator = Estimator(model_fn_of(checked), scratch, sections.environment)
    for section, mode in ((sections.train, Modes.TRAIN), (sections.eval, Modes.EVAL)):
        input_fn = input_fn_of(checked, section.data_pipeline)
        if input_fn is not None:
            pipeline = input_fn(mode, sections.environment.seed)
            with layer_trial() as trial:
                build_spec = functools.partial(estimator.build, mode, pipeline)
                spec = located(checked, sections.model, build_spec)
            warnings |= {problem.path: problem for problem in _warnings(checked, trial)}
            trace = functools.partial(_trace, spec, *pipeline.element_spec)
            try:
                with trial.scope():
                    located(checked, sections.model, trace)
            except ConfigError:
                with layer_trial(traces=True):  # it may be known which layer it is
                    estimator.build(mode, pipeline)
                raise
    for build in _extensions(checked):
        build()
    with layer_trial():
        check_callbacks(checked, create_experiment(checked, scratch, keep=False))
    return list(warnings.values())


def _build_agent(checked: CheckedConfig, scratch: str) -> list[Problem]:
    with layer_trial(needs_values=True) as trial:
        try:
            experiment = create_experiment(checked, scratch, keep=False)
            if isinstance(experiment, RLExperiment):
                place = checked.config.train.env or checked.config.eval.env
                located(checked, place, experiment.try_out)
            check_callbacks(checked, experiment)
        except ConfigError:
            if not trial.is_too_large:
                raise
    return _warnings(checked, trial)


def _warnings(checked: CheckedConfig, trial: LayerTrial) -> list[Problem]:
    """Return a warning where the weights of a network are large."""
    if trial.num_bytes <= WARN_BYTES and not trial.is_too_large:
        return []
    message = (
        f"warning: its layers have {trial.num_weights:,} weights ({trial.num_bytes / 2**30:,.1f} "
        "GiB); training takes about four times that, for gradients and for an optimizer such as "
        "Adam"
    )
    if trial.is_too_large:
        message = (
            f"warning: its first layers have {trial.num_weights:,} weights "
            f"({trial.num_bytes / 2**30:,.1f} GiB): too many to take a step with, so only these "
            "layers were checked"
        )
    model = checked.config.model
    return [Problem(model.path, message, model.place)]


def _trace(spec: EstimatorSpec, features: Features, labels: Labels) -> None:
    """Compute the outputs, then the loss and the metrics, of a symbolic batch.

    Raises:
        ComponentError: one of them refuses its input.
    """

    def compute(features: Features) -> Nested:
        return spec.network(features, training=False)

    def measure(features: Features, labels: Labels, outputs: Nested) -> Tensor:
        spec.update_metrics(features, labels, outputs)
        return total_loss(spec, features, labels, outputs)

    try:
        outputs = (
            tf.function(compute, autograph=False).get_concrete_function(features).structured_outputs
        )
    except PlxError:
        raise
    except Exception as error:  # code of any layer
        raise ComponentError(f"the network cannot be computed: {failure_of(error)}") from error
    _compare(spec, outputs)
    try:
        tf.function(measure, autograph=False).get_concrete_function(features, labels, outputs)
    except PlxError:
        raise
    except Exception as error:  # code of any loss or metric
        raise ComponentError(
            f"the loss or a metric cannot take outputs of shape {spec.network.output_shape}: "
            f"{failure_of(error)}"
        ) from error


def _compare(spec: EstimatorSpec, outputs: Nested) -> None:
    """Refuse a network with layers that compute other shapes than they declare."""
    declared, computed = tf.nest.flatten(spec.network.output), tf.nest.flatten(outputs)
    for symbol, output in zip(declared, computed, strict=True):
        if not output.shape.is_compatible_with(symbol.shape):
            raise ComponentError(
                f"the last layer declares the shape {tuple(symbol.shape)} and computes "
                f"{tuple(output.shape)}; put an activation that changes shapes, such as crelu, "
                "into an Activation layer"
            )
