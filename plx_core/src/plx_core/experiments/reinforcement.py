"""Experiments: an estimator and its data, or an agent and its environment, and how training and evaluation alternate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define

from plx_core.callbacks.callback import Callback
from plx_core.errors import ComponentError
from plx_core.experiments.experiment import BaseExperiment, require_source
from plx_core.networks.observations import features_of
from plx_core.reinforcement.agent import Agent
from plx_core.reinforcement.interfaces import Environment


@define(kw_only=True)
class RLExperiment(BaseExperiment):
    """Trains, evaluates and exports an agent; its other parameters are `BaseExperiment`'s.

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
        env, other = require_source(self.env, "train", "env"), self.eval_env
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
            require_source(self.env, "train", "env"),
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
        env = require_source(self.eval_env or self.env, split, "env")
        return self.agent.evaluate(env, steps or 10, self.eval_hooks, checkpoint_path, name)

    def predict(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """The steps of a greedy episode."""
        steps = self.agent.play(require_source(self.export_source, "eval", "env"), checkpoint_path)
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


def _spaces(env: Environment) -> str:
    """What is observed, by name, and how one acts."""
    seen = [
        f"{name} {tuple(spec.shape[1:])} {spec.dtype.name}"
        for name, spec in features_of(env.observation_space).items()
    ]
    return f"{', '.join(seen)} and actions {env.action_space}"
