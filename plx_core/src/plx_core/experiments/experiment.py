"""What supervised and reinforcement-learning experiments share: train and evaluate in turns."""

from __future__ import annotations

import functools
import json
import logging
import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from attrs import Attribute, define, field

from plx_core.annotations import CallbackLike, ExporterLike
from plx_core.callbacks.callback import Callback
from plx_core.callbacks.dispatch import tell
from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.callbacks.standard import GlobalStepWaiter
from plx_core.components.component import make
from plx_core.components.older_names import accept_older_names
from plx_core.config.sections import KeepBestConfig
from plx_core.engine.trainer import Trainer
from plx_core.errors import ArgumentError, CheckpointError, ComponentError
from plx_core.models.spec import EstimatorSpec
from plx_core.runs.best import Evaluation, best_evaluation
from plx_core.runs.checkpoints import step_of
from plx_core.runs.interfaces import Exporter
from plx_core.runs.metrics import Criterion, criterion_of, metric_value, require_metric
from plx_core.runs.run import Run
from plx_core.types import Source

T = TypeVar("T")

logger = logging.getLogger(__name__)

BEST, LATEST = "best", "latest"
"""The names by which a checkpoint is chosen, besides its path."""

POLL_SECONDS = 0.2
"""How often `continuous_eval` looks for a new checkpoint."""


EvaluationResult: TypeAlias = tuple[dict[str, float], list[Path]]
"""The metrics of an evaluation, and the exports that followed it."""
Predicate: TypeAlias = Callable[[dict[str, float] | None], bool]
"""Says, from the metrics of the last evaluation or None before the first, whether to go on."""


def _exporters(strategies: ExporterLike | Sequence[ExporterLike] | None) -> list[Exporter]:
    if strategies is None:
        return []
    several = strategies if isinstance(strategies, (list, tuple)) else [strategies]
    exporters = [make("exporters", strategy) for strategy in several]
    for exporter in exporters:
        if not isinstance(exporter, Exporter):
            raise ArgumentError(
                "export_strategies takes an Exporter or a list of them, and got "
                f"{type(exporter).__name__}"
            )
    return exporters


class _Pause(Callback):
    """Pauses the training at a checkpoint that is due for an evaluation.

    Args:
        due: the step from which on a checkpoint is due; None if none is.
    """

    def __init__(self, due: int | None) -> None:
        self._due = due

    def on_checkpoint(self, run: Run, step: int, path: str) -> None:
        """Stop at this checkpoint if it is due."""
        self.stop_training = self._due is not None and step >= self._due


def _as_criterion(keep_best: KeepBestConfig | Mapping[str, Any] | None) -> Criterion | None:
    if isinstance(keep_best, Mapping):
        keep_best = KeepBestConfig(**keep_best)
    return None if keep_best is None else criterion_of(keep_best.metric, keep_best.higher_is_better)


