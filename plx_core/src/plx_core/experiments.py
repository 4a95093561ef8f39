"""Experiments: an estimator, its inputs, and how training and evaluation alternate."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from attrs import define, field

from plx_core.checking import Checked, check
from plx_core.components import Component
from plx_core.errors import ComponentError, ConfigError, PlxError
from plx_core.estimators import Estimator
from plx_core.feeding import as_pipeline
from plx_core.interfaces import Modes
from plx_core.specs import EstimatorSpec

RUNS = "runs"
"""The folder of run directories, where a config names none."""


@define(kw_only=True)
class Experiment:
    """Trains and evaluates an estimator.

    Args:
        estimator: what is trained.
        train_input_fn: what it is trained on.
        eval_input_fn: what it is evaluated on.
        train_steps: the global step to stop at; until the data ends when None.
        eval_steps: batches of an evaluation; all of them when None.
        train_hooks: callbacks of training.
        eval_hooks: callbacks of evaluation.
        eval_delay_secs: seconds to wait before the first evaluation.
        continuous_eval_throttle_secs: seconds between evaluations.
        eval_every_n_steps: evaluate at each multiple of this many steps.
        train_steps_per_iteration: the same, as polyaxon-lib called it; used when `eval_every_n_steps` is None.
    """

    estimator: Estimator
    train_input_fn: Any = None
    eval_input_fn: Any = None
    train_steps: int | None = None
    eval_steps: int | None = None
    train_hooks: list[Any] = field(factory=list, converter=list)
    eval_hooks: list[Any] = field(factory=list, converter=list)
    eval_delay_secs: float = 0.0
    continuous_eval_throttle_secs: float = 60.0
    eval_every_n_steps: int | None = None
    train_steps_per_iteration: int | None = None

    def train(self) -> Estimator:
        """Train to `train_steps`, or to the end of the data."""
        _need(self.train_input_fn, "train")
        return self.estimator.train(self.train_input_fn, max_steps=self.train_steps, hooks=self.train_hooks)

    def evaluate(self, delay_secs: float | None = None, checkpoint_path: str | Path | None = None) -> dict[str, float]:
        """Evaluate a checkpoint, the newest when none is given."""
        _need(self.eval_input_fn, "eval")
        time.sleep(self.eval_delay_secs if delay_secs is None else delay_secs)
        return self.estimator.evaluate(self.eval_input_fn, self.eval_steps, self.eval_hooks, checkpoint_path)

    def train_and_evaluate(self) -> dict[str, float]:
        """Train, evaluating at each multiple of `eval_every_n_steps` and at the end; the last evaluation's metrics.

        A checkpoint that has been evaluated, before a crash for example, is not evaluated again.
        """
        _need(self.train_input_fn, "train")
        _need(self.eval_input_fn, "eval")
        period = self.eval_every_n_steps or self.train_steps_per_iteration
        if period is None:
            self.train()
            return self._evaluate_once()
        while True:
            before = self.estimator.global_step
            stop = before + period - before % period
            target = stop if self.train_steps is None else min(stop, self.train_steps)
            if self.train_steps is None or before < self.train_steps:
                self.estimator.train(self.train_input_fn, max_steps=target, hooks=self.train_hooks)
            metrics = self._evaluate_once()
            if self.estimator.global_step < target or target == self.train_steps or self.estimator.global_step == before:
                return metrics

    def extend_train_hooks(self, additional_hooks: Sequence[Any]) -> None:
        """Add callbacks of training."""
        self.train_hooks.extend(additional_hooks)

    def extend_eval_hooks(self, additional_hooks: Sequence[Any]) -> None:
        """Add callbacks of evaluation."""
        self.eval_hooks.extend(additional_hooks)

    def _evaluate_once(self) -> dict[str, float]:
        step = self.estimator.global_step
        for line in reversed(self.estimator.run_directory.read_metrics()):
            if line["step"] == step and line["split"] == "eval":
                return {name: float(value) for name, value in line["metrics"].items()} | {"global_step": step}
        return self.evaluate(delay_secs=0.0)


def create_experiment(config: str | Path | Mapping[str, Any] | Checked, output_dir: str | Path | None = None, given: str | None = None) -> Experiment:
    """The experiment that a config describes, and its run directory with the config in it.

    Args:
        config: a YAML or JSON file, the same as a mapping, or what `checking.check` made of one.
        output_dir: the run directory; the config's, or runs/NAME, when None.
        given: the config's text, kept as config.yml; read from the file when None.

    Raises:
        ConfigError: with every mistake that was found.
    """
    checked = config if isinstance(config, Checked) else check(config)
    sections = checked.config
    estimator = Estimator(_model_fn(checked), run_path(checked, output_dir), sections.environment, trackers=sections.settings.trackers)
    if given is None:
        given = Path(config).read_text(encoding="utf-8") if isinstance(config, (str, Path)) else yaml.safe_dump(checked.resolved, sort_keys=False)
    estimator.run_directory.write_config(given, checked.resolved)
    estimator.run_directory.write_manifest(sections.environment.seed, checked.plugins)
    return Experiment(
        estimator=estimator,
        train_input_fn=_input_fn(checked, sections.train.data_pipeline),
        eval_input_fn=_input_fn(checked, sections.eval.data_pipeline),
        train_steps=sections.train.train_steps,
        eval_steps=sections.eval.eval_steps,
        train_hooks=sections.train.hooks,
        eval_hooks=sections.eval.hooks,
        eval_delay_secs=sections.eval.eval_delay_secs,
        continuous_eval_throttle_secs=sections.eval.continuous_eval_throttle_secs,
        eval_every_n_steps=sections.eval.eval_every_n_steps,
        train_steps_per_iteration=sections.train.train_steps_per_iteration,
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


def build_check(checked: Checked) -> None:
    """Build everything that a run would build, up to the loss of one symbolic batch, and throw it away.

    Raises:
        ConfigError: what is wrong, at the config's place.
    """
    import tempfile

    import tensorflow as tf

    sections = checked.config
    with tempfile.TemporaryDirectory() as scratch:
        estimator = Estimator(_model_fn(checked), scratch, sections.environment)
        for section, mode in ((sections.train, Modes.TRAIN), (sections.eval, Modes.EVAL)):
            if section.data_pipeline is None:
                continue
            pipeline = _input_fn(checked, section.data_pipeline)(mode=mode, seed=sections.environment.seed)
            spec = estimator.build(mode, pipeline)

            try:
                tf.function(_loss_of(spec)).get_concrete_function(*pipeline.element_spec)
            except (TypeError, ValueError) as error:
                output = spec.network.output_shape
                reason = " ".join(str(error).strip().splitlines()[-1:])[:300]
                raise checked.locate(ComponentError(f"the loss or a metric cannot take outputs of shape {output}: {reason}"), sections.model) from error


def _loss_of(spec: EstimatorSpec) -> Callable[[Any, Any], Any]:
    from plx_core.training import total_loss

    def loss(features: Any, labels: Any) -> Any:
        outputs = spec.network(features, training=False)
        spec.update_metrics(features, labels, outputs)
        return total_loss(spec, features, labels, outputs)

    return loss


def _model_fn(checked: Checked) -> Callable[..., EstimatorSpec]:
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


def _input_fn(checked: Checked, component: Component | None) -> Any:
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
