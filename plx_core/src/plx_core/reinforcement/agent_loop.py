"""One call of an agent's training: act, remember, learn, log and save."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import evolve, frozen

from plx_core.callbacks.callback import Callback
from plx_core.engine.loop import named_callbacks, non_finite
from plx_core.engine.pacing import Clock
from plx_core.engine.signals import Interrupted, stop_on_signals
from plx_core.errors import ComponentError
from plx_core.reinforcement.agent_state import AgentState
from plx_core.reinforcement.interfaces import Memory, Step, UpdateResult
from plx_core.runs.interfaces import Tracker
from plx_core.runs.trackers import TensorBoardTracker

if TYPE_CHECKING:
    from plx_core.reinforcement.agent import Agent

logger = logging.getLogger(__name__)

PRETRAINING_BLOCK = 50
"""How many updates there are in one call before the first action."""

SECONDS_BETWEEN_LOOKS = 0.2
"""How often a progress bar moves."""


@frozen
class Goals:
    """The totals at which training stops; None stands for never."""

    steps: int | None = None
    episodes: int | None = None
    timesteps: int | None = None


@frozen
class UpdateSchedule:
    """When a replay memory is learnt from, in actions over all environments.

    Args:
        first: no update before so many.
        frequency: updates are due at each multiple of this many.
        updates: so many are due each time.
        pretraining: so many are made before the first action, of what the memory holds already.
    """

    first: int
    frequency: int
    updates: int = 1
    pretraining: int = 0

    def check(self, memory: Memory) -> None:
        """Refuse a memory that would forget what comes first before it is learnt from."""
        if not memory.is_cleared_by_sample and self.first > memory.size:
            raise ComponentError(
                f"first_update is {self.first}, and the memory keeps {memory.size} transitions: "
                "what comes first would be forgotten before it is learnt from",
                about="train.first_update",
            )
        if self.pretraining and (memory.is_cleared_by_sample or not memory.can_sample()):
            raise ComponentError(
                f"pretrain_steps is {self.pretraining}, and the {type(memory).__name__} holds nothing to learn from "
                "before the first action",
                about="train.pretrain_steps",
            )

    def due(self, before: int, now: int) -> int:
        """How many updates the actions between two counts make due."""
        return (
            (now // self.frequency - max(before, self.first - 1) // self.frequency) * self.updates
            if now >= self.first
            else 0
        )


class AgentRun:
    """One call of `Agent.train`."""

    def __init__(
        self,
        agent: Agent,
        training: AgentState,
        callbacks: Sequence[Callback],
        trackers: Sequence[Tracker],
        schedule: UpdateSchedule,
    ) -> None:
        self.agent = agent
        self.training = training
        self.callbacks = callbacks
        self.trackers = trackers
        self._schedule = schedule
        self._in_order = training.memory.is_cleared_by_sample
        schedule.check(training.memory)
        run = self._periods = agent.config.run_config
        no_period = run.save_checkpoints_steps is None and run.save_checkpoints_secs is None
        self._clock = Clock(600.0 if no_period else run.save_checkpoints_secs)
        self._looks = Clock(SECONDS_BETWEEN_LOOKS)
        self.is_save_wanted = False
        self._logged = (0, 0, 0.0)
        self._everywhere = np.ones(training.env.num_envs, bool)

    def run(self, goals: Goals) -> None:
        """Act and learn until a goal is reached or a callback stops it."""
        training = self.training
        if self._reached(goals):
            return
        for callback in self.callbacks:
            callback.on_run_begin(self.agent, training.global_step)
        last = [
            stop
            for stop in (goals.steps, *(callback.last_step for callback in self.callbacks))
            if stop is not None
        ]
        self._logged = (training.global_step, training.timestep, time.perf_counter())
        try:
            with stop_on_signals() as request:
                self._loop(evolve(goals, steps=min(last, default=None)), request)
            for callback in self.callbacks:
                callback.on_run_end(self.agent, training.global_step)
        finally:
            for tracker in self.trackers:
                tracker.close()

    def save(self) -> None:
        """Save a checkpoint now.

        Raises:
            NonFiniteLoss: a weight is not finite.
        """
        training, step = self.training, self.training.global_step
        bad = training.learner.find_non_finite()
        if bad:
            raise non_finite(
                self.agent, f"{bad} is not finite at step {step}, though every loss was"
            )
        self.is_save_wanted = False
        states = {
            name: dict(callback.state())
            for name, callback in named_callbacks(self.callbacks).items()
        }
        path = self.agent.checkpoints.save(
            step, {"global_step": step, "callbacks": states} | training.state()
        )
        for callback in self.callbacks:
            callback.on_checkpoint(self.agent, step, str(path))

    def _loop(self, goals: Goals, request: Any) -> None:
        training = self.training
        saved = training.timestep, training.global_step
        self._clock.is_due()
        while not self._reached(goals) and request.number is None:
            before, step = training.timestep, training.global_step
            if training.rest:
                self._learn_from(training.rest, goals)
            elif step < self._schedule.pretraining:
                self._learn_from(
                    training.memory.sample(
                        min(PRETRAINING_BLOCK, self._schedule.pretraining - step)
                    ),
                    goals,
                )
            elif self._in_order and training.fused is not None:
                self._advance()
            else:
                self._act()
                self._learn(before, goals)
            if training.global_step > step:
                self._report(step, training.global_step)
            elif self._looks.is_due():
                self._tell_block()
            is_due = (
                _is_passed(step, training.global_step, self._periods.save_checkpoints_steps)
                or self._clock.is_due()
            )
            if is_due or self.is_save_wanted:
                self.save()
                saved = training.timestep, training.global_step
        if request.number is None:
            self._log_rest()
        if (
            training.timestep,
            training.global_step,
        ) != saved or self.agent.checkpoints.latest() is None:
            self.save()
        if request.number is not None:
            raise Interrupted(
                request.number,
                f"stopped by signal {request.number} at timestep {training.timestep}; the same command goes on from there",
            )

    def _reached(self, goals: Goals) -> bool:
        training = self.training
        return (
            (goals.steps is not None and training.global_step >= goals.steps)
            or (goals.timesteps is not None and training.timestep >= goals.timesteps)
            or (goals.episodes is not None and training.episodes.ended >= goals.episodes)
            or any(callback.stop_training for callback in self.callbacks)
        )

    def _advance(self) -> None:
        """A batch of actions, and what is learnt of it."""
        training = self.training
        learnt, steps = training.advance()
        self._check_finite(learnt)
        for step in steps:
            training.timestep += training.env.num_envs
            for episode in training.episodes.add(step):
                self._tell_episode(episode)

    def _act(self) -> None:
        """One action in each environment."""
        training, policy = self.training, self.training.spec.policy
        actions = policy.act(training.observations, training.timestep, training.masks)
        step = training.env.step(actions)
        self._remember(actions, step)
        training.timestep += training.env.num_envs if step.valid is None else int(step.valid.sum())
        training.observations, training.masks = step.observations, step.action_masks
        ended = training.episodes.add(step)
        if ended:
            policy.restart(step.ended)
            for episode in ended:
                self._tell_episode(episode)

    def _remember(self, actions: np.ndarray, step: Step) -> None:
        training = self.training
        transition = step.transition(training.observations, actions, training.masks)
        if self._in_order:
            # What an environment did on its reset is kept too, for the rows of a batch to stay in step; it counts for nothing.
            transition["valid"] = self._everywhere if step.valid is None else step.valid
        elif step.valid is not None:
            chosen = np.flatnonzero(step.valid)
            if not len(chosen):
                return
            transition = {name: _rows(value, chosen) for name, value in transition.items()} | {
                "env": chosen
            }
        training.memory.step(**transition)

    def _learn(self, before: int, goals: Goals) -> None:
        """Make the updates that are due."""
        training, memory = self.training, self.training.memory
        count = 1 if self._in_order else self._schedule.due(before, training.timestep)
        if count > 0 and memory.can_sample():
            self._learn_from(memory.sample(count), goals)

    def _learn_from(self, batches: Mapping[str, Any], goals: Goals) -> None:
        """Make an update for each batch; those after the last step are kept for when training goes on."""
        training, memory, step = self.training, self.training.memory, self.training.global_step
        training.rest = {}
        if (
            goals.steps is not None
            and not self._in_order
            and len(batches["reward"]) > goals.steps - step
        ):
            cut = goals.steps - step
            training.rest = {
                name: _rows(value, slice(cut, None)) for name, value in batches.items()
            }
            batches = {name: _rows(value, slice(cut)) for name, value in batches.items()}
        learnt = training.learn(batches)
        self._check_finite(learnt)
        if learnt.errors is not None and "indices" in batches:
            memory.update_priorities(batches["indices"], learnt.errors)

    def _check_finite(self, learnt: UpdateResult) -> None:
        if not math.isfinite(learnt.metrics["loss"]):
            training = self.training
            raise non_finite(
                self.agent,
                f"the loss is not finite at step {training.global_step}, timestep {training.timestep}",
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
        for callback in self.callbacks:
            callback.on_episode(self.agent, counted)

    def _tell_block(self) -> None:
        for callback in self.callbacks:
            callback.on_block(self.agent, self.training.global_step)

    def _report(self, before: int, step: int) -> None:
        """Tell of updates, and log and summarise if that is due."""
        self._tell_block()
        log, summarise = (
            _is_passed(before, step, period)
            for period in (self._periods.log_step_count_steps, self._periods.save_summary_steps)
        )
        due = [
            callback
            for callback in self.callbacks
            if _is_passed(before, step, callback.every_n_steps)
        ]
        if not (log or summarise or due):
            return
        metrics = self._metrics()
        if log:
            self._log(metrics)
        if summarise:
            self._summarise(step, metrics)
        for callback in due:
            callback.on_steps(self.agent, step, metrics)

    def _log_rest(self) -> None:
        """Log what came after the last line, when there will be no more of it."""
        if (
            self._periods.log_step_count_steps is not None
            and self.training.timestep > self._logged[1]
        ):
            self._log(self._metrics())

    def _metrics(self) -> dict[str, float]:
        """The means since they were last logged, and the counters."""
        training = self.training
        return {
            **training.means.results(),
            "learning_rate": training.learner.learning_rate,
            **training.spec.policy.metrics(training.timestep),
            "global_timestep": float(training.timestep),
            "global_episode": float(training.episodes.ended),
            "replay_ratio": training.global_step / max(training.timestep, 1),
        }

    def _log(self, metrics: Mapping[str, float]) -> None:
        training = self.training
        last_step, last_timestep, last_time = self._logged
        now, step = time.perf_counter(), training.global_step
        elapsed = max(now - last_time, 1e-9)
        rates = {
            "steps_per_second": (step - last_step) / elapsed,
            "timesteps_per_second": (training.timestep - last_timestep) / elapsed,
        }
        self._logged = (step, training.timestep, now)
        rounded = {name: round(value, 3) for name, value in rates.items()}
        self.agent.run_directory.append_metrics(step, "train", metrics, **rounded, time=time.time())
        for callback in self.callbacks:
            callback.on_log(self.agent, step, {**metrics, **rates})
        training.means.clear()

    def _summarise(self, step: int, metrics: Mapping[str, float]) -> None:
        wanted, variables = self.training.spec.summaries, self.training.spec.network.variables
        shown = {
            name: value
            for name, value in metrics.items()
            if name not in ("loss", "learning_rate") or name in wanted
        }
        for tracker in self.trackers:
            tracker.log(step, "train", shown)
            if "variables" in wanted and isinstance(tracker, TensorBoardTracker):
                tracker.log_tensors(
                    step,
                    "train",
                    {f"variables/{variable.path}": variable.numpy() for variable in variables},
                )


def _is_passed(before: int, now: int, period: int | None) -> bool:
    """Whether a multiple of the period lies between two counts."""
    return period is not None and now // period > before // period


def _rows(value: Any, chosen: np.ndarray | slice) -> Any:
    return (
        {name: part[chosen] for name, part in value.items()}
        if isinstance(value, Mapping)
        else value[chosen]
    )
