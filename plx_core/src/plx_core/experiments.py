"""Experiments: an estimator and its data, or an agent and its environment, and how training and evaluation alternate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from attrs import define, field

from plx_core.agent import EVALUATION_SEED, Agent
from plx_core.alternating import Alternating
from plx_core.checking import Checked, check
from plx_core.components import Component, make
from plx_core.configs import ExperimentConfig
from plx_core.errors import ComponentError, ConfigError, PlxError
from plx_core.estimators import Estimator
from plx_core.feeding import as_pipeline
from plx_core.graphs import features_of
from plx_core.interfaces import Callback, Environment, Modes
from plx_core.specs import EstimatorSpec

RUNS = "runs"
"""The folder of run directories, where a config names none."""


@define(kw_only=True)
class Experiment(Alternating):
    """Trains, evaluates and exports an estimator; its other parameters are `Alternating`'s.

    Args:
        estimator: what is trained.
        train_input_fn: what it is trained on, to `train_steps` or to the end of the data.
        eval_input_fn: what it is evaluated on.
    """

    estimator: Estimator
    train_input_fn: Any = None
    eval_input_fn: Any = None
    _asked: list[Callback] = field(factory=list, init=False, repr=False)

    @property
    def trainer(self) -> Estimator:
        """The estimator."""
        return self.estimator

    @property
    def _has_ended(self) -> bool:
        return self.estimator.is_out_of_data

    def check_hooks(
        self, ask: Callable[[Callback, EstimatorSpec], None] = lambda hook, spec: hook.check(spec)
    ) -> None:
        """Ask each callback that has a `check` whether it can work with this model and data; each is asked once.

        Args:
            ask: how one is asked.

        Raises:
            ComponentError: one cannot.
        """
        hooks = [
            hook
            for hook in (*self.train_hooks, *self.eval_hooks)
            if type(hook).check is not Callback.check
        ]
        unasked = [hook for hook in hooks if not any(hook is other for other in self._asked)]
        if not unasked or self.export_source is None:
            return
        mode = Modes.EVAL if self.can_evaluate else Modes.TRAIN
        spec = self.estimator.build(
            mode, as_pipeline(self.export_source, mode, self.estimator.config.seed)
        )
        for hook in unasked:
            ask(hook, spec)
        self._asked = hooks

    def _train_to(self, max_steps: int | None, hooks: Sequence[Callback]) -> None:
        self.check_hooks()
        self.estimator.train(
            _needed(self.train_input_fn, "train"), max_steps=max_steps, hooks=hooks
        )

    def _evaluate_on(
        self, split: str, steps: int | None, checkpoint_path: str | Path | None, name: str | None
    ) -> dict[str, float]:
        input_fn = _needed(self.train_input_fn if split == "train" else self.eval_input_fn, split)
        return self.estimator.evaluate(input_fn, steps, self.eval_hooks, checkpoint_path, name)

    def predict(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """The predictions for each example of the evaluation data."""
        return self.estimator.predict(
            _needed(self.eval_input_fn, "eval"), predict_keys, checkpoint_path
        )

    def encode(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """A generator's latents of each example of the evaluation data."""
        return self.estimator.predict(
            _needed(self.eval_input_fn, "eval"), predict_keys, checkpoint_path, Modes.ENCODE
        )

    def decode(
        self,
        latents: Any,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """What a generator makes of latents; see `Estimator.decode`."""
        return self.estimator.decode(
            _needed(self.export_source, "eval"), latents, predict_keys, checkpoint_path
        )

    def generate(
        self,
        count: int = 16,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """What a generator makes of latents drawn at random; see `Estimator.generate`."""
        return self.estimator.generate(
            _needed(self.export_source, "eval"), count, None, predict_keys, checkpoint_path
        )

    @property
    def export_source(self) -> Any:
        """The data whose features an export takes."""
        return self.eval_input_fn or self.train_input_fn

    @property
    def can_evaluate(self) -> bool:
        """Whether there is data to evaluate on."""
        return self.eval_input_fn is not None

    @property
    def progress(self) -> tuple[int | None, str, Callable[[Any, int], int]]:
        """Training is counted in steps."""
        return self.train_steps, "step", lambda run, step: step


@define(kw_only=True)
class RLExperiment(Alternating):
    """Trains, evaluates and exports an agent; its other parameters are `Alternating`'s.

    Args:
        agent: what is trained.
        env: what it is trained in.
        eval_env: what it is evaluated in; `env` when None, whose episodes then begin anew after each evaluation.
        train_episodes: the number of episodes to stop at.
        train_timesteps: the number of actions to stop at.
        first_update: how many actions are taken before the first update.
        update_frequency: how many actions there are from an update to the next.
        updates_per_block: how many updates there are each time.
        pretrain_steps: how many updates there are before the first action.
        eval_steps: the episodes of an evaluation.
    """

    agent: Agent
    env: Any = None
    eval_env: Any = None
    train_episodes: int | None = None
    train_timesteps: int | None = None
    first_update: int = 5000
    update_frequency: int = 15
    updates_per_block: int = 1
    pretrain_steps: int = 0
    eval_steps: int | None = 10
    train_steps_per_iteration: int | None = 100

    @property
    def trainer(self) -> Agent:
        """The agent."""
        return self.agent

    def try_out(self) -> None:
        """Take a step and build all that training needs, to see that it fits; nothing is kept."""
        env, other = _needed(self.env, "train", "env"), self.eval_env
        self.agent.try_out(env, self.first_update, self.update_frequency, self.pretrain_steps)
        if other is not None and _spaces(other) != _spaces(env):
            raise ComponentError(
                f"the agent is trained in an environment with {_spaces(env)}, and evaluated in one with {_spaces(other)}",
                about="eval.env",
            )

    @property
    def _has_ended(self) -> bool:
        goals = (
            (self.train_episodes, self.agent.global_episode),
            (self.train_timesteps, self.agent.global_timestep),
        )
        return any(goal is not None and reached >= goal for goal, reached in goals)

    def _train_to(self, max_steps: int | None, hooks: Sequence[Callback]) -> None:
        self.agent.train(
            _needed(self.env, "train", "env"),
            self.first_update,
            self.update_frequency,
            hooks=hooks,
            max_steps=max_steps,
            max_episodes=self.train_episodes,
            max_timesteps=self.train_timesteps,
            updates_per_block=self.updates_per_block,
            pretrain_steps=self.pretrain_steps,
        )

    def _evaluate_on(
        self, split: str, steps: int | None, checkpoint_path: str | Path | None, name: str | None
    ) -> dict[str, float]:
        env = _needed(self.eval_env or self.env, split, "env")
        return self.agent.evaluate(env, steps or 10, self.eval_hooks, checkpoint_path, name)

    def predict(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """The steps of a greedy episode."""
        steps = self.agent.play(_needed(self.export_source, "eval", "env"), checkpoint_path)
        return ({key: step[key] for key in predict_keys or step} for step in steps)

    @property
    def export_source(self) -> Any:
        """The environment whose observations an export takes."""
        return self.eval_env or self.env

    @property
    def can_evaluate(self) -> bool:
        """Whether there is an environment."""
        return self.export_source is not None

    @property
    def progress(self) -> tuple[int | None, str, Callable[[Any, int], int]]:
        """Training is counted in actions, unless it ends at a step."""
        if self.train_timesteps is None and self.train_steps is not None:
            return self.train_steps, "step", lambda run, step: step
        return self.train_timesteps, "timestep", lambda run, step: run.timestep


def create_experiment(
    config: str | Path | Mapping[str, Any] | Checked,
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
    checked = config if isinstance(config, Checked) else check(config)
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


def _check_hooks(checked: Checked, experiment: Experiment) -> None:
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
    config: str | Path | Mapping[str, Any] | Checked, output_dir: str | Path | None = None
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


def _supervised_experiment(checked: Checked, model_dir: Path) -> Experiment:
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


def _rl_experiment(checked: Checked, model_dir: Path) -> RLExperiment:
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


def run_path(checked: Checked, output_dir: str | Path | None = None) -> Path:
    """The run directory of a config."""
    return Path(
        output_dir or checked.config.settings.output_dir or Path(RUNS, checked.config.project.name)
    )


def run_experiment(
    experiment_fn: Callable[[str], Alternating],
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


def model_fn_of(checked: Checked) -> Callable[..., EstimatorSpec]:
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


def input_fn_of(checked: Checked, component: Component | None) -> Any:
    """An input function that makes a config's pipeline; None where there is none."""
    if component is None:
        return None

    def input_fn(mode: str, seed: int) -> Any:
        return located(checked, component, lambda: as_pipeline(component, mode, seed))

    return input_fn


def environment_of(checked: Checked, component: Component | None, mode: str, seed: int) -> Any:
    """A config's environment; None where there is none."""
    return located(
        checked, component, lambda: make("environments", component, mode=mode, seed=seed)
    )


def located(checked: Checked, component: Component | None, build: Callable[[], Any]) -> Any:
    """What `build` makes of a component, None where there is none; its mistakes get the component's place."""
    if component is None:
        return None
    try:
        return build()
    except ConfigError:
        raise
    except PlxError as error:
        raise checked.locate(error, component) from error


def _spaces(env: Environment) -> str:
    """What is observed, by name, and how one acts."""
    seen = [
        f"{name} {tuple(spec.shape[1:])} {spec.dtype.name}"
        for name, spec in features_of(env.observation_space).items()
    ]
    return f"{', '.join(seen)} and actions {env.action_space}"


def _needed(source: Any, section: str, key: str = "data_pipeline") -> Any:
    if source is None:
        python = "env" if key == "env" else f"{section}_input_fn"
        raise ComponentError(
            f"the experiment has nothing to {section} on; give {python}, or {section}.{key} in a config"
        )
    return source
