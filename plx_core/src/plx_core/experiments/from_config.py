"""Create an experiment from a config."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from plx_core.components.component import Component, explaining, make
from plx_core.config.check import CheckedConfig, check_config
from plx_core.config.sections import ExperimentConfig
from plx_core.data.input_fn import as_pipeline
from plx_core.data.pipeline import Pipeline
from plx_core.errors import (
    ArgumentError,
    ComponentError,
    ConfigError,
    PlxError,
    Problem,
    RunDirectoryError,
)
from plx_core.experiments.experiment import BaseExperiment
from plx_core.experiments.supervised import Experiment
from plx_core.models.spec import EstimatorSpec
from plx_core.runs.data_files import changes, describe_files
from plx_core.runs.run_directory import RunDirectory
from plx_core.state import Modes
from plx_core.supervised.estimator import Estimator
from plx_core.types import Features, Labels, Space

if TYPE_CHECKING:
    from plx_core.experiments.reinforcement import RLExperiment
    from plx_core.reinforcement.interfaces import Environment

logger = logging.getLogger(__name__)

NOUNS = {"train": "train", "eval": "evaluate"}
RUNS = "runs"
"""The folder of the run directories of configs that name none."""


def create_experiment(
    config: str | Path | Mapping[str, Any] | CheckedConfig,
    output_dir: str | Path | None = None,
    text: str | None = None,
    *,
    keep: bool = True,
) -> Experiment | RLExperiment:
    """Create the experiment that a config describes, and its run directory with the config in it.

    Args:
        config: a YAML or JSON file, the same as a mapping, or the result of `check_config`.
        output_dir: the run directory; the config's, or runs/NAME, when None.
        text: the text to keep as config.yml; read from the file when None.
        keep: whether to keep the config in the run directory, as training does.

    Raises:
        ConfigError: with every mistake that was found.
    """
    checked = config if isinstance(config, CheckedConfig) else check_config(config)
    if keep:
        require_source(checked, "train")
    create = _rl_experiment if checked.is_reinforcement else _supervised_experiment
    experiment = create(checked, run_path(checked, output_dir))
    experiment.trainer.plugins = checked.registry.plugins
    if keep:
        if isinstance(config, (str, Path)):
            text = Path(config).read_text(encoding="utf-8")
        keep_config(checked, experiment, text)
    return experiment


def keep_config(
    checked: CheckedConfig, experiment: Experiment | RLExperiment, text: str | None = None
) -> None:
    """Write a config and the manifest to the run directory of its experiment.

    Args:
        checked: the config.
        experiment: its experiment.
        text: the text to keep as config.yml; the config with all defaults when None.

    Raises:
        ConfigError: a callback does not fit.
        RunDirectoryError: another process writes to the run, or it is another config's, or its
            data has changed where `environment.strict` forbids it.
    """
    check_callbacks(checked, experiment)
    located(checked, checked.config.eval.env, experiment.check_evaluation)
    trainer, run = experiment.trainer, experiment.trainer.run_directory
    with run.writing():
        earlier = run.data_files()
        data_files = describe_files(checked.data_files, earlier)
        differences = changes(earlier, data_files)
        if differences and trainer.latest_checkpoint() is not None:
            _report_changes(differences, run, checked.config.environment.strict)
        run.write_config(
            text or yaml.safe_dump(checked.resolved, sort_keys=False), checked.resolved
        )
        run.write_manifest(trainer.config.seed, checked.plugins, data_files)
    trainer.observers.on_config(trainer, checked.resolved)


def _report_changes(differences: Sequence[str], run: RunDirectory, strict: bool) -> None:
    """Warn of data that is not what a run has read before, or refuse it."""
    message = f"the data is not what the run {run.path} has read before: {'; '.join(differences)}"
    if strict:
        raise RunDirectoryError(
            f"{message}. Restore it, give another --output-dir, or set environment.strict: false"
        )
    logger.warning("%s. The run goes on with the new data", message)


def require_source(checked: CheckedConfig, section: Literal["train", "eval"]) -> None:
    """Raise an error if a config has no data or environment for a section.

    An agent is also evaluated in the environment that it is trained in.

    Raises:
        ConfigError: there is none; its place is the section's.
    """
    train, evaluation = checked.config.train, checked.config.eval
    if checked.is_reinforcement:
        key, source = "env", train.env or (evaluation.env if section == "eval" else None)
    else:
        key = "data_pipeline"
        source = getattr(checked.config, section).data_pipeline
    if source is None:
        message = f"there is nothing to {NOUNS[section]} on: {section}.{key} is missing"
        place = checked.places.get(section) or checked.places.get("")
        raise ConfigError([Problem(section, message, place)])


def check_callbacks(checked: CheckedConfig, experiment: Experiment | RLExperiment) -> None:
    """Ask callbacks and exporters whether they fit, and whether the metric of keep_best exists.

    Raises:
        ConfigError: one does not fit.
    """
    train, evaluation = checked.config.train, checked.config.eval
    components = (*train.callbacks, *evaluation.callbacks, *evaluation.export_strategies)
    experiment.check_callbacks(lambda index, check: located(checked, components[index], check))
    keep_best = checked.config.keep_best
    if keep_best is not None:
        try:
            experiment.check_metric(keep_best.metric)
        except ComponentError as error:
            path = "keep_best.metric"
            raise ConfigError([Problem(path, str(error), checked.places.get(path))]) from error


def create_rl_experiment(
    config: str | Path | Mapping[str, Any] | CheckedConfig,
    output_dir: str | Path | None = None,
    *,
    keep: bool = True,
) -> RLExperiment:
    """Create the reinforcement-learning experiment of a config; see `create_experiment`.

    Raises:
        ComponentError: the config trains no agent.
    """
    from plx_core.experiments.reinforcement import RLExperiment

    experiment = create_experiment(config, output_dir, keep=keep)
    if not isinstance(experiment, RLExperiment):
        raise ComponentError(
            "the config describes supervised learning: it has a data_pipeline and no env"
        )
    return experiment


def _supervised_experiment(checked: CheckedConfig, model_dir: Path) -> Experiment:
    sections = checked.config
    train, evaluation = sections.train, sections.eval
    return Experiment(
        estimator=Estimator(
            model_fn_of(checked),
            model_dir,
            sections.environment,
            trackers=sections.settings.trackers,
            warm_start_from=train.warm_start,
        ),
        train_input_fn=input_fn_of(checked, train.data_pipeline),
        eval_input_fn=input_fn_of(checked, evaluation.data_pipeline),
        eval_steps=evaluation.eval_steps,
        **_common(sections),
    )


def _rl_experiment(checked: CheckedConfig, model_dir: Path) -> RLExperiment:
    # A supervised run does not import what only agents need.
    from plx_core.experiments.reinforcement import RLExperiment
    from plx_core.reinforcement.agent import EVALUATION_SEED, Agent

    sections = checked.config
    train, evaluation = sections.train, sections.eval
    seed = sections.environment.seed
    memory = sections.agent.memory if sections.agent is not None else None
    env = environment_of(checked, train.env, Modes.TRAIN, seed)
    return RLExperiment(
        agent=Agent(
            model_fn_of(checked),
            located(checked, memory, lambda: make("memories", memory, seed=seed)),
            model_dir,
            sections.environment,
            trackers=sections.settings.trackers,
            warm_start_from=train.warm_start,
        ),
        env=env,
        eval_env=environment_of(checked, evaluation.env or train.env, Modes.EVAL, EVALUATION_SEED),
        train_episodes=train.train_episodes,
        train_timesteps=train.train_timesteps,
        first_update=train.first_update,
        update_frequency=train.update_frequency,
        updates_per_block=train.updates_per_block or 1,
        pretrain_steps=train.pretrain_steps,
        eval_steps=evaluation.eval_episodes,
        **_common(sections),
    )


def _common(sections: ExperimentConfig) -> dict[str, Any]:
    train, evaluation = sections.train, sections.eval
    return {
        "train_steps": train.train_steps,
        "train_callbacks": train.callbacks,
        "eval_callbacks": evaluation.callbacks,
        "train_steps_per_iteration": train.train_steps_per_iteration,
        "eval_delay_secs": evaluation.eval_delay_secs,
        "continuous_eval_throttle_secs": evaluation.continuous_eval_throttle_secs,
        "eval_every_n_steps": evaluation.eval_every_n_steps,
        "export_strategies": evaluation.export_strategies,
        "keep_best": sections.keep_best,
    }


def run_path(checked: CheckedConfig, output_dir: str | Path | None = None) -> Path:
    """Return the run directory of a config."""
    return Path(
        output_dir or checked.config.settings.output_dir or Path(RUNS, checked.config.project.name)
    )


def run_experiment(
    experiment_fn: Callable[[str], BaseExperiment],
    output_dir: str,
    schedule: str = "train_and_evaluate",
) -> Any:
    """Create an experiment and call one of its methods.

    Args:
        experiment_fn: creates the experiment of a run directory.
        output_dir: the run directory.
        schedule: the name of the method.

    Raises:
        ArgumentError: there is no such method.
    """
    method = getattr(experiment_fn(output_dir), schedule, None)
    if method is None or schedule.startswith("_"):
        raise ArgumentError(f"an experiment has no method {schedule}")
    return method()


def model_fn_of(checked: CheckedConfig) -> Callable[..., EstimatorSpec]:
    """Return a model function that builds the config's model anew each time it is called."""
    component = checked.config.model

    def build(inputs: Features, target: Labels | Space, mode: str) -> EstimatorSpec:
        spec = located(checked, component, lambda: component.build(mode=mode)(inputs, target))
        if not isinstance(spec, EstimatorSpec):
            error = ComponentError(f"it is not a model: calling it returned {type(spec).__name__}")
            raise checked.locate(error, component)
        return spec

    def estimator_fn(features: Features, labels: Labels, mode: str) -> EstimatorSpec:
        return build(features, labels, mode)

    def agent_fn(observations: Features, action_space: Space, mode: str) -> EstimatorSpec:
        return build(observations, action_space, mode)

    return agent_fn if checked.is_reinforcement else estimator_fn


def input_fn_of(
    checked: CheckedConfig, component: Component | None
) -> Callable[[str, int], Pipeline] | None:
    """Return an input function that builds a config's pipeline; None without a component."""
    if component is None:
        return None

    def input_fn(mode: str, seed: int) -> Pipeline:
        pipeline: Pipeline = located(checked, component, lambda: as_pipeline(component, mode, seed))
        return pipeline

    return input_fn


def environment_of(
    checked: CheckedConfig, component: Component | None, mode: str, seed: int
) -> Environment | None:
    """Build a config's environment; None without a component."""
    environment: Environment | None = located(
        checked, component, lambda: make("environments", component, mode=mode, seed=seed)
    )
    return environment


def located(checked: CheckedConfig, component: Component | None, build: Callable[[], Any]) -> Any:
    """Call `build`, and give its mistakes the component's place; None without a component.

    Raises:
        ConfigError: `build` raised anything.
    """
    if component is None:
        return None
    try:
        with explaining(component):
            return build()
    except PlxError as error:
        raise checked.locate(error, component) from error