@define(kw_only=True)
class BaseExperiment(ABC):
    """Trains, evaluates and exports in turns.

    Args:
        train_steps: the global step to stop at; None when something else ends the training.
        eval_steps: the number of batches, or episodes, of an evaluation; all batches when None.
        train_callbacks: called during training; their `on_evaluate` is called too.
        eval_callbacks: called after each evaluation.
        eval_delay_secs: seconds to wait before the first evaluation.
        continuous_eval_throttle_secs: the least number of seconds from the start of one evaluation
            of `continuous_eval` to the start of the next.
        eval_every_n_steps: `train_and_evaluate` evaluates a new checkpoint when it is at least this
            many steps after the last one evaluated, so 1 means each checkpoint. Where no
            number of steps between checkpoints is set, a number above 1 adds a checkpoint at each
            multiple of it. When None or 0, only the last checkpoint is evaluated.
        train_steps_per_iteration: `continuous_train_and_evaluate` evaluates at each multiple of
            this number of steps; when None, at each tenth of `train_steps`, or 1000 steps.
        delay_workers_by_global_step: whether workers other than the first wait for a global step
            rather than for some seconds.
        export_strategies: exporters to call after each evaluation.
        keep_best: the metric by which the best checkpoint is kept and is the result of the run: a
            `KeepBestConfig`, or a mapping with the same keys. When None, a callback such as
            EarlyStopping may say it.
    """

    train_steps: int | None = None
    eval_steps: int | None = None
    train_callbacks: list[Callback] = field(factory=list, converter=as_callbacks)
    eval_callbacks: list[Callback] = field(factory=list, converter=as_callbacks)
    eval_delay_secs: float = 0.0
    continuous_eval_throttle_secs: float = 60.0
    eval_every_n_steps: int | None = 1
    train_steps_per_iteration: int | None = 100
    delay_workers_by_global_step: bool = False
    export_strategies: list[Exporter] = field(factory=list, converter=_exporters)
    keep_best: Criterion | None = field(default=None, converter=_as_criterion)
    _checked: set[int] = field(factory=set, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Let the run keep its best checkpoint."""
        self.trainer.checkpoints.best = self._best_checkpoint

    @property
    @abstractmethod
    def trainer(self) -> Trainer:
        """The estimator or agent."""

    @property
    @abstractmethod
    def _has_ended(self) -> bool:
        """Whether training is over for another reason than its number of steps."""

    @abstractmethod
    def _fit(self, max_steps: int | None, callbacks: Sequence[Callback]) -> None:
        """Train to a global step."""

    @abstractmethod
    def _build_spec(self) -> EstimatorSpec | None:
        """Build the specification of training, or else of evaluation; None without any data."""

    @abstractmethod
    def _evaluate_on(
        self, split: str, steps: int | None, checkpoint_path: str | Path | None, name: str | None
    ) -> dict[str, float]:
        """Evaluate a checkpoint on the data or environment of the "eval" or "train" section."""

    @abstractmethod
    def predict(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the predictions for each example of the evaluation data, or step of an episode.

        Args:
            predict_keys: the names of the predictions; all when None.
            checkpoint_path: see `choose_checkpoint`.
        """

    @property
    @abstractmethod
    def export_source(self) -> Source:
        """The data or environment with the features that an export takes."""

    @property
    @abstractmethod
    def can_evaluate(self) -> bool:
        """Whether there is data or an environment to evaluate on."""

    @property
    @abstractmethod
    def progress(self) -> tuple[int | None, str, Callable[[Any, int], int]]:
        """The goal of training, its unit, and the count as a function of trainer and step."""

    def check_evaluation(self) -> None:
        """Raise a `ComponentError` where what evaluates does not fit what trains."""

    def check_callbacks(
        self, locate: Callable[[int, Callable[[], None]], None] = lambda index, check: check()
    ) -> None:
        """Ask each callback and exporter that overrides `check`, once, whether it fits.

        Args:
            locate: called with an index, among the callbacks of training, those of evaluation and
                the exporters, and the check to call.

        Raises:
            ComponentError: one does not fit what is trained.
        """
        bases = (Callback.check, Exporter.check)
        parts: tuple[Callback | Exporter, ...] = (
            *self.train_callbacks,
            *self.eval_callbacks,
            *self.export_strategies,
        )
        unchecked = {
            index: part
            for index, part in enumerate(parts)
            if type(part).check not in bases and id(part) not in self._checked
        }
        spec = self._build_spec() if unchecked else None
        if spec is not None:
            for index, part in unchecked.items():
                locate(index, functools.partial(part.check, spec))
                self._checked.add(id(part))

    def check_metric(self, name: str) -> None:
        """Check that evaluations have a metric.

        Raises:
            ComponentError: they have none of this name.
        """
        spec = self._build_spec()
        if spec is not None:
            require_metric(spec.evaluation_metrics, name)

    def _train_to(self, max_steps: int | None, callbacks: Sequence[Callback]) -> None:
        self.check_callbacks()
        self._fit(max_steps, callbacks)

    def choose_checkpoint(self, choice: str | Path | None = None) -> Path:
        """Return a checkpoint of the run.

        Args:
            choice: `best`, `latest` or a path. When None, the best if `keep_best` or a callback
                says what the best is and a checkpoint has been evaluated, or else the newest.

        Raises:
            CheckpointError: there is no such checkpoint.
            ComponentError: nothing says what the best is.
        """
        if choice not in (BEST, LATEST, None):
            return Path(str(choice))
        latest = self.trainer.latest_checkpoint()
        if latest is None:
            raise CheckpointError(
                f"there is no checkpoint in {self.trainer.checkpoints.directory}; train first"
            )
        criterion, best = self._criterion, None if choice == LATEST else self._best()
        if choice == BEST and criterion is None:
            raise ComponentError(
                "nothing says which checkpoint is the best; give keep_best: {metric: …}, or the "
                "callback EarlyStopping"
            )
        if choice == BEST and best is None:
            raise CheckpointError(
                f"no checkpoint in {self.trainer.checkpoints.directory} has been evaluated"
            )
        if best is None or criterion is None or best.path == latest:
            return latest
        logger.info(
            "using the checkpoint of step %d, the best by %s; the latest is of step %d",
            best.step,
            criterion.metric,
            step_of(latest),
        )
        return best.path

    def train(self, delay_secs: float | None = None) -> Trainer:
        """Train to the end.

        Args:
            delay_secs: seconds to wait first; when None, workers other than the first wait by
                their index.
        """
        waiters = self._wait_for_turn(delay_secs)
        self._train_to(self.train_steps, [*self.train_callbacks, *waiters])
        return self.trainer

    def evaluate(
        self,
        delay_secs: float | None = None,
        checkpoint_path: str | Path | None = None,
        name: str | None = None,
    ) -> dict[str, float]:
        """Evaluate a checkpoint.

        Args:
            delay_secs: seconds to wait first; `eval_delay_secs` when None.
            checkpoint_path: see `choose_checkpoint`.
            name: the metrics are logged under the split `eval_NAME`.
        """
        time.sleep(self.eval_delay_secs if delay_secs is None else delay_secs)
        path = self.choose_checkpoint(checkpoint_path)
        return self._evaluate_on("eval", self.eval_steps, path, name)

    def train_and_evaluate(self) -> EvaluationResult:
        """Train; evaluate and export new checkpoints by `eval_every_n_steps`, and the last one.

        A checkpoint that has been evaluated already, before a crash for example, is not evaluated
        again. The lock of the run directory is held from the beginning to the end.

        Returns:
            The metrics of the best checkpoint if `keep_best` or a callback says what the best is,
            or else those of the last evaluation; and the exports that followed.
        """
        return self._alternate(self._train_to_evaluation, lambda metrics: True)

    def continuous_train_and_evaluate(
        self, continuous_eval_predicate_fn: Predicate | None = None
    ) -> EvaluationResult:
        """Train, evaluate and export in turns of `train_steps_per_iteration` steps.

        Args:
            continuous_eval_predicate_fn: called before the first turn with None, and after each
                evaluation with its metrics; training stops when it returns false. It also stops at
                `train_steps` and where the data or the episodes end.

        Returns:
            The metrics and exports; see `train_and_evaluate`.

        Raises:
            ArgumentError: `continuous_eval_predicate_fn` cannot be called.
        """
        goes_on = _checked_predicate(continuous_eval_predicate_fn)
        if not goes_on(None):
            return {}, []
        period = self.train_steps_per_iteration or max(1, (self.train_steps or 10_000) // 10)
        return self._alternate(lambda: self._train_to_multiple(period, _Pause(None)), goes_on)

    continuous_train_and_eval = continuous_train_and_evaluate

    def _alternate(self, train: Callable[[], bool], goes_on: Predicate) -> EvaluationResult:
        """Train, evaluate and export in turns, while the lock of the run directory is held.

        Args:
            train: trains for a turn and returns whether training has ended.
            goes_on: called with the metrics of an evaluation; false to stop.
        """
        with self.trainer.run_directory.writing():
            return self._take_turns(train, goes_on)

    def _take_turns(self, train: Callable[[], bool], goes_on: Predicate) -> EvaluationResult:
        told = self._replay_evaluation()
        while True:
            has_ended = train()
            reached = self.trainer.global_step
            metrics = self._evaluate_once()
            if self._criterion is not None:
                metric_value(metrics, self._criterion.metric)
            if reached != told:
                self._tell_evaluation(reached, metrics)
                told = reached
            is_final = (
                has_ended
                or not goes_on(metrics)
                or any(callback.stop_training for callback in self.train_callbacks)
            )
            if is_final:
                return self._conclude(reached, metrics)
            self._export(reached, metrics, is_final=False)

    def continuous_eval(
        self,
        delay_secs: float | None = None,
        throttle_delay_secs: float | None = None,
        evaluate_checkpoint_only_once: bool = True,
        continuous_eval_predicate_fn: Predicate | None = None,
    ) -> dict[str, float]:
        """Evaluate each checkpoint of a run, possibly of another process, as it appears.

        Args:
            delay_secs: seconds to wait before the first evaluation; `eval_delay_secs` when None.
            throttle_delay_secs: the least number of seconds from the start of one evaluation to the
                start of the next; `continuous_eval_throttle_secs` when None.
            evaluate_checkpoint_only_once: whether to evaluate each checkpoint once, rather than
                repeatedly until the next one appears.
            continuous_eval_predicate_fn: called first with None, and then with the metrics of each
                evaluation; evaluation stops when it returns false. It also stops at `train_steps`.

        Returns:
            The metrics of the last evaluation.

        Raises:
            ArgumentError: `continuous_eval_predicate_fn` cannot be called.
        """
        return self._watch(
            "eval",
            None,
            delay_secs,
            throttle_delay_secs,
            evaluate_checkpoint_only_once,
            continuous_eval_predicate_fn,
        )

    def continuous_eval_on_train_data(
        self,
        delay_secs: float | None = None,
        throttle_delay_secs: float | None = None,
        continuous_eval_predicate_fn: Predicate | None = None,
    ) -> dict[str, float]:
        """Evaluate on the training data, under the split `eval_train`; see `continuous_eval`."""
        return self._watch(
            "train", "train", delay_secs, throttle_delay_secs, True, continuous_eval_predicate_fn
        )

    def test(self) -> dict[str, float]:
        """Train one step, evaluate one batch or episode and export, as a trial of everything."""
        self._train_to(self.trainer.global_step + 1, self.train_callbacks)
        metrics = self._evaluate_on("eval", 1, None, "test")
        self._export(self.trainer.global_step, metrics, is_final=True)
        return metrics

    def reset_export_strategies(
        self, new_export_strategies: Sequence[ExporterLike] | None = None
    ) -> list[Exporter]:
        """Replace the export strategies; return the previous ones."""
        previous = self.export_strategies
        self.export_strategies = _exporters(new_export_strategies)
        return previous

    def extend_train_callbacks(self, additional_callbacks: Sequence[CallbackLike]) -> None:
        """Add callbacks of training."""
        self.train_callbacks = [*self.train_callbacks, *additional_callbacks]

    def extend_eval_callbacks(self, additional_callbacks: Sequence[CallbackLike]) -> None:
        """Add callbacks of evaluation."""
        self.eval_callbacks = [*self.eval_callbacks, *additional_callbacks]

    extend_train_hooks = extend_train_callbacks
    extend_eval_hooks = extend_eval_callbacks

    @property
    def _criterion(self) -> Criterion | None:
        criteria = (self.keep_best, *(callback.keep_best for callback in self.train_callbacks))
        return next((criterion for criterion in criteria if criterion is not None), None)

    def _best(self) -> Evaluation | None:
        """Return the best evaluation; None if nothing says what the best is, or none was made."""
        if self._criterion is None:
            return None
        trainer = self.trainer
        return best_evaluation(trainer.run_directory, trainer.checkpoints, self._criterion)

    def _best_checkpoint(self) -> Path | None:
        best = self._best()
        return None if best is None else best.path

    def _conclude(self, step: int, metrics: dict[str, float]) -> EvaluationResult:
        """Make the final exports; return them and the metrics of the result."""
        best, criterion = self._best(), self._criterion
        if best is None or criterion is None or best.step == step:
            return metrics, self._export(step, metrics, is_final=True)
        self._export(step, metrics, is_final=False)
        logger.info(
            "the result is the checkpoint of step %d, the best by %s (%.6g); "
            "training ended at step %d",
            best.step,
            criterion.metric,
            best.metrics[criterion.metric],
            step,
        )
        return dict(best.metrics), self._export(best.step, best.metrics, is_final=True)

    def _train_to_evaluation(self) -> bool:
        """Train until an evaluation is due; return whether training has ended."""
        period = self.eval_every_n_steps
        if not period:
            self._train_to(self.train_steps, self.train_callbacks)
            return True
        due = self._last_evaluated() + period
        step = self.trainer.global_step
        if step >= due and self._evaluation(step) is None:
            # A crash came between this checkpoint and its evaluation.
            return self._has_reached_goal()
        has_own = period > 1 and self.trainer.config.run_config.save_checkpoints_steps is None
        return self._train_to_multiple(period if has_own else None, _Pause(due))

    def _train_to_multiple(self, period: int | None, pause: _Pause) -> bool:
        """Train to the next multiple of a period, or a pause; return whether training has ended."""
        step = self.trainer.global_step
        stops = (self.train_steps, step + period - step % period if period else None)
        target = min((stop for stop in stops if stop is not None), default=None)
        self._train_to(target, [*self.train_callbacks, pause])
        has_paused = pause.stop_training or self.trainer.global_step == target
        return not has_paused or self._has_reached_goal()

    def _has_reached_goal(self) -> bool:
        step = self.trainer.global_step
        goals = (self.train_steps, *(callback.last_step for callback in self.train_callbacks))
        return self._has_ended or any(goal is not None and step >= goal for goal in goals)

    def _last_evaluated(self) -> int:
        """Return the step of the last checkpoint that was evaluated; 0 if there was none."""
        return max(self.trainer.run_directory.evaluations(), default=0)

    def _replay_evaluation(self) -> int:
        """Finish what follows the newest checkpoint's evaluation, which a crash may have cut short.

        The callbacks, restored from the checkpoint, are told of it, and the export is made.

        Returns:
            The step of the checkpoint; -1 if it has not been evaluated.
        """
        step = self.trainer.global_step
        metrics = self._evaluation(step)
        if metrics is None:
            return -1
        self._train_to(step, self.train_callbacks)
        self._tell_evaluation(step, metrics)
        self._export(step, metrics, is_final=False)
        return step

    def _tell_evaluation(self, step: int, metrics: Mapping[str, float]) -> None:
        tell(self.train_callbacks, "on_evaluate", step, self.trainer, step, metrics)

    def _evaluate_once(self) -> dict[str, float]:
        step = self.trainer.global_step
        return self._evaluation(step) or self.evaluate(delay_secs=0.0, checkpoint_path=LATEST)

    def _evaluation(self, step: int) -> dict[str, float] | None:
        """Return the metrics of the evaluation at a step; None if there was none."""
        return self.trainer.run_directory.evaluations().get(step)

    def _export(self, step: int, metrics: Mapping[str, float], *, is_final: bool) -> list[Path]:
        exports = [
            strategy.export(self.trainer, self.export_source, step, metrics, is_final=is_final)
            for strategy in self.export_strategies
        ]
        paths = [path for path in exports if path is not None]
        for path in paths:
            logger.info("exported %s", path)
        return paths

    def _wait_for_turn(self, delay_secs: float | None) -> list[Callback]:
        """Delay workers other than the first, which creates the variables that the others read."""
        index = int(json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0))
        if delay_secs is None and self.delay_workers_by_global_step:
            return [GlobalStepWaiter(int(8000.0 * math.log(index + 1)))]
        time.sleep(min(60, index * 5) if delay_secs is None else delay_secs)
        return []

    def _watch(
        self,
        section: str,
        name: str | None,
        delay_secs: float | None,
        throttle_secs: float | None,
        only_once: bool,
        predicate: Predicate | None,
    ) -> dict[str, float]:
        goes_on = _checked_predicate(predicate)
        if not goes_on(None):
            return {}
        throttle = self.continuous_eval_throttle_secs if throttle_secs is None else throttle_secs
        time.sleep(self.eval_delay_secs if delay_secs is None else delay_secs)
        last_step, last_start = -1, -math.inf
        while True:
            path = next(
                (path for path in self.trainer.checkpoints.paths() if step_of(path) > last_step),
                None,
            )
            path = path if path is not None or only_once else self.trainer.checkpoints.latest()
            wait = last_start + throttle - time.monotonic()
            if path is None or wait > 0:
                time.sleep(min(max(wait, POLL_SECONDS), POLL_SECONDS))
                continue
            last_start, last_step = time.monotonic(), step_of(path)
            try:
                metrics = self._evaluate_on(section, self.eval_steps, path, name)
            except CheckpointError:
                if path.exists():
                    raise
                continue  # the watched run has removed it to make room for newer ones
            is_last = self.train_steps is not None and last_step >= self.train_steps
            self._export(last_step, metrics, is_final=is_last)
            if is_last or not goes_on(metrics):
                return metrics


def _checked_predicate(predicate: Predicate | None) -> Predicate:
    if predicate is None:
        return lambda metrics: True
    if not callable(predicate):
        raise ArgumentError(
            "continuous_eval_predicate_fn is called with the metrics of an evaluation; "
            f"{predicate!r} cannot be called"
        )
    return predicate


def instance_of(cls: type) -> Callable[[object, Attribute[Any], object], None]:
    """Return a validator that raises an `ArgumentError` for a value that is not an instance."""

    def check(experiment: object, attribute: Attribute[Any], value: object) -> None:
        if not isinstance(value, cls):
            raise ArgumentError(
                f"{attribute.name} takes a plx_core.{cls.__name__}, and got {type(value).__name__}"
            )

    return check


def require_source(source: Source, section: str, key: str = "data_pipeline") -> Source:
    """Return the data or environment of a section.

    Raises:
        ComponentError: there is none.
    """
    if source is None:
        python = "env" if key == "env" else f"{section}_input_fn"
        raise ComponentError(
            f"the experiment has nothing to {section} on; "
            f"give {python}, or {section}.{key} in a config"
        )
    return source


def with_older_callback_names(cls: type[T]) -> type[T]:
    """Let an experiment take its callbacks by polyaxon-lib's names too."""
    renaming = accept_older_names(train_hooks="train_callbacks", eval_hooks="eval_callbacks")
    cls.__init__ = renaming(cls.__init__)  # type: ignore[method-assign]
    return cls
