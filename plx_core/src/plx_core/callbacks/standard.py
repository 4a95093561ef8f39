"""Callbacks that come with the core: the hooks of polyaxon-lib and of `tf.estimator` in today's form, and Keras's two favourites."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from plx_core.annotations import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from plx_core.callbacks.callback import Callback
from plx_core.errors import NonFiniteLoss
from plx_core.runs.metrics import metric_value
from plx_core.state import State

logger = logging.getLogger(__name__)


class StopAtStep(Callback):
    """Stop at a step.

    Args:
        last_step: the global step to stop at; or give `num_steps`.
        num_steps: how many more steps to take.
    """

    def __init__(
        self, last_step: PositiveInt | None = None, num_steps: PositiveInt | None = None
    ) -> None:
        if (last_step is None) == (num_steps is None):
            raise ValueError("StopAtStep takes last_step or num_steps, one of the two")
        self.last_step = last_step
        self._num_steps = num_steps

    def on_run_begin(self, run: Any, step: int) -> None:
        """Find the step to stop at."""
        if self.last_step is None:
            self.last_step = step + (self._num_steps or 0)

    def state(self) -> State:
        """The step to stop at."""
        return {"last_step": self.last_step}

    def restore(self, state: State) -> None:
        """Stop where the run before would have."""
        self.last_step = state.get("last_step", self.last_step)


class StepLogging(Callback):
    """Log metrics through `logging`.

    Args:
        every_n_steps: how often.
        metrics: which ones; all when None.
    """

    def __init__(self, every_n_steps: PositiveInt = 100, metrics: list[str] | None = None) -> None:
        self.every_n_steps = every_n_steps
        self._names = metrics

    def on_steps(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Write a line."""
        chosen = (
            {name: metric_value(metrics, name) for name in self._names} if self._names else metrics
        )
        logger.info(
            "step %d  %s", step, "  ".join(f"{name} {value:.6g}" for name, value in chosen.items())
        )


