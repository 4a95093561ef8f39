"""The callbacks of the core: those of polyaxon-lib and `tf.estimator`, and two of Keras's."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plx_core.annotations import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from plx_core.callbacks.callback import Callback
from plx_core.errors import ComponentError, NonFiniteLoss
from plx_core.runs.metrics import Criterion, criterion_of, metric_value, require_metric
from plx_core.state import State

if TYPE_CHECKING:
    from plx_core.models.spec import EstimatorSpec
    from plx_core.runs.run import Run

logger = logging.getLogger(__name__)


class StopAtStep(Callback):
    """Stop at a step.

    Args:
        last_step: the global step to stop at.
        num_steps: the number of further steps; an alternative to `last_step`.
    """

    def __init__(
        self, last_step: PositiveInt | None = None, num_steps: PositiveInt | None = None
    ) -> None:
        if (last_step is None) == (num_steps is None):
            raise ValueError("StopAtStep takes either last_step or num_steps")
        self.last_step = last_step
        self._num_steps = num_steps

    def on_run_begin(self, run: Run, step: int) -> None:
        """Set the step to stop at."""
        if self.last_step is None:
            self.last_step = step + (self._num_steps or 0)

    def state(self) -> State:
        """Return the step to stop at."""
        return {"last_step": self.last_step}

    def restore(self, state: State) -> None:
        """Stop where the interrupted run would have stopped."""
        self.last_step = state.get("last_step", self.last_step)


class StepLogging(Callback):
    """Log metrics through `logging`.

    Args:
        every_n_steps: steps between two lines.
        metrics: the names of the metrics to log; all when None.
    """

    def __init__(self, every_n_steps: PositiveInt = 100, metrics: list[str] | None = None) -> None:
        self.every_n_steps = every_n_steps
        self._names = metrics

    def on_steps(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Write a line."""
        chosen = (
            {name: metric_value(metrics, name) for name in self._names} if self._names else metrics
        )
        logger.info(
            "step %d  %s", step, "  ".join(f"{name} {value:.6g}" for name, value in chosen.items())
        )


