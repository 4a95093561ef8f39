"""Experiments with an agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from plx_core.annotations import EnvironmentLike
from plx_core.callbacks.callback import Callback
from plx_core.components.component import make
from plx_core.engine.evaluation_program import choose_predictions
from plx_core.errors import ComponentError
from plx_core.experiments.experiment import (
    BaseExperiment,
    instance_of,
    require_source,
    with_older_callback_names,
)
from plx_core.networks.observations import features_of
from plx_core.reinforcement.agent import Agent
from plx_core.reinforcement.agent_spec import AgentSpec
from plx_core.reinforcement.interfaces import Environment
from plx_core.reinforcement.observation_statistics import require_same
from plx_core.state import Modes


@with_older_callback_names
@define
class RLExperiment(BaseExperiment):
    """Trains, evaluates and exports an agent; the other parameters are `BaseExperiment`'s.

    Args:
        agent: the agent; anything else is an `ArgumentError`.
        env: the environment to train in.
        eval_env: the environment to evaluate in; `env` when None, where training then starts new
            episodes after each evaluation.
        train_episodes: the number of episodes to stop at.
        train_timesteps: the number of actions to stop at.
        first_update: the number of actions before the first update.
        update_frequency: the number of actions between two blocks of updates.
        updates_per_block: the number of updates in a block.
        pretrain_steps: the number of updates before the first action.
        eval_steps: the number of episodes of an evaluation.
    """

    agent: Agent = field(validator=instance_of(Agent))
    env: Any = None
    eval_env: Any = field(default=None, kw_only=True)
    train_episodes: int | None = field(default=None, kw_only=True)
    train_timesteps: int | None = field(default=None, kw_only=True)
    first_update: int = field(default=5000, kw_only=True)
    update_frequency: int = field(default=15, kw_only=True)
    updates_per_block: int = field(default=1, kw_only=True)
    pretrain_steps: int = field(default=0, kw_only=True)
    eval_steps: int | None = field(default=10, kw_only=True)

    @property
    def trainer(self) -> Agent:
        """The agent."""
        return self.agent

    def try_out(self) -> None:
        """Build everything that training needs and take one step, to see that the parts fit.

        Raises:
            ComponentError: they do not.
        """
        env = require_source(self.env, "train", "env")
        self.agent.try_out(env, self.first_update, self.update_frequency, self.pretrain_steps)
        self.check_evaluation()

    @property
    def _has_ended(self) -> bool:
        goals = (
            (self.train_episodes, self.agent.global_episode),
            (self.train_timesteps, self.agent.global_timestep),
        )
        return any(goal is not None and reached >= goal for goal, reached in goals)

    def _build_spec(self) -> AgentSpec | None:
        env = self.env if self.env is not None else self.eval_env
        if env is None:
            return None
        mode = Modes.EVAL if self.env is None else Modes.TRAIN
        return self.agent.build(mode, make("environments", env, mode=mode, seed=0))

    def check_evaluation(self) -> None:
        """Raise a `ComponentError` where the environment of evaluation is not that of training.

        Their observations and actions have the same form, and the same statistics normalise them.
        """
        env, other = self.env, self.eval_env
        if not isinstance(env, Environment) or not isinstance(other, Environment):
            return  # known only once they are built, when the agent compares them
        if _spaces(other) != _spaces(env):
            raise ComponentError(
                f"the agent is trained in an environment with {_spaces(env)}, "
                f"and evaluated in one with {_spaces(other)}",
                about="eval.env",
            )
        require_same(env.observation_statistics, other, about="eval.env")

    def _fit(self, max_steps: int | None, callbacks: Sequence[Callback]) -> None:
        self.check_evaluation()
        self.agent.train(
            require_source(self.env, "train", "env"),
            self.first_update,
            self.update_frequency,
            callbacks=callbacks,
            max_steps=max_steps,
            max_episodes=self.train_episodes,
            max_timesteps=self.train_timesteps,
            updates_per_block=self.updates_per_block,
            pretrain_steps=self.pretrain_steps,
        )

    def _evaluate_on(
        self, split: str, steps: int | None, checkpoint_path: str | Path | None, name: str | None
    ) -> dict[str, float]:
        env = require_source(self.eval_env or self.env, split, "env")
        return self.agent.evaluate(env, steps or 10, self.eval_callbacks, checkpoint_path, name)

    def predict(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the steps of a greedy episode."""
        env = require_source(self.export_source, "eval", "env")
        for step in self.agent.play(env, self.choose_checkpoint(checkpoint_path)):
            yield dict(choose_predictions(step, predict_keys))

    @property
    def export_source(self) -> EnvironmentLike:
        """The environment with the observations that an export takes."""
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


def _spaces(env: Environment) -> str:
    """Describe the observations by name, and the action space."""
    observations = [
        f"{name} {tuple(spec.shape[1:])} {spec.dtype.name}"
        for name, spec in features_of(env.observation_space).items()
    ]
    return f"{', '.join(observations)} and actions {env.action_space}"
