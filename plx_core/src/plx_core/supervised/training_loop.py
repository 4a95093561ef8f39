"""One call of training: when to step, log, summarise and save, and what memory holds between two calls."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from attrs import define

from plx_core.callbacks.callback import Callback
from plx_core.data.input_fn import explained
from plx_core.data.pipeline import Pipeline
from plx_core.engine.loop import named_callbacks, non_finite
from plx_core.engine.pacing import BlockSize, Clock
from plx_core.engine.signals import Interrupted, stop_on_signals
from plx_core.runs.interfaces import Tracker
from plx_core.runs.trackers import TensorBoardTracker
from plx_core.supervised.training_program import FINITE, TrainingProgram

if TYPE_CHECKING:
    from plx_core.supervised.estimator import Estimator

logger = logging.getLogger(__name__)

TENSOR_SUMMARIES = frozenset({"activations", "gradients", "image_input", "image_result"})


@define(eq=False)
class TrainingState:
    """What is trained, and how far its data has been read."""

    input_fn: Any
    pipeline: Pipeline
    program: TrainingProgram
    batches: Any
    position: int

    @property
    def remaining(self) -> int | None:
        """How many batches are left; None when that is not known, or they never end."""
        count = self.pipeline.num_batches
        return None if count is None else count - self.position


class TrainingRun:
    """One call of `Estimator.train`."""

    def __init__(
        self,
        estimator: Estimator,
        training: TrainingState,
        callbacks: Sequence[Callback],
        trackers: Sequence[Tracker],
    ) -> None:
        self.estimator = estimator
        self.training = training
        self.program = training.program
        self.callbacks = callbacks
        self.trackers = trackers
        run = estimator.config.run_config
        self._periods = run
        no_period = run.save_checkpoints_steps is None and run.save_checkpoints_secs is None
        self._clock = Clock(600.0 if no_period else run.save_checkpoints_secs)
        self._block = BlockSize(estimator.config.steps_per_call)
        self._tensors: dict[str, Any] = {}
        self._logged = (0, 0.0)

    def run(self, steps: int | None, max_steps: int | None) -> None:
        """Step until the goal or the end of the data."""
        estimator, program = self.estimator, self.program
        goal = program.global_step + steps if steps is not None else max_steps
        step = program.global_step
        if goal is not None and step >= goal:
            return
        for callback in self.callbacks:
            callback.on_run_begin(estimator, step)
        goal = min(
            (
                stop
                for stop in (goal, *(callback.last_step for callback in self.callbacks))
                if stop is not None
            ),
            default=None,
        )
        self._logged = (step, time.perf_counter())
        estimator.run_directory.note_data("train", self.training.pipeline.counters())
        try:
            with stop_on_signals() as request:
                ended = self._loop(goal, request)
            for callback in self.callbacks:
                callback.on_run_end(estimator, program.global_step)
        finally:
            for tracker in self.trackers:
                tracker.close()
        if ended and program.global_step == step:
            logger.warning(
                "the training data has been used up at step %d; nothing was left to train on", step
            )

    def _loop(self, goal: int | None, request: Any) -> bool:
        """Step to the goal; whether the data ended before it."""
        program, run = self.program, self._periods
        periods = [run.save_checkpoints_steps, run.save_summary_steps, run.log_step_count_steps]
        periods += [callback.every_n_steps for callback in self.callbacks]
        step, ended = program.global_step, False
        saved = step
        self._clock.is_due()
        while (
            not ended
            and (goal is None or step < goal)
            and request.number is None
            and not self._is_stopped()
        ):
            last = step
            step, ended = self._advance(step, self._block.next(step, goal, periods))
            if step > last:
                self._report(step)
            if ended or step == goal:
                self._log_rest(step)
            if step > last and (_is_due(step, run.save_checkpoints_steps) or self._clock.is_due()):
                self.save()
                saved = step
        if step > saved or self.estimator.checkpoints.latest() is None:
            self.save()
        if request.number is not None:
            raise Interrupted(
                request.number,
                f"stopped by signal {request.number} at step {step}; the same command goes on from there",
            )
        return ended

    def _is_stopped(self) -> bool:
        return any(callback.stop_training for callback in self.callbacks)

    def _advance(self, step: int, count: int) -> tuple[int, bool]:
        """Take up to `count` steps; the step that was reached, and whether the data has ended."""
        training, program = self.training, self.program
        remaining = training.remaining
        if remaining is not None:
            count = min(count, remaining)
        if count <= 0:
            return step, True
        began = time.perf_counter()
        try:
            with explained(training.pipeline):
                self._take(step, count)
            ended = remaining == count
        except tf.errors.OutOfRangeError:
            ended = True
        self._block.took(count, time.perf_counter() - began)
        reached = program.global_step
        if program.bad_step != FINITE:
            batch = training.position + program.bad_step
            raise non_finite(
                self.estimator,
                f"the loss is not finite at step {step + program.bad_step + 1} (batch {batch} of the training data, counted from 0)",
            )
        training.position += reached - step
        return reached, ended

    def _take(self, step: int, count: int) -> None:
        wanted = bool(TENSOR_SUMMARIES & self.program.spec.summaries)
        if wanted and _is_due(step + count, self._periods.save_summary_steps):
            self._tensors = self.program.run_and_summarise(self.training.batches, count)
        else:
            self.program.run(self.training.batches, count)

    def _report(self, step: int) -> None:
        """Tell of a block of steps, and log and summarise if that is due."""
        for callback in self.callbacks:
            callback.on_block(self.estimator, step)
        log, summarise = (
            _is_due(step, period)
            for period in (self._periods.log_step_count_steps, self._periods.save_summary_steps)
        )
        due = [callback for callback in self.callbacks if _is_due(step, callback.every_n_steps)]
        if not (log or summarise or due):
            return
        metrics = self._metrics(reset=log)
        if log:
            self._log(step, metrics)
        if summarise:
            self._summarise(step, metrics)
        for callback in due:
            callback.on_steps(self.estimator, step, metrics)

    def _log_rest(self, step: int) -> None:
        """Log the steps since the last line, when there will be no more of them."""
        if self._periods.log_step_count_steps is not None and step > self._logged[0]:
            self._log(step, self._metrics(reset=True))

    def _metrics(self, *, reset: bool) -> dict[str, float]:
        """The means since they were last logged, the learning rate, and what was counted while reading."""
        counters = {name: float(count) for name, count in self.training.pipeline.counters().items()}
        return self.program.results(reset=reset) | counters

    def _log(self, step: int, metrics: Mapping[str, float]) -> None:
        last_step, last_time = self._logged
        now = time.perf_counter()
        rate = (step - last_step) / max(now - last_time, 1e-9)
        self._logged = (step, now)
        self.estimator.run_directory.append_metrics(
            step, "train", metrics, steps_per_second=round(rate, 3), time=time.time()
        )
        for callback in self.callbacks:
            callback.on_log(self.estimator, step, {**metrics, "steps_per_second": rate})

    def _summarise(self, step: int, metrics: Mapping[str, float]) -> None:
        wanted = self.program.spec.summaries
        shown = {
            name: value
            for name, value in metrics.items()
            if name not in ("loss", "learning_rate") or name in wanted
        }
        tensors: dict[str, Any] = {}
        if "variables" in wanted:
            tensors = {
                f"variables/{name}": variable.numpy()
                for name, variable in self.program.variables.items()
                if np.ndim(variable) > 0
            }
        if TENSOR_SUMMARIES & wanted:
            tensors |= self._tensors
        for tracker in self.trackers:
            tracker.log(step, "train", shown)
            if tensors and isinstance(tracker, TensorBoardTracker):
                tracker.log_tensors(step, "train", tensors)

    def save(self) -> None:
        """Save a checkpoint at the current step.

        Raises:
            NonFiniteLoss: a weight is not finite, as after a step whose loss was finite and whose gradient was not.
        """
        estimator, step = self.estimator, self.program.global_step
        bad = self.program.find_non_finite()
        if bad:
            raise non_finite(
                estimator, f"{bad} is not finite at step {step}, though every loss was"
            )
        states = {
            name: dict(callback.state())
            for name, callback in named_callbacks(self.callbacks).items()
        }
        state = {
            "global_step": step,
            "program": self.program.state(),
            "input": {"batch": self.training.position},
            "callbacks": states,
        }
        path = estimator.checkpoints.save(step, state)
        for callback in self.callbacks:
            callback.on_checkpoint(estimator, step, str(path))


def _is_due(step: int, period: int | None) -> bool:
    return bool(period) and step % (period or 1) == 0