class StepCounter(Callback):
    """Write `steps_per_second` to the metrics, in a split called `rate`.

    Args:
        every_n_steps: the number of steps over which the rate is measured.
    """

    def __init__(self, every_n_steps: PositiveInt = 100) -> None:
        self.every_n_steps = every_n_steps
        self._last: tuple[int, float] | None = None

    def on_steps(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Measure the rate."""
        now = time.perf_counter()
        if self._last is not None:
            run.run_directory.append_metrics(
                step, "rate", {"steps_per_second": (step - self._last[0]) / (now - self._last[1])}
            )
        self._last = (step, now)


class CheckpointSaver(Callback):
    """Save a checkpoint at each multiple of `save_steps`, besides those of the run config.

    Args:
        save_steps: steps between two checkpoints.
    """

    def __init__(self, save_steps: PositiveInt) -> None:
        self.every_n_steps = save_steps

    def on_steps(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Request a checkpoint."""
        run.save_checkpoint()


class SummarySaver(Callback):
    """Append the metrics to `metrics.jsonl` under another split, at each multiple of `save_steps`.

    Args:
        save_steps: steps between two lines.
        split: the name of the split.
    """

    def __init__(self, save_steps: PositiveInt = 100, split: str = "summary") -> None:
        self.every_n_steps = save_steps
        self._split = split

    def on_steps(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Write a line."""
        run.run_directory.append_metrics(step, self._split, metrics)


class NanGuard(Callback):
    """Watch a metric for values that are not finite; the loss itself is always watched.

    Args:
        metric: the name of the metric.
        fail: whether to raise an error rather than only end the training.
        every_n_steps: steps between two checks.
    """

    def __init__(
        self, metric: str = "loss", fail: bool = True, every_n_steps: PositiveInt = 100
    ) -> None:
        self._metric = metric
        self._fail = fail
        self.every_n_steps = every_n_steps

    def on_steps(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Check the metric."""
        value = metric_value(metrics, self._metric)
        if math.isfinite(value):
            return
        if self._fail:
            raise NonFiniteLoss(f"{self._metric} is {value} at step {step}")
        logger.warning("%s is %s at step %d; stopping", self._metric, value, step)
        self.stop_training = True


class GlobalStepWaiter(Callback):
    """Delay the start of training until a run, possibly of another process, has reached a step.

    Args:
        wait_until_step: the step to wait for.
        run_dir: the run directory to watch; this run's when None.
        poll_secs: seconds between two looks at its checkpoints.
    """

    def __init__(
        self,
        wait_until_step: NonNegativeInt,
        run_dir: str | None = None,
        poll_secs: PositiveFloat = 1.0,
    ) -> None:
        self._step = wait_until_step
        self._run_dir = run_dir
        self._poll_secs = poll_secs

    def on_run_begin(self, run: Run, step: int) -> None:
        """Wait for the step."""
        from plx_core.runs.checkpoints import Checkpoints, step_of
        from plx_core.runs.run_directory import CHECKPOINTS

        watched = Checkpoints(Path(self._run_dir or run.model_dir) / CHECKPOINTS)
        while self._step > 0:
            latest = watched.latest()
            if latest is not None and step_of(latest) >= self._step:
                return
            time.sleep(self._poll_secs)


class FinalOps(Callback):
    """Call a function at the end of training.

    Args:
        function: called with the estimator or agent, and the step.
    """

    def __init__(self, function: Callable[[Any, int], Any]) -> None:
        self._function = function
        self.result: Any = None

    def on_run_end(self, run: Run, step: int) -> None:
        """Call the function, and keep what it returns in `result`."""
        self.result = self._function(run, step)


class StopAfterNEvals(Callback):
    """Stop after a number of evaluations.

    Args:
        num_evals: the number of evaluations.
    """

    def __init__(self, num_evals: PositiveInt) -> None:
        self._left = num_evals

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Count the evaluation."""
        self._left -= 1
        self.stop_training = self._left <= 0

    def state(self) -> State:
        """Return the number of evaluations left."""
        return {"left": self._left}

    def restore(self, state: State) -> None:
        """Restore the count."""
        self._left = state.get("left", self._left)
        self.stop_training = self._left <= 0


class Profiler(Callback):
    """Record a trace for TensorBoard's profiler, in the `profile` folder of the run directory.

    Args:
        start_step: the step at which to start.
        num_steps: the number of steps to record, rounded up to whole TensorFlow calls.
    """

    def __init__(self, start_step: PositiveInt = 100, num_steps: PositiveInt = 100) -> None:
        self._start, self._stop = start_step, start_step + num_steps
        self._running = False
        self.every_n_steps = num_steps

    def on_block(self, run: Run, step: int) -> None:
        """Start or stop recording."""
        import tensorflow as tf

        if not self._running and self._start <= step < self._stop:
            tf.profiler.experimental.start(str(run.model_dir / "profile"))
            self._running = True
        elif self._running and step >= self._stop:
            self._end()

    def on_run_end(self, run: Run, step: int) -> None:
        """Stop recording, if the run was shorter."""
        self._end()

    def _end(self) -> None:
        import tensorflow as tf

        if self._running:
            tf.profiler.experimental.stop()
            self._running = False


class _Watcher:
    """The best value of a metric so far, and the number of evaluations since."""

    def __init__(self, criterion: Criterion, min_delta: float) -> None:
        self.criterion = criterion
        self._min_delta = min_delta
        self.best: float | None = None
        self.waited = 0

    def update(self, metrics: Mapping[str, float]) -> bool:
        """Take the metrics of an evaluation; return whether they are the best so far."""
        value = metric_value(metrics, self.criterion.metric)
        if self.criterion.is_better(value, self.best, self._min_delta):
            self.best, self.waited = value, 0
            return True
        self.waited += 1
        return False

    def state(self) -> State:
        """Return the best value and the evaluations since."""
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        self.best, self.waited = state.get("best"), state.get("waited", 0)


class EarlyStopping(Callback):
    """Stop when a metric of the evaluations has stopped improving.

    The best checkpoint is then the result of the run: it is kept, and evaluated, exported and
    predicted with. `keep_best` of the experiment takes precedence.

    Args:
        metric: the name of the metric.
        higher_is_better: whether higher values are better; when None, that is known for the metrics
            of Keras and plx by their names.
        patience: the number of evaluations without improvement after which training stops, as in
            Keras.
        min_delta: the smallest change that counts as an improvement.
        restore_best: whether the best checkpoint is the result of the run, rather than the last.
    """

    def __init__(
        self,
        metric: str = "loss",
        higher_is_better: bool | None = None,
        patience: NonNegativeInt = 3,
        min_delta: NonNegativeFloat = 0.0,
        restore_best: bool = True,
    ) -> None:
        self._watcher = _Watcher(criterion_of(metric, higher_is_better), min_delta)
        self._patience = patience
        self.keep_best = self._watcher.criterion if restore_best else None

    def check(self, spec: EstimatorSpec) -> None:
        """Refuse a metric that evaluations have not."""
        require_metric(spec.evaluation_metrics, self._watcher.criterion.metric)

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Stop if the metric has not improved for too long."""
        improved = self._watcher.update(metrics)
        if not improved and self._watcher.waited >= self._patience:
            best = "a number" if self._watcher.best is None else f"{self._watcher.best:.6g}"
            logger.info(
                "%s has not improved on %s for %d evaluations; stopping at step %d",
                self._watcher.criterion.metric,
                best,
                self._watcher.waited,
                step,
            )
            self.stop_training = True

    def state(self) -> State:
        """Return the best value, the evaluations since, and whether training has ended."""
        return {**self._watcher.state(), "stopped": self.stop_training}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        self._watcher.restore(state)
        self.stop_training = state.get("stopped", False)


class ReduceLROnPlateau(Callback):
    """Lower the learning rate when a metric of the evaluations has stopped improving.

    Args:
        metric: the name of the metric.
        higher_is_better: whether higher values are better; when None, that is known for the metrics
            of Keras and plx by their names.
        factor: the factor by which the rate is multiplied.
        patience: the number of evaluations without improvement after which the rate is lowered, as
            in Keras.
        min_delta: the smallest change that counts as an improvement.
        min_learning_rate: the lower bound of the rate.
    """

    def __init__(
        self,
        metric: str = "loss",
        higher_is_better: bool | None = None,
        factor: PositiveFloat = 0.1,
        patience: NonNegativeInt = 3,
        min_delta: NonNegativeFloat = 0.0,
        min_learning_rate: NonNegativeFloat = 0.0,
    ) -> None:
        self._watcher = _Watcher(criterion_of(metric, higher_is_better), min_delta)
        self._factor = factor
        self._patience = patience
        self._min_learning_rate = min_learning_rate

    def check(self, spec: EstimatorSpec) -> None:
        """Refuse a schedule of the learning rate, and a metric that evaluations have not."""
        require_metric(spec.evaluation_metrics, self._watcher.criterion.metric)
        if spec.has_schedule:
            raise ComponentError(
                "ReduceLROnPlateau cannot lower a learning rate that follows a schedule; "
                "give the optimizer a number, or remove the callback"
            )

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Lower the rate if the metric has not improved for too long."""
        if self._watcher.update(metrics) or self._watcher.waited < self._patience:
            return
        self._watcher.waited = 0
        run.learning_rate = max(run.learning_rate * self._factor, self._min_learning_rate)

    def state(self) -> State:
        """Return the best value and the evaluations since; the optimizer keeps the rate."""
        return self._watcher.state()

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        self._watcher.restore(state)
