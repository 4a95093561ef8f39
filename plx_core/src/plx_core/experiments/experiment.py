"""Training and evaluation in turns: what experiments of supervised and of reinforcement learning share."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from plx_core.callbacks.callback import Callback
from plx_core.callbacks.keras_adapter import as_callback
from plx_core.callbacks.standard import GlobalStepWaiter
from plx_core.components.component import make
from plx_core.engine.trainer import Trainer
from plx_core.errors import CheckpointError, ComponentError
from plx_core.runs.checkpoints import step_of

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
"""How often `continuous_eval` looks for a new checkpoint."""


def _callbacks(hooks: Any) -> list[Callback]:
    return [as_callback(make("callbacks", hook)) for hook in hooks or ()]


def _exporters(strategies: Any) -> list[Any]:
    if strategies is None or isinstance(strategies, (list, tuple)):
        return [make("exporters", strategy) for strategy in strategies or ()]
    return [make("exporters", strategies)]


@define(kw_only=True)
class BaseExperiment(ABC):
    """Trains, evaluates and exports in turns.

    Args:
        train_steps: the global step to stop at; None when something else ends the training.
        eval_steps: batches of an evaluation, or its episodes; all batches when None.
        train_hooks: callbacks of training; their `on_evaluate` is called too.
        eval_hooks: callbacks of evaluation.
        eval_delay_secs: seconds to wait before the first evaluation.
        continuous_eval_throttle_secs: seconds between the beginnings of two evaluations of `continuous_eval`.
        eval_every_n_steps: evaluate at each multiple of this many steps.
        train_steps_per_iteration: the same, as polyaxon-lib called it; used when `eval_every_n_steps` is None.
        delay_workers_by_global_step: whether a worker other than the first waits for a global step, not for seconds.
        export_strategies: what is exported after an evaluation.
    """

    train_steps: int | None = None
    eval_steps: int | None = None
    train_hooks: list[Callback] = field(factory=list, converter=_callbacks)
    eval_hooks: list[Callback] = field(factory=list, converter=_callbacks)
    eval_delay_secs: float = 0.0
    continuous_eval_throttle_secs: float = 60.0
    eval_every_n_steps: int | None = None
    train_steps_per_iteration: int | None = None
    delay_workers_by_global_step: bool = False
    export_strategies: list[Any] = field(factory=list, converter=_exporters)

    @property
    @abstractmethod
    def trainer(self) -> Trainer:
        """What is trained."""

    @property
    @abstractmethod
    def _has_ended(self) -> bool:
        """Whether training is over for another reason than its steps."""

    @abstractmethod
    def _train_to(self, max_steps: int | None, hooks: Sequence[Callback]) -> None:
        """Train to a global step."""

    @abstractmethod
    def _evaluate_on(
        self, split: str, steps: int | None, checkpoint_path: str | Path | None, name: str | None
    ) -> dict[str, float]:
        """Evaluate a checkpoint on the data or environment of the "eval" or "train" section."""

    @abstractmethod
    def predict(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """The predictions for each example of the evaluation data, or each step of an episode."""

    @property
    @abstractmethod
    def export_source(self) -> Any:
        """The data or environment whose features an export takes."""

    @property
    @abstractmethod
    def can_evaluate(self) -> bool:
        """Whether there is something to evaluate on."""

    @property
    @abstractmethod
    def progress(self) -> tuple[int | None, str, Callable[[Any, int], int]]:
        """How far training goes, what it is counted in, and the count of a run and its step."""

    def train(self, delay_secs: float | None = None) -> Trainer:
        """Train to the end.

        Args:
            delay_secs: seconds to wait first; when None, a worker other than the first waits by its number.
        """
        waiters = self._wait_for_turn(delay_secs)
        self._train_to(self.train_steps, [*self.train_hooks, *waiters])
        return self.trainer

    def evaluate(
        self,
        delay_secs: float | None = None,
        checkpoint_path: str | Path | None = None,
        name: str | None = None,
    ) -> dict[str, float]:
        """Evaluate a checkpoint, the newest when none is given."""
        time.sleep(self.eval_delay_secs if delay_secs is None else delay_secs)
        return self._evaluate_on("eval", self.eval_steps, checkpoint_path, name)

    def train_and_evaluate(self) -> dict[str, float]:
        """Train, evaluating and exporting at each multiple of `eval_every_n_steps` and at the end; the last evaluation's metrics.

        A checkpoint that has been evaluated, before a crash for example, is not evaluated again.
        """
        period = self.eval_every_n_steps or self.train_steps_per_iteration
        told = self._tell_again()
        while True:
            target = self._next_stop(self.trainer.global_step, period)
            self._train_to(target, self.train_hooks)
            reached = self.trainer.global_step
            metrics = self._evaluate_once()
            for hook in self.train_hooks if reached != told else ():
                hook.on_evaluate(self.trainer, reached, metrics)
            ended = (
                target is None
                or reached < target
                or (self.train_steps is not None and reached >= self.train_steps)
                or self._has_ended
            )
            is_final = ended or any(hook.stop_training for hook in self.train_hooks)
            self._export(reached, metrics, is_final=is_final)
            if is_final:
                return metrics

    continuous_train_and_evaluate = train_and_evaluate

    def continuous_eval(
        self,
        evaluate_checkpoint_only_once: bool = True,
        predicate_fn: Callable[[dict[str, float]], bool] | None = None,
    ) -> dict[str, float]:
        """Evaluate each checkpoint of a run, which may be another process's, as it appears, until `train_steps` is reached.

        Args:
            evaluate_checkpoint_only_once: whether a checkpoint is evaluated once, or again and again until the next appears.
            predicate_fn: given the metrics, says whether to go on.
        """
        return self._watch("eval", None, evaluate_checkpoint_only_once, predicate_fn)

    def continuous_eval_on_train_data(
        self,
        evaluate_checkpoint_only_once: bool = True,
        predicate_fn: Callable[[dict[str, float]], bool] | None = None,
    ) -> dict[str, float]:
        """The same on the training data; its metrics are kept in a split of their own, `eval_train`."""
        return self._watch("train", "train", evaluate_checkpoint_only_once, predicate_fn)

    def test(self) -> dict[str, float]:
        """One step of everything: train a step, evaluate a batch or an episode, export; to see that it works."""
        self._train_to(self.trainer.global_step + 1, self.train_hooks)
        metrics = self._evaluate_on("eval", 1, None, "test")
        self._export(self.trainer.global_step, metrics, is_final=True)
        return metrics

    def reset_export_strategies(self, new_export_strategies: Any = None) -> list[Any]:
        """Take other export strategies; those that were there before."""
        old, self.export_strategies = self.export_strategies, new_export_strategies
        return old

    def extend_train_hooks(self, additional_hooks: Sequence[Any]) -> None:
        """Add callbacks of training."""
        self.train_hooks = [*self.train_hooks, *additional_hooks]

    def extend_eval_hooks(self, additional_hooks: Sequence[Any]) -> None:
        """Add callbacks of evaluation."""
        self.eval_hooks = [*self.eval_hooks, *additional_hooks]

    def _next_stop(self, step: int, period: int | None) -> int | None:
        if period and step and step % period == 0 and self._evaluation(step) is None:
            return step  # a crash came between this checkpoint and its evaluation
        stops = [
            stop
            for stop in (self.train_steps, step + period - step % period if period else None)
            if stop is not None
        ]
        return min(stops, default=None)

    def _tell_again(self) -> int:
        """Finish what follows the newest checkpoint's evaluation, which a crash may have cut short; the checkpoint's step.

        The callbacks are told of it, since they are restored from the checkpoint, and what was to be exported is.
        """
        step = self.trainer.global_step
        metrics = self._evaluation(step)
        if metrics is None:
            return -1
        self._train_to(step, self.train_hooks)
        for hook in self.train_hooks:
            hook.on_evaluate(self.trainer, step, metrics)
        self._export(step, metrics, is_final=False)
        return step

    def _evaluate_once(self) -> dict[str, float]:
        return self._evaluation(self.trainer.global_step) or self.evaluate(delay_secs=0.0)

    def _evaluation(self, step: int) -> dict[str, float] | None:
        """What the evaluation of a checkpoint gave, if there was one."""
        for line in reversed(self.trainer.run_directory.read_metrics()):
            if line["step"] == step and line["split"] == "eval":
                return {name: float(value) for name, value in line["metrics"].items()} | {
                    "global_step": step
                }
        return None

    def _export(self, step: int, metrics: Mapping[str, float], *, is_final: bool) -> None:
        for strategy in self.export_strategies:
            path = strategy.export(
                self.trainer, self.export_source, step, metrics, is_final=is_final
            )
            if path is not None:
                logger.info("exported %s", path)

    def _wait_for_turn(self, delay_secs: float | None) -> list[Callback]:
        """Let the first worker begin: it makes the variables that the others find."""
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
        seen, began = -1, -float("inf")
        while True:
            path = next(
                (path for path in self.trainer.checkpoints.paths() if step_of(path) > seen), None
            )
            path = path if path is not None or only_once else self.trainer.checkpoints.latest()
            wait = began + self.continuous_eval_throttle_secs - time.monotonic()
            if path is None or wait > 0:
                time.sleep(min(max(wait, POLL_SECONDS), POLL_SECONDS))
                continue
            began, seen = time.monotonic(), step_of(path)
            try:
                metrics = self._evaluate_on(section, self.eval_steps, path, name)
            except CheckpointError:
                if path.exists():
                    raise
                continue  # the run that is watched has removed it to make room for newer ones
            is_last = self.train_steps is not None and seen >= self.train_steps
            self._export(seen, metrics, is_final=is_last)
            if is_last or (predicate_fn is not None and not predicate_fn(metrics)):
                return metrics


def require_source(source: Any, section: str, key: str = "data_pipeline") -> Any:
    if source is None:
        python = "env" if key == "env" else f"{section}_input_fn"
        raise ComponentError(
            f"the experiment has nothing to {section} on; give {python}, or {section}.{key} in a config"
        )
    return source
