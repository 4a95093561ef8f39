"""Experiments: an estimator and its data, or an agent and its environment, and how training and evaluation alternate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from plx_core.components.component import Component, make
from plx_core.config.check import CheckedConfig, check_config
from plx_core.config.sections import ExperimentConfig
from plx_core.data.input_fn import as_pipeline
from plx_core.errors import ComponentError, ConfigError, PlxError
from plx_core.experiments.experiment import BaseExperiment
from plx_core.experiments.reinforcement import RLExperiment
from plx_core.experiments.supervised import Experiment
from plx_core.models.spec import EstimatorSpec
from plx_core.reinforcement.agent import EVALUATION_SEED, Agent
from plx_core.state import Modes
from plx_core.supervised.estimator import Estimator

RUNS = "runs"
"""The folder of run directories, where a config names none."""


def create_experiment(
    config: str | Path | Mapping[str, Any] | CheckedConfig,
    output_dir: str | Path | None = None,
    given: str | None = None,
    *,
    keep: bool = True,
) -> Experiment | RLExperiment:
    """The experiment that a config describes, and its run directory with the config in it.

    Args:
        config: a YAML or JSON file, the same as a mapping, or what `checking.check` made of one.
        output_dir: the run directory; the config's, or runs/NAME, when None.
        given: the config's text, kept as config.yml; read from the file when None.
        keep: whether the config is kept in the run directory, as it is by what trains.

    Raises:
        ConfigError: with every mistake that was found.
    """
    checked = config if isinstance(config, CheckedConfig) else check_config(config)
    experiment = (_rl_experiment if checked.is_reinforcement else _supervised_experiment)(
        checked, run_path(checked, output_dir)
    )
    trainer = experiment.trainer
    trainer.plugins = checked.registry.plugins
    if keep and isinstance(experiment, Experiment):
        _check_hooks(checked, experiment)
    if keep:
        text = (
            Path(config).read_text(encoding="utf-8") if isinstance(config, (str, Path)) else given
        )
        with trainer.run_directory.writing():
            trainer.run_directory.write_config(
                text or yaml.safe_dump(checked.resolved, sort_keys=False), checked.resolved
            )
            trainer.run_directory.write_manifest(trainer.config.seed, checked.plugins)
        trainer.events.tell("run_resolved", run=trainer, config=checked.resolved)
    return experiment


def _check_hooks(checked: CheckedConfig, experiment: Experiment) -> None:
    """Ask the callbacks of a config, whose mistakes get their places."""
    sections = checked.config
    hooks = zip(
        (*experiment.train_hooks, *experiment.eval_hooks),
        (*sections.train.hooks, *sections.eval.hooks),
        strict=True,
    )
    components = {id(hook): component for hook, component in hooks}
    experiment.check_hooks(
        lambda hook, spec: located(checked, components[id(hook)], lambda: hook.check(spec))
    )


def create_rl_experiment(
    config: str | Path | Mapping[str, Any] | CheckedConfig, output_dir: str | Path | None = None
) -> RLExperiment:
    """The experiment that a config of reinforcement learning describes; see `create_experiment`.

    Raises:
        ComponentError: the config trains no agent.
    """
    experiment = create_experiment(config, output_dir)
    if not isinstance(experiment, RLExperiment):
        raise ComponentError(
            "the config describes supervised learning: it has a data_pipeline, and no env"
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
        train_steps_per_iteration=train.train_steps_per_iteration,
        eval_steps=evaluation.eval_steps,
        **_common(sections),
    )


def _rl_experiment(checked: CheckedConfig, model_dir: Path) -> RLExperiment:
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
        train_steps_per_iteration=train.train_steps_per_iteration,
        eval_steps=evaluation.eval_episodes,
        **_common(sections),
    )


def _common(sections: ExperimentConfig) -> dict[str, Any]:
    train, evaluation = sections.train, sections.eval
    return {
        "train_steps": train.train_steps,
        "train_hooks": train.hooks,
        "eval_hooks": evaluation.hooks,
        "eval_delay_secs": evaluation.eval_delay_secs,
        "continuous_eval_throttle_secs": evaluation.continuous_eval_throttle_secs,
        "eval_every_n_steps": evaluation.eval_every_n_steps,
        "export_strategies": evaluation.export_strategies,
    }


def run_path(checked: CheckedConfig, output_dir: str | Path | None = None) -> Path:
    """The run directory of a config."""
    return Path(
        output_dir or checked.config.settings.output_dir or Path(RUNS, checked.config.project.name)
    )


def run_experiment(
    experiment_fn: Callable[[str], BaseExperiment],
    output_dir: str,
    schedule: str = "train_and_evaluate",
) -> Any:
    """Make an experiment and call one of its methods.

    Args:
        experiment_fn: given the run directory, makes the experiment.
        output_dir: the run directory.
        schedule: the method's name.
    """
    method = getattr(experiment_fn(output_dir), schedule, None)
    if method is None or schedule.startswith("_"):
        raise ComponentError(f"an experiment has no method {schedule}")
    return method()


def model_fn_of(checked: CheckedConfig) -> Callable[..., EstimatorSpec]:
    """A model function that makes a config's model afresh each time it is called."""
    component = checked.config.model

    def model_fn(features: Any, labels: Any, mode: str) -> EstimatorSpec:
        try:
            model = component.build(mode=mode)
            spec = model(features, labels)
        except PlxError as error:
            raise checked.locate(error, component) from error
        if not isinstance(spec, EstimatorSpec):
            raise checked.locate(
                ComponentError(f"it is not a model: it made a {type(spec).__name__}"), component
            )
        return spec

    return model_fn


def input_fn_of(checked: CheckedConfig, component: Component | None) -> Any:
    """An input function that makes a config's pipeline; None where there is none."""
    if component is None:
        return None

    def input_fn(mode: str, seed: int) -> Any:
        return located(checked, component, lambda: as_pipeline(component, mode, seed))

    return input_fn


def environment_of(
    checked: CheckedConfig, component: Component | None, mode: str, seed: int
) -> Any:
    """A config's environment; None where there is none."""
    return located(
        checked, component, lambda: make("environments", component, mode=mode, seed=seed)
    )


def located(checked: CheckedConfig, component: Component | None, build: Callable[[], Any]) -> Any:
    """What `build` makes of a component, None where there is none; its mistakes get the component's place."""
    if component is None:
        return None
    try:
        return build()
    except ConfigError:
        raise
    except PlxError as error:
        raise checked.locate(error, component) from error
