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
from typing import Any, TypeVar

from attrs import define, field

from plx_core.annotations import CallbackLike, ExporterLike
from plx_core.callbacks.callback import Callback
from plx_core.callbacks.dispatch import tell
from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.callbacks.standard import GlobalStepWaiter
from plx_core.components.component import make
from plx_core.components.older_names import accept_older_names
from plx_core.config.sections import KeepBestConfig
from plx_core.engine.trainer import Trainer
from plx_core.errors import CheckpointError, ComponentError
from plx_core.models.spec import EstimatorSpec
from plx_core.runs.best import Evaluation, best_evaluation
from plx_core.runs.checkpoints import step_of
from plx_core.runs.interfaces import Exporter
from plx_core.runs.metrics import Criterion, criterion_of, metric_value, require_metric
from plx_core.types import Source

T = TypeVar("T")

logger = logging.getLogger(__name__)

BEST, LATEST = "best", "latest"
"""The names by which a checkpoint is chosen, besides its path."""

POLL_SECONDS = 0.2
"""How often `continuous_eval` looks for a new checkpoint."""


def _exporters(strategies: ExporterLike | Sequence[ExporterLike] | None) -> list[Exporter]:
    if strategies is None or isinstance(strategies, (list, tuple)):
        return [make("exporters", strategy) for strategy in strategies or ()]
    return [make("exporters", strategies)]


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
        eval_every_n_steps: evaluate at each multiple of this number of steps.
        train_steps_per_iteration: polyaxon-lib's name of `eval_every_n_steps`, which goes first.
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
    eval_every_n_steps: int | None = None
    train_steps_per_iteration: int | None = None
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

    def train_and_evaluate(self) -> dict[str, float]:
        """Train; evaluate and export at each multiple of `eval_every_n_steps` and at the end.

        A checkpoint that has been evaluated already, before a crash for example, is not evaluated
        again. The lock of the run directory is held from the beginning to the end.

        Returns:
            The metrics of the best checkpoint if `keep_best` or a callback says what the best is,
            or else those of the last evaluation.
        """
        with self.trainer.run_directory.writing():
            return self._alternate()

    def _alternate(self) -> dict[str, float]:
        period = self.eval_every_n_steps or self.train_steps_per_iteration
        replayed = self._replay_evaluation()
        while True:
            target = self._next_stop(self.trainer.global_step, period)
            self._train_to(target, self.train_callbacks)
            reached = self.trainer.global_step
            metrics = self._evaluate_once()
            if self._criterion is not None:
                metric_value(metrics, self._criterion.metric)
            if reached != replayed:
                self._tell_evaluation(reached, metrics)
            ended = (
                target is None
                or reached < target
                or (self.train_steps is not None and reached >= self.train_steps)
                or self._has_ended
            )
            if ended or any(callback.stop_training for callback in self.train_callbacks):
                return self._conclude(reached, metrics)
            self._export(reached, metrics, is_final=False)

    continuous_train_and_evaluate = train_and_evaluate

    def continuous_eval(
        self,
        evaluate_checkpoint_only_once: bool = True,
        predicate_fn: Callable[[dict[str, float]], bool] | None = None,
    ) -> dict[str, float]:
        """Evaluate each checkpoint of a run, possibly of another process, as it appears.

        Args:
            evaluate_checkpoint_only_once: whether to evaluate each checkpoint once, rather than
                repeatedly until the next one appears.
            predicate_fn: called with the metrics; evaluation stops when it returns false. It also
                stops at `train_steps`.

        Returns:
            The metrics of the last evaluation.
        """
        return self._watch("eval", None, evaluate_checkpoint_only_once, predicate_fn)

    def continuous_eval_on_train_data(
        self,
        evaluate_checkpoint_only_once: bool = True,
        predicate_fn: Callable[[dict[str, float]], bool] | None = None,
    ) -> dict[str, float]:
        """Evaluate on the training data, under the split `eval_train`; see `continuous_eval`."""
        return self._watch("train", "train", evaluate_checkpoint_only_once, predicate_fn)

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

    def _conclude(self, step: int, metrics: dict[str, float]) -> dict[str, float]:
        """Make the final exports; return the metrics of the checkpoint that is the result."""
        best, criterion = self._best(), self._criterion
        if best is None or criterion is None or best.step == step:
            self._export(step, metrics, is_final=True)
            return metrics
        self._export(step, metrics, is_final=False)
        logger.info(
            "the result is the checkpoint of step %d, the best by %s (%.6g); "
            "training ended at step %d",
            best.step,
            criterion.metric,
            best.metrics[criterion.metric],
            step,
        )
        self._export(best.step, best.metrics, is_final=True)
        return dict(best.metrics)

    def _next_stop(self, step: int, period: int | None) -> int | None:
        if period and step and step % period == 0 and self._evaluation(step) is None:
            return step  # a crash came between this checkpoint and its evaluation
        stops = [
            stop
            for stop in (self.train_steps, step + period - step % period if period else None)
            if stop is not None
        ]
        return min(stops, default=None)

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

    def _export(self, step: int, metrics: Mapping[str, float], *, is_final: bool) -> None:
        for strategy in self.export_strategies:
            path = strategy.export(
                self.trainer, self.export_source, step, metrics, is_final=is_final
            )
            if path is not None:
                logger.info("exported %s", path)

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
        only_once: bool,
        predicate_fn: Callable[[dict[str, float]], bool] | None,
    ) -> dict[str, float]:
        time.sleep(self.eval_delay_secs)
        last_step, last_start = -1, -math.inf
        while True:
            path = next(
                (path for path in self.trainer.checkpoints.paths() if step_of(path) > last_step),
                None,
            )
            path = path if path is not None or only_once else self.trainer.checkpoints.latest()
            wait = last_start + self.continuous_eval_throttle_secs - time.monotonic()
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
            if is_last or (predicate_fn is not None and not predicate_fn(metrics)):
                return metrics


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
