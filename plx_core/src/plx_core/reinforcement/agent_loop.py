"""The training loop of an agent: act, store transitions, update."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from plx_core.callbacks.callback import Callback
from plx_core.config.sections import EnvironmentConfig
from plx_core.engine.loop import TrainingLoop
from plx_core.engine.pacing import Clock
from plx_core.errors import ComponentError, EnvironmentFailed
from plx_core.reinforcement.agent_spec import AgentSpec
from plx_core.reinforcement.agent_state import AgentState
from plx_core.reinforcement.interfaces import Memory, Step, UpdateResult
from plx_core.runs.interfaces import Tracker
from plx_core.runs.run import Run
from plx_core.types import Batch, Nested

PRETRAINING_BLOCK = 50
"""The number of updates in one call before the first action."""

IDLE_REPORT_SECS = 0.2
"""How often a progress bar moves while there are no updates."""


@frozen
class UpdateSchedule:
    """When to update from a replay memory, counted in actions over all environments.

    Args:
        first: the number of actions before the first update.
        frequency: actions between updates: they are due at each multiple of it.
        updates: the number of updates that are due each time.
        pretraining: the number of updates before the first action, from what the memory holds.
    """

    first: int
    frequency: int
    updates: int = 1
    pretraining: int = 0

    def check(self, memory: Memory) -> None:
        """Raise a `ComponentError` where the memory and the first update do not fit."""
        if not memory.is_cleared_by_sample and self.first > memory.size:
            raise ComponentError(
                f"first_update is {self.first}, but the memory holds {memory.size} transitions: "
                "the first ones would be overwritten before any update",
                about="train.first_update",
            )
        if self.pretraining and (memory.is_cleared_by_sample or not memory.can_sample()):
            raise ComponentError(
                f"pretrain_steps is {self.pretraining}, but the {type(memory).__name__} holds "
                "nothing to learn from before the first action",
                about="train.pretrain_steps",
            )

    def due(self, before: int, now: int) -> int:
        """Return the number of updates that became due between two counts of actions."""
        if now < self.first:
            return 0
        previous = max(before, self.first - 1)
        return (now // self.frequency - previous // self.frequency) * self.updates


class AgentLoop(TrainingLoop):
    """One call of `Agent.train`."""

    def __init__(
        self,
        run: Run,
        config: EnvironmentConfig,
        training: AgentState,
        callbacks: Sequence[Callback],
        trackers: Sequence[Tracker],
        schedule: UpdateSchedule,
    ) -> None:
        super().__init__(run, config.run_config, callbacks, trackers)
        self.training = training
        self._schedule = schedule
        self._on_policy = training.spec.on_policy
        schedule.check(training.memory)
        self._idle_reports = Clock(IDLE_REPORT_SECS)
        self._all_valid = np.ones(training.env.num_envs, bool)

    @property
    def spec(self) -> AgentSpec:
        """The specification that is trained."""
        return self.training.spec

    @property
    def global_step(self) -> int:
        """The number of updates so far."""
        return self.training.global_step

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update."""
        return self.training.learner.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.training.learner.learning_rate = value

    def _counts(self) -> dict[str, int]:
        return {"steps": self.training.global_step, "timesteps": self.training.timestep}

    def _is_finished(self) -> bool:
        training, goals = self.training, self.goals
        return (
            super()._is_finished()
            or (goals.timesteps is not None and training.timestep >= goals.timesteps)
            or (goals.episodes is not None and training.episodes.ended >= goals.episodes)
        )

    def _advance(self) -> None:
        """Take an action in each environment, or a whole rollout if fused, and update."""
        training = self.training
        pretraining = self._schedule.pretraining - training.global_step
        if training.rest:
            self._update(training.rest)
        elif pretraining > 0:
            self._update(training.sample(min(PRETRAINING_BLOCK, pretraining)))
        elif self._on_policy and training.fused is not None:
            self._advance_fused()
        else:
            before = training.timestep
            self._act()
            self._update_if_due(before)

    def _idle(self) -> None:
        if self._idle_reports.is_due():
            self._tell_block()

    def _advance_fused(self) -> None:
        training = self.training
        result, steps = training.advance()
        self._check_finite(result)
        for step in steps:
            training.timestep += training.env.num_envs
            for episode in training.episodes.add(step):
                self._tell_episode(episode)

    def _act(self) -> None:
        """Take one action in each environment."""
        training, policy = self.training, self.training.spec.policy
        actions = policy.act(training.observations, training.timestep, training.masks)
        step = self._step(actions)
        self._remember(actions, step)
        training.timestep += training.env.num_envs if step.valid is None else int(step.valid.sum())
        training.observe(step.observations, step.action_masks)
        if step.ended.any():
            policy.restart(step.ended)
        for episode in training.episodes.add(step):
            self._tell_episode(episode)

    def _step(self, actions: np.ndarray) -> Step:
        """Take the actions; if an environment fails, save a checkpoint first.

        Raises:
            EnvironmentFailed: an environment failed.
        """
        training = self.training
        try:
            return training.env.step(actions)
        except EnvironmentFailed as error:
            self.save()
            raise EnvironmentFailed(
                f"{error}; training is saved up to timestep {training.timestep} in "
                f"{self.trainer.checkpoints.latest()}, and resumes with new episodes"
            ) from error

    def _remember(self, actions: np.ndarray, step: Step) -> None:
        training = self.training
        transition = training.transition(actions, step)
        if self._on_policy:
            # An auto-reset is stored too, masked out, so that the rows of a batch stay aligned.
            transition["valid"] = self._all_valid if step.valid is None else step.valid
        elif step.valid is not None:
            valid = np.flatnonzero(step.valid)
            if not len(valid):
                return
            transition = {name: _rows(value, valid) for name, value in transition.items()}
            transition["env"] = valid
        training.memory.step(**transition)

    def _update_if_due(self, before: int) -> None:
        training, memory = self.training, self.training.memory
        count = 1 if self._on_policy else self._schedule.due(before, training.timestep)
        if count > 0 and memory.can_sample():
            self._update(training.sample(count))

    def _update(self, batches: Batch) -> None:
        """Make an update for each batch; keep those beyond the last step for later."""
        training, goal = self.training, self.goals.steps
        training.rest = {}
        remaining = None if goal is None else goal - training.global_step
        if remaining is not None and not self._on_policy and len(batches["reward"]) > remaining:
            training.rest = {
                name: _rows(value, slice(remaining, None)) for name, value in batches.items()
            }
            batches = {name: _rows(value, slice(remaining)) for name, value in batches.items()}
        result = training.learn(batches)
        self._check_finite(result)
        if result.errors is not None and "indices" in batches:
            training.memory.update_priorities(batches["indices"], result.errors)

    def _check_finite(self, result: UpdateResult) -> None:
        if not math.isfinite(result.metrics["loss"]):
            training = self.training
            raise self._non_finite(
                f"the loss is not finite at step {training.global_step}, "
                f"timestep {training.timestep}"
            )

    def _tell_episode(self, episode: dict[str, float]) -> None:
        training = self.training
        training.means.add(
            {"episode_return": episode["return"], "episode_length": episode["length"]}
        )
        counted = {
            **episode,
            "global_timestep": training.timestep,
            "global_step": training.global_step,
        }
        self._tell("on_episode", self.trainer, counted)

    def _metrics(self, *, reset: bool) -> dict[str, float]:
        """Return the means since the last log, what the policy reports, and the counters."""
        training = self.training
        means = training.means.results()
        if reset:
            training.means.clear()
        return {
            **means,
            "learning_rate": self.learning_rate,
            **training.spec.policy.metrics(training.timestep),
            "global_timestep": float(training.timestep),
            "global_episode": float(training.episodes.ended),
            "replay_ratio": training.global_step / max(training.timestep, 1),
        }

    def _state(self) -> dict[str, Any]:
        return self.training.state()

    def _find_non_finite(self) -> str:
        return self.training.learner.find_non_finite()


def _rows(value: Nested, chosen: np.ndarray | slice) -> Nested:
    if isinstance(value, Mapping):
        return {name: part[chosen] for name, part in value.items()}
    return value[chosen]
