"""Experiments: an estimator, its inputs, and how training and evaluation alternate."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from attrs import define, field

from plx_core.checking import Checked, check
from plx_core.checkpoints import step_of
from plx_core.components import Component, make
from plx_core.errors import CheckpointError, ComponentError, ConfigError, PlxError
from plx_core.estimators import Estimator
from plx_core.feeding import as_pipeline
from plx_core.interfaces import Callback
from plx_core.run_hooks import GlobalStepWaiter, as_callback
from plx_core.specs import EstimatorSpec

logger = logging.getLogger(__name__)

RUNS = "runs"
"""The folder of run directories, where a config names none."""
POLL_SECONDS = 0.2
"""How often `continuous_eval` looks for a new checkpoint."""


def _callbacks(hooks: Any) -> list[Callback]:
    return [as_callback(make("callbacks", hook)) for hook in hooks or ()]


def _exporters(strategies: Any) -> list[Any]:
    if strategies is None or isinstance(strategies, (list, tuple)):
        return [make("exporters", strategy) for strategy in strategies or ()]
    return [make("exporters", strategies)]


@define(kw_only=True)
class Experiment:
    """Trains, evaluates and exports an estimator.

    Args:
        estimator: what is trained.
        train_input_fn: what it is trained on.
        eval_input_fn: what it is evaluated on.
        train_steps: the global step to stop at; until the data ends when None.
        eval_steps: batches of an evaluation; all of them when None.
        train_hooks: callbacks of training; their `on_evaluate` is called too.
        eval_hooks: callbacks of evaluation.
        eval_delay_secs: seconds to wait before the first evaluation.
        continuous_eval_throttle_secs: seconds between the beginnings of two evaluations of `continuous_eval`.
        eval_every_n_steps: evaluate at each multiple of this many steps.
        train_steps_per_iteration: the same, as polyaxon-lib called it; used when `eval_every_n_steps` is None.
        delay_workers_by_global_step: whether a worker other than the first waits for a global step, not for seconds.
        export_strategies: what is exported after an evaluation.
    """

    estimator: Estimator
    train_input_fn: Any = None
    eval_input_fn: Any = None
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

    def train(self, delay_secs: float | None = None) -> Estimator:
        """Train to `train_steps`, or to the end of the data.

        Args:
            delay_secs: seconds to wait first; when None, a worker other than the first waits by its number.
        """
        _need(self.train_input_fn, "train")
        waiters = self._wait_for_turn(delay_secs)
        return self.estimator.train(self.train_input_fn, max_steps=self.train_steps, hooks=[*self.train_hooks, *waiters])

    def evaluate(
        self, delay_secs: float | None = None, checkpoint_path: str | Path | None = None, name: str | None = None
    ) -> dict[str, float]:
        """Evaluate a checkpoint, the newest when none is given."""
        _need(self.eval_input_fn, "eval")
        time.sleep(self.eval_delay_secs if delay_secs is None else delay_secs)
        return self.estimator.evaluate(self.eval_input_fn, self.eval_steps, self.eval_hooks, checkpoint_path, name)

    def train_and_evaluate(self) -> dict[str, float]:
        """Train, evaluating and exporting at each multiple of `eval_every_n_steps` and at the end; the last evaluation's metrics.

        A checkpoint that has been evaluated, before a crash for example, is not evaluated again.
        """
        _need(self.train_input_fn, "train")
        _need(self.eval_input_fn, "eval")
        period = self.eval_every_n_steps or self.train_steps_per_iteration
        told = self._tell_again()
        while True:
            before = self.estimator.global_step
            target = self._next_stop(before, period)
            self.estimator.train(self.train_input_fn, max_steps=target, hooks=self.train_hooks)
            reached = self.estimator.global_step
            metrics = self._evaluate_once()
            for hook in self.train_hooks if reached != told else ():
                hook.on_evaluate(self.estimator, reached, metrics)
            ended = target is None or reached < target or reached == self.train_steps or self.estimator.is_out_of_data
            is_final = ended or any(hook.stop_training for hook in self.train_hooks)
            self._export(reached, metrics, is_final=is_final)
            if is_final:
                return metrics

    continuous_train_and_evaluate = train_and_evaluate

    def continuous_eval(
        self, evaluate_checkpoint_only_once: bool = True, predicate_fn: Callable[[dict[str, float]], bool] | None = None
    ) -> dict[str, float]:
        """Evaluate each checkpoint of a run, which may be another process's, as it appears, until `train_steps` is reached.

        Args:
            evaluate_checkpoint_only_once: whether a checkpoint is evaluated once, or again and again until the next appears.
            predicate_fn: given the metrics, says whether to go on.
        """
        return self._watch(self.eval_input_fn, "eval", None, evaluate_checkpoint_only_once, predicate_fn)

    def continuous_eval_on_train_data(
        self, evaluate_checkpoint_only_once: bool = True, predicate_fn: Callable[[dict[str, float]], bool] | None = None
    ) -> dict[str, float]:
        """The same on the training data; its metrics are kept in a split of their own, `eval_train`."""
        return self._watch(self.train_input_fn, "train", "train", evaluate_checkpoint_only_once, predicate_fn)

    def test(self) -> dict[str, float]:
        """One step of everything: train a step, evaluate a batch, export; to see that it works."""
        _need(self.train_input_fn, "train")
        _need(self.eval_input_fn, "eval")
        self.estimator.train(self.train_input_fn, steps=1, hooks=self.train_hooks)
        metrics = self.estimator.evaluate(self.eval_input_fn, steps=1, hooks=self.eval_hooks, name="test")
        self._export(self.estimator.global_step, metrics, is_final=True)
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
        stops = [stop for stop in (self.train_steps, step + period - step % period if period else None) if stop is not None]
        return min(stops, default=None)

    def _tell_again(self) -> int:
        """Finish what follows the newest checkpoint's evaluation, which a crash may have cut short; the checkpoint's step.

        The callbacks are told of it, since they are restored from the checkpoint, and what was to be exported is.
        """
        step = self.estimator.global_step
        metrics = self._evaluation(step)
        if metrics is None:
            return -1
        self.estimator.train(self.train_input_fn, max_steps=step, hooks=self.train_hooks)
        for hook in self.train_hooks:
            hook.on_evaluate(self.estimator, step, metrics)
        self._export(step, metrics, is_final=False)
        return step

    def _evaluate_once(self) -> dict[str, float]:
        return self._evaluation(self.estimator.global_step) or self.evaluate(delay_secs=0.0)

    def _evaluation(self, step: int) -> dict[str, float] | None:
        """What the evaluation of a checkpoint gave, if there was one."""
        for line in reversed(self.estimator.run_directory.read_metrics()):
            if line["step"] == step and line["split"] == "eval":
                return {name: float(value) for name, value in line["metrics"].items()} | {"global_step": step}
        return None

    def _export(self, step: int, metrics: Mapping[str, float], *, is_final: bool) -> None:
        for strategy in self.export_strategies:
            path = strategy.export(self.estimator, self.eval_input_fn or self.train_input_fn, step, metrics, is_final=is_final)
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
        self, input_fn: Any, section: str, name: str | None, only_once: bool, predicate_fn: Callable[[dict[str, float]], bool] | None
    ) -> dict[str, float]:
        _need(input_fn, section)
        time.sleep(self.eval_delay_secs)
        seen, began = -1, -float("inf")
        while True:
            path = next((path for path in self.estimator.checkpoints.paths() if step_of(path) > seen), None)
            path = path if path is not None or only_once else self.estimator.checkpoints.latest()
            wait = began + self.continuous_eval_throttle_secs - time.monotonic()
            if path is None or wait > 0:
                time.sleep(min(max(wait, POLL_SECONDS), POLL_SECONDS))
                continue
            began, seen = time.monotonic(), step_of(path)
            try:
                metrics = self.estimator.evaluate(input_fn, self.eval_steps, self.eval_hooks, path, name)
            except CheckpointError:
                if path.exists():
                    raise
                continue  # the run that is watched has removed it to make room for newer ones
            is_last = self.train_steps is not None and seen >= self.train_steps
            self._export(seen, metrics, is_final=is_last)
            if is_last or (predicate_fn is not None and not predicate_fn(metrics)):
                return metrics


def create_experiment(
    config: str | Path | Mapping[str, Any] | Checked, output_dir: str | Path | None = None, given: str | None = None, *, keep: bool = True
) -> Experiment:
    """The experiment that a config describes, and its run directory with the config in it.

    Args:
        config: a YAML or JSON file, the same as a mapping, or what `checking.check` made of one.
        output_dir: the run directory; the config's, or runs/NAME, when None.
        given: the config's text, kept as config.yml; read from the file when None.
        keep: whether the config is kept in the run directory, as it is by what trains.

    Raises:
        ConfigError: with every mistake that was found.
    """
    checked = config if isinstance(config, Checked) else check(config)
    sections = checked.config
    estimator = Estimator(
        model_fn_of(checked),
        run_path(checked, output_dir),
        sections.environment,
        trackers=sections.settings.trackers,
        warm_start_from=sections.train.warm_start,
    )
    if given is None:
        given = (
            Path(config).read_text(encoding="utf-8")
            if isinstance(config, (str, Path))
            else yaml.safe_dump(checked.resolved, sort_keys=False)
        )
    if keep:
        with estimator.run_directory.writing():
            estimator.run_directory.write_config(given, checked.resolved)
            estimator.run_directory.write_manifest(estimator.config.seed, checked.plugins)
    return Experiment(
        estimator=estimator,
        train_input_fn=input_fn_of(checked, sections.train.data_pipeline),
        eval_input_fn=input_fn_of(checked, sections.eval.data_pipeline),
        train_steps=sections.train.train_steps,
        eval_steps=sections.eval.eval_steps,
        train_hooks=sections.train.hooks,
        eval_hooks=sections.eval.hooks,
        eval_delay_secs=sections.eval.eval_delay_secs,
        continuous_eval_throttle_secs=sections.eval.continuous_eval_throttle_secs,
        eval_every_n_steps=sections.eval.eval_every_n_steps,
        train_steps_per_iteration=sections.train.train_steps_per_iteration,
        export_strategies=sections.eval.export_strategies,
    )


def run_path(checked: Checked, output_dir: str | Path | None = None) -> Path:
    """The run directory of a config."""
    return Path(output_dir or checked.config.settings.output_dir or Path(RUNS, checked.config.project.name))


def run_experiment(experiment_fn: Callable[[str], Experiment], output_dir: str, schedule: str = "train_and_evaluate") -> Any:
    """Make an experiment and call one of its methods.

    Args:
        experiment_fn: given the run directory, makes the experiment.
        output_dir: the run directory.
        schedule: the method's name.
    """
    method = getattr(experiment_fn(output_dir), schedule, None)
    if method is None or schedule.startswith("_"):
        raise ComponentError(f"an experiment has no method {schedule}")
    return method()


def model_fn_of(checked: Checked) -> Callable[..., EstimatorSpec]:
    """A model function that makes a config's model afresh each time it is called."""
    component = checked.config.model

    def model_fn(features: Any, labels: Any, mode: str) -> EstimatorSpec:
        try:
            model = component.build(mode=mode)
            spec = model(features, labels)
        except PlxError as error:
            raise checked.locate(error, component) from error
        if not isinstance(spec, EstimatorSpec):
            raise checked.locate(ComponentError(f"it is not a model: it made a {type(spec).__name__}"), component)
        return spec

    return model_fn


def input_fn_of(checked: Checked, component: Component | None) -> Any:
    """An input function that makes a config's pipeline; None where there is none."""
    if component is None:
        return None

    def input_fn(mode: str, seed: int) -> Any:
        try:
            return as_pipeline(component, mode, seed)
        except ConfigError:
            raise
        except PlxError as error:
            raise checked.locate(error, component) from error

    return input_fn


def _need(input_fn: Any, section: str) -> None:
    if input_fn is None:
        raise ComponentError(f"the experiment has no {section} data; give {section}_input_fn, or {section}.data_pipeline in a config")