class StepCounter(Callback):
    """Write the rate to the metrics, as `steps_per_second` in a split called `rate`.

    Args:
        every_n_steps: over how many steps it is measured.
    """

    def __init__(self, every_n_steps: PositiveInt = 100) -> None:
        self.every_n_steps = every_n_steps
        self._last: tuple[int, float] | None = None

    def on_steps(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Measure."""
        now = time.perf_counter()
        if self._last is not None:
            run.run_directory.append_metrics(
                step, "rate", {"steps_per_second": (step - self._last[0]) / (now - self._last[1])}
            )
        self._last = (step, now)


class CheckpointSaver(Callback):
    """Save a checkpoint at each multiple of some steps, besides those of the run config.

    Args:
        save_steps: how often.
    """

    def __init__(self, save_steps: PositiveInt) -> None:
        self.every_n_steps = save_steps

    def on_steps(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Ask for one."""
        run.save_checkpoint()


class SummarySaver(Callback):
    """Append the metrics to `metrics.jsonl`, in a split of its own, at each multiple of some steps.

    Args:
        save_steps: how often.
        split: the split's name.
    """

    def __init__(self, save_steps: PositiveInt = 100, split: str = "summary") -> None:
        self.every_n_steps = save_steps
        self._split = split

    def on_steps(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Write a line."""
        run.run_directory.append_metrics(step, self._split, metrics)


class NanGuard(Callback):
    """Watch a metric for values that are not finite; the loss itself is always watched.

    Args:
        metric: which one.
        fail: whether such a value is an error, or only ends the training.
        every_n_steps: how often it is looked at.
    """

    def __init__(
        self, metric: str = "loss", fail: bool = True, every_n_steps: PositiveInt = 100
    ) -> None:
        self._metric, self._fail = metric, fail
        self.every_n_steps = every_n_steps

    def on_steps(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Look at it."""
        value = metric_value(metrics, self._metric)
        if math.isfinite(value):
            return
        if self._fail:
            raise NonFiniteLoss(f"{self._metric} is {value} at step {step}")
        logger.warning("%s is %s at step %d; training ends", self._metric, value, step)
        self.stop_training = True


class GlobalStepWaiter(Callback):
    """Start training only when a run, perhaps another process's, has reached a step.

    Args:
        wait_until_step: the step to wait for.
        run_dir: whose checkpoints are watched; this run's when None.
        poll_secs: seconds between looks.
    """

    def __init__(
        self,
        wait_until_step: NonNegativeInt,
        run_dir: str | None = None,
        poll_secs: PositiveFloat = 1.0,
    ) -> None:
        self._step, self._run_dir, self._poll = wait_until_step, run_dir, poll_secs

    def on_run_begin(self, run: Any, step: int) -> None:
        """Wait."""
        from plx_core.runs.checkpoints import Checkpoints, step_of
        from plx_core.runs.run_directory import CHECKPOINTS

        watched = Checkpoints(Path(self._run_dir or run.model_dir) / CHECKPOINTS)
        while self._step > 0:
            latest = watched.latest()
            if latest is not None and step_of(latest) >= self._step:
                return
            time.sleep(self._poll)


class FinalOps(Callback):
    """Call a function at the end of training.

    Args:
        function: given the estimator and the step.
    """

    def __init__(self, function: Callable[[Any, int], Any]) -> None:
        self._function = function
        self.result: Any = None

    def on_run_end(self, run: Any, step: int) -> None:
        """Call it; `result` keeps what it returns."""
        self.result = self._function(run, step)


class StopAfterNEvals(Callback):
    """Stop after some evaluations.

    Args:
        num_evals: how many.
    """

    def __init__(self, num_evals: PositiveInt) -> None:
        self._left = num_evals

    def on_evaluate(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Count."""
        self._left -= 1
        self.stop_training = self._left <= 0

    def state(self) -> State:
        """How many are left."""
        return {"left": self._left}

    def restore(self, state: State) -> None:
        """Go on counting."""
        self._left = state.get("left", self._left)
        self.stop_training = self._left <= 0


class Profiler(Callback):
    """Record a trace of some steps for TensorBoard's profiler, in the run directory's `profile`.

    Args:
        start_step: the step at which it starts.
        num_steps: how many steps it lasts, rounded up to the steps of one call.
    """

    def __init__(self, start_step: PositiveInt = 100, num_steps: PositiveInt = 100) -> None:
        self._start, self._stop = start_step, start_step + num_steps
        self._running = False
        self.every_n_steps = num_steps

    def on_block(self, run: Any, step: int) -> None:
        """Start or stop."""
        import tensorflow as tf

        if not self._running and self._start <= step < self._stop:
            tf.profiler.experimental.start(str(run.model_dir / "profile"))
            self._running = True
        elif self._running and step >= self._stop:
            self._end()

    def on_run_end(self, run: Any, step: int) -> None:
        """Stop, if the run was shorter."""
        self._end()

    def _end(self) -> None:
        import tensorflow as tf

        if self._running:
            tf.profiler.experimental.stop()
            self._running = False


class _Watcher:
    """The best value of a metric, and how many evaluations ago it was seen."""

    def __init__(self, metric: str, higher_is_better: bool, min_delta: float) -> None:
        self.metric, self._sign, self._min_delta = (
            metric,
            -1.0 if higher_is_better else 1.0,
            min_delta,
        )
        self.best: float | None = None
        self.waited = 0

    def see(self, metrics: Mapping[str, float]) -> bool:
        """Whether the metric is the best so far."""
        value = metric_value(metrics, self.metric)
        if self.best is None or self._sign * (self.best - value) > self._min_delta:
            self.best, self.waited = value, 0
            return True
        self.waited += 1
        return False


class EarlyStopping(Callback):
    """Stop when a metric of the evaluations has not improved for some time.

    Args:
        metric: which one.
        higher_is_better: whether more of it is better.
        patience: how many evaluations without an improvement are waited for.
        min_delta: how large an improvement must be.
    """

    def __init__(
        self,
        metric: str = "loss",
        higher_is_better: bool = False,
        patience: NonNegativeInt = 3,
        min_delta: NonNegativeFloat = 0.0,
    ) -> None:
        self._watcher = _Watcher(metric, higher_is_better, min_delta)
        self._patience = patience

    def on_evaluate(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Stop if there was no improvement."""
        improved = self._watcher.see(metrics)
        if not improved and self._watcher.waited > self._patience:
            logger.info(
                "%s has not improved on %.6g for %d evaluations; training ends at step %d",
                self._watcher.metric,
                self._watcher.best,
                self._watcher.waited,
                step,
            )
            self.stop_training = True

    def state(self) -> State:
        """The best value, how long ago it was seen, and whether training has ended."""
        return {
            "best": self._watcher.best,
            "waited": self._watcher.waited,
            "stopped": self.stop_training,
        }

    def restore(self, state: State) -> None:
        """Go on waiting."""
        self._watcher.best, self._watcher.waited = state.get("best"), state.get("waited", 0)
        self.stop_training = state.get("stopped", False)


class ReduceLROnPlateau(Callback):
    """Lower the learning rate when a metric of the evaluations has not improved for some time.

    Args:
        metric: which one.
        higher_is_better: whether more of it is better.
        factor: what the rate is multiplied by.
        patience: how many evaluations without an improvement are waited for.
        min_delta: how large an improvement must be.
        min_learning_rate: the least rate.
    """

    def __init__(
        self,
        metric: str = "loss",
        higher_is_better: bool = False,
        factor: PositiveFloat = 0.1,
        patience: NonNegativeInt = 3,
        min_delta: NonNegativeFloat = 0.0,
        min_learning_rate: NonNegativeFloat = 0.0,
    ) -> None:
        self._watcher = _Watcher(metric, higher_is_better, min_delta)
        self._factor, self._patience, self._least = factor, patience, min_learning_rate

    def on_evaluate(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Lower the rate if there was no improvement."""
        if self._watcher.see(metrics) or self._watcher.waited <= self._patience:
            return
        self._watcher.waited = 0
        run.learning_rate = max(run.learning_rate * self._factor, self._least)

    def state(self) -> State:
        """The best value, and how long ago it was seen; the rate itself is part of the optimizer's state."""
        return {"best": self._watcher.best, "waited": self._watcher.waited}

    def restore(self, state: State) -> None:
        """Go on waiting."""
        self._watcher.best, self._watcher.waited = state.get("best"), state.get("waited", 0)
