"""The training loop that supervised and reinforcement learning share."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import evolve, frozen

from plx_core.callbacks.callback import Callback
from plx_core.callbacks.dispatch import tell
from plx_core.config.sections import RunConfig
from plx_core.engine.explained_write import explained_write
from plx_core.engine.failures import reporting
from plx_core.engine.pacing import Clock
from plx_core.engine.signals import Interrupted, StopRequest, stop_on_signals
from plx_core.errors import NonFiniteLoss
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.variable_names import variables_by_name
from plx_core.runs.interfaces import Tracker
from plx_core.runs.run import Run
from plx_core.types import Array

logger = logging.getLogger(__name__)

DEFAULT_CHECKPOINT_SECS = 600.0
"""Seconds between checkpoints when the run config sets no period."""


@frozen
class Goals:
    """The totals at which training stops; None means never."""

    steps: int | None = None
    episodes: int | None = None
    timesteps: int | None = None


class TrainingLoop(ABC):
    """One call of `train`: advance, report, log, summarise and save until a goal is reached.

    Subclasses define how training advances and what its state is.

    Args:
        run: the estimator or agent that is trained.
        config: when to save, log and summarise.
        callbacks: called at each event, in this order.
        trackers: where summaries go.
    """

    def __init__(
        self,
        run: Run,
        config: RunConfig,
        callbacks: Sequence[Callback],
        trackers: Sequence[Tracker],
    ) -> None:
        self.trainer = run
        self.callbacks = callbacks
        self.trackers = trackers
        self._is_running = False
        self._save_requested = False
        self.goals = Goals()
        self._periods = config
        seconds = self._periods.save_checkpoints_secs
        if self._periods.save_checkpoints_steps is None and seconds is None:
            seconds = DEFAULT_CHECKPOINT_SECS
        self._clock = Clock(seconds)
        self._logged_counts: dict[str, int] = {}
        self._logged_time = 0.0

    @property
    @abstractmethod
    def spec(self) -> EstimatorSpec:
        """The specification that is trained."""

    @property
    @abstractmethod
    def global_step(self) -> int:
        """The number of steps so far, over all calls and resumed runs."""

    @property
    @abstractmethod
    def learning_rate(self) -> float:
        """The learning rate of the next update; settable unless a schedule determines it."""

    @learning_rate.setter
    @abstractmethod
    def learning_rate(self, value: float) -> None: ...

    @abstractmethod
    def _advance(self) -> None:
        """Train for one block, short enough that no period and no goal is overshot."""

    @abstractmethod
    def _metrics(self, *, reset: bool) -> dict[str, float]:
        """Return the means since the last log, and the counters.

        Args:
            reset: whether to start new means.
        """

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return what a checkpoint holds besides the step and the callbacks' states."""

    @abstractmethod
    def _find_non_finite(self) -> str:
        """Return the name of a weight that is not finite, or an empty string."""

    def _counts(self) -> dict[str, int]:
        """Return how far training has come, by unit; the rates that are logged follow from it."""
        return {"steps": self.global_step}

    def _tensors(self) -> dict[str, Array]:
        """Return the tensors of a summary by tag, besides the variables."""
        return {}

    def _idle(self) -> None:
        """Do what is due after a block without an update."""

    def _is_finished(self) -> bool:
        """Whether a goal has been reached or a callback has stopped the training."""
        steps = self.goals.steps
        return (steps is not None and self.global_step >= steps) or any(
            callback.stop_training for callback in self.callbacks
        )

    def run(self, goals: Goals) -> None:
        """Train until a goal is reached, a callback stops it, or the data ends.

        Raises:
            ComponentError: a callback does not fit what is trained.
            NonFiniteLoss: a loss or a weight is not finite.
            Interrupted: a signal asked to stop; a checkpoint was written.
        """
        self.goals = goals
        if self._is_finished():
            return
        for callback in self.callbacks:
            callback.check(self.spec)
        self._tell("on_run_begin", self.trainer, self.global_step)
        stops = (goals.steps, *(callback.last_step for callback in self.callbacks))
        first_stop = min((stop for stop in stops if stop is not None), default=None)
        self.goals = evolve(goals, steps=first_stop)
        self._logged_counts, self._logged_time = self._counts(), time.perf_counter()
        self._is_running = True
        try:
            with stop_on_signals() as request:
                self._loop(request)
            self._tell("on_run_end", self.trainer, self.global_step)
        finally:
            self._is_running = False
            for tracker in self.trackers:
                with explained_write(f"the tracker {type(tracker).__name__}"):
                    tracker.close()

    def request_save(self) -> None:
        """Save a checkpoint after the current block of steps, or now if none runs."""
        self._save_requested = True
        if not self._is_running:
            self.save()

    def save(self) -> None:
        """Save a checkpoint now.

        Raises:
            NonFiniteLoss: a weight is not finite, as after an update whose loss was finite and
                whose gradient was not.
        """
        step = self.global_step
        name = self._find_non_finite()
        if name:
            raise self._non_finite(f"{name} is not finite at step {step}, though every loss was")
        self._save_requested = False
        states = dict(
            zip(named_callbacks(self.callbacks), map(dict, self._tell("state")), strict=True)
        )
        state = {"global_step": step, "callbacks": states} | self._state()
        path = self.trainer.checkpoints.save(step, state)
        self._tell("on_checkpoint", self.trainer, step, str(path))

    def _loop(self, request: StopRequest) -> None:
        saved = self._counts()
        self._clock.is_due()
        while not self._is_finished() and request.number is None:
            before = self._counts()
            with reporting(f"training after step {before['steps']}"):
                self._advance()
            counts = self._counts()
            if counts["steps"] > before["steps"]:
                self._report(before["steps"], counts["steps"])
            else:
                self._idle()
            if self._is_finished():
                self._log_rest()
            if self._is_save_due(before, counts):
                self.save()
                saved = counts
        if self._counts() != saved or self.trainer.checkpoints.latest() is None:
            self.save()
        if request.number is not None:
            unit, count = list(self._counts().items())[-1]
            raise Interrupted(
                request.number,
                f"stopped by signal {request.number} at {unit.removesuffix('s')} {count}; "
                "run the same command again to resume",
            )

    def _is_save_due(self, before: Mapping[str, int], now: Mapping[str, int]) -> bool:
        period = self._periods.save_checkpoints_steps
        is_due = crosses(before["steps"], now["steps"], period) or self._clock.is_due()
        return self._save_requested or (is_due and now != before)

    def _report(self, before: int, step: int) -> None:
        """Tell the callbacks of a block of updates, and log and summarise if that is due."""
        self._tell_block()
        log = crosses(before, step, self._periods.log_step_count_steps)
        summarise = crosses(before, step, self._periods.save_summary_steps)
        due = [
            callback for callback in self.callbacks if crosses(before, step, callback.every_n_steps)
        ]
        if not (log or summarise or due):
            return
        metrics = self._metrics(reset=log)
        if log:
            self._log(metrics)
        if summarise:
            self._summarise(step, metrics)
        tell(due, "on_steps", step, self.trainer, step, metrics)

    def _tell_block(self) -> None:
        self._tell("on_block", self.trainer, self.global_step)

    def _tell(self, event: str, *args: Any) -> list[Any]:
        return tell(self.callbacks, event, self.global_step, *args)

    def _log_rest(self) -> None:
        """Log what has happened since the last log, at the end of training."""
        if self._periods.log_step_count_steps is not None and self._counts() != self._logged_counts:
            self._log(self._metrics(reset=True))

    def _log(self, metrics: Mapping[str, float]) -> None:
        step, counts, now = self.global_step, self._counts(), time.perf_counter()
        elapsed = max(now - self._logged_time, 1e-9)
        rates = {
            f"{unit}_per_second": (count - self._logged_counts[unit]) / elapsed
            for unit, count in counts.items()
        }
        self._logged_counts, self._logged_time = counts, now
        rounded = {name: round(rate, 3) for name, rate in rates.items()}
        self.trainer.run_directory.append_metrics(
            step, "train", metrics, **rounded, time=time.time()
        )
        self._tell("on_log", self.trainer, step, {**metrics, **rates})

    def _summarise(self, step: int, metrics: Mapping[str, float]) -> None:
        requested = self.spec.summaries
        scalars = {
            name: value
            for name, value in metrics.items()
            if name not in ("loss", "learning_rate") or name in requested
        }
        tensors = self._tensors()
        if "variables" in requested:
            variables = variables_by_name(self.spec.network)
            tensors |= {
                f"variables/{name}": variable.numpy()
                for name, variable in variables.items()
                if len(variable.shape)
            }
        images = {tag: value for tag, value in tensors.items() if tag.startswith("image")}
        scalars |= {tag: float(value) for tag, value in tensors.items() if np.ndim(value) == 0}
        histograms = {
            tag: value for tag, value in tensors.items() if tag not in images and tag not in scalars
        }
        for tracker in self.trackers:
            with explained_write(f"the tracker {type(tracker).__name__}"):
                tracker.log(step, "train", scalars)
                if images:
                    tracker.log_images(step, "train", images)
                if histograms:
                    tracker.log_histograms(step, "train", histograms)

    def _non_finite(self, message: str) -> NonFiniteLoss:
        latest = self.trainer.checkpoints.latest()
        last = f"the last good checkpoint is {latest}" if latest else "there is no checkpoint yet"
        return NonFiniteLoss(
            f"{message}; {last}. Try a lower learning rate, clip_gradients, "
            "or inputs scaled to about 1"
        )


def named_callbacks(callbacks: Sequence[Callback]) -> dict[str, Callback]:
    """Return the callbacks under the names by which a checkpoint keeps their states."""
    return {
        f"{index:02d}_{type(callback).__name__}": callback
        for index, callback in enumerate(callbacks)
    }


def restore_callbacks(callbacks: Sequence[Callback], state: Mapping[str, Any]) -> None:
    """Give the callbacks the states that a checkpoint holds of them."""
    for name, callback in named_callbacks(callbacks).items():
        tell([callback], "restore", state["global_step"], state["callbacks"].get(name, {}))


def crosses(before: int, now: int, period: int | None) -> bool:
    """Whether a count passes a multiple of the period between two values."""
    return period is not None and now // period > before // period
