"""The estimator: a model function, a run directory, and the loop that trains, evaluates and predicts."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from plx_core import checkpoints as checkpoint_files
from plx_core.checkpoints import Checkpoints
from plx_core.components import make, parameter_names
from plx_core.configs import EnvironmentConfig, RunConfig, WarmStartConfig
from plx_core.errors import CheckpointError, ComponentError, NonFiniteLoss, PlxError
from plx_core.evaluating import EvaluationProgram
from plx_core.feeding import as_pipeline
from plx_core.graphs import symbolic_inputs
from plx_core.interfaces import Callback, Modes, Pipeline, Tracker
from plx_core.run_directory import CHECKPOINTS, RunDirectory
from plx_core.run_hooks import as_callback
from plx_core.schedule import BlockSize, Clock, Interrupted, stop_on_signals
from plx_core.specs import EstimatorSpec
from plx_core.tracking import TensorBoardTracker
from plx_core.training import FINITE, TrainingProgram, assign_variables

logger = logging.getLogger(__name__)

MODEL_FN_PARAMETERS = ("features", "labels", "mode", "params", "config")
TENSOR_SUMMARIES = frozenset({"activations", "gradients", "image_input", "image_result"})


class Estimator:
    """Trains, evaluates and predicts with a model function; its run directory remembers everything.

    Args:
        model_fn: a function of (features, labels), and `mode`, `params` and `config` if it wants them. It is called once a mode with
            symbolic features, and returns an `EstimatorSpec`, as a model of plx does when it is called.
        model_dir: the run directory; made when it is not there, gone on with when it is.
        config: when to save, log and summarise (`RunConfig`), or that and how to execute (`EnvironmentConfig`).
        params: handed to `model_fn`.
        trackers: where metrics go besides `metrics.jsonl`; TensorBoard events when left out.
        warm_start_from: another run whose weights are the initial ones: its directory, one of its checkpoints, or these with a choice
            of variables and a map of names.

    Example:
        >>> estimator = Estimator(model_fn, model_dir="runs/lenet")        # doctest: +SKIP
        >>> estimator.train(input_fn, max_steps=1000).evaluate(eval_fn)    # doctest: +SKIP
    """

    def __init__(
        self,
        model_fn: Callable[..., EstimatorSpec],
        model_dir: str | Path,
        config: RunConfig | EnvironmentConfig | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        trackers: Sequence[Any] | None = None,
        warm_start_from: WarmStartConfig | str | Path | None = None,
    ) -> None:
        if "features" not in parameter_names(model_fn):
            raise ComponentError(
                f"a model_fn takes features, labels and, if it wants them, mode, params and config; this one takes {sorted(parameter_names(model_fn))}"
            )
        self.model_fn = model_fn
        self.run_directory = RunDirectory(Path(model_dir))
        self.config = _environment(config)
        self.params = params
        self._trackers = trackers
        self.warm_start = WarmStartConfig(path=str(warm_start_from)) if isinstance(warm_start_from, (str, Path)) else warm_start_from
        self._trained: tuple[Any, TrainingProgram, Iterator[Any]] | None = None
        self._run: TrainingRun | None = None
        self._position = 0
        self._evaluators: dict[str, EvaluationProgram] = {}
        run = self.config.run_config
        self.checkpoints = Checkpoints(self.run_directory.checkpoints, run.keep_checkpoint_max, run.keep_checkpoint_every_n_hours)

    @property
    def model_dir(self) -> Path:
        """The run directory."""
        return self.run_directory.path

    @property
    def global_step(self) -> int:
        """How many updates the newest checkpoint has seen; 0 when there is none."""
        latest = self.checkpoints.latest()
        return checkpoint_files.step_of(latest) if latest else 0

    @property
    def training_model(self) -> keras.Model:
        """The network that is being trained.

        Raises:
            ComponentError: training has not begun in this process.
        """
        return self._training.program.spec.network

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; it can be set unless it follows a schedule."""
        return self._training.program.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._training.program.spec.optimizer.learning_rate = value

    def save_checkpoint(self) -> None:
        """Save a checkpoint now, amid training."""
        self._training.save()

    def latest_checkpoint(self) -> Path | None:
        """The newest whole checkpoint."""
        return self.checkpoints.latest()

    def train(self, input_fn: Any, steps: int | None = None, max_steps: int | None = None, hooks: Sequence[Any] | None = None) -> Estimator:
        """Train, from the newest checkpoint if there is one.

        The position in the data is part of a checkpoint: the first call of a process goes on where the run stopped, and so does a
        later call with the same `input_fn`; one with another `input_fn` starts at its beginning.

        Args:
            input_fn: see `plx_core.feeding.as_pipeline`.
            steps: how many more steps to take.
            max_steps: the global step to stop at; nothing happens when it has been reached.
            hooks: callbacks.

        Raises:
            NonFiniteLoss: the loss became infinite or not a number; the last good checkpoint is kept.
            Interrupted: a signal asked to stop; a checkpoint was written.
        """
        if steps is not None and max_steps is not None:
            raise ComponentError("give steps (how many more) or max_steps (the global step to stop at), not both")
        with self.run_directory.writing():
            self._run = TrainingRun(self, input_fn, [as_callback(make("callbacks", hook)) for hook in hooks or ()])
            self._run.run(steps, max_steps)
        return self

    def evaluate(
        self,
        input_fn: Any,
        steps: int | None = None,
        hooks: Sequence[Any] | None = None,
        checkpoint_path: str | Path | None = None,
        name: str | None = None,
    ) -> dict[str, float]:
        """The loss and the metrics of a checkpoint, means over examples.

        Args:
            input_fn: see `plx_core.feeding.as_pipeline`.
            steps: how many batches; all of them when None.
            hooks: callbacks, whose `on_evaluate` is called.
            checkpoint_path: the newest when None.
            name: a suffix of the split under which metrics are kept, `eval_NAME`.

        Returns:
            The metrics by name, `loss` and `global_step` among them.
        """
        path = self._checkpoint(checkpoint_path)
        pipeline = as_pipeline(input_fn, Modes.EVAL, self.config.seed)
        if steps is None and pipeline.num_batches is None:
            raise ComponentError("the evaluation data never ends; give steps (eval_steps in a config)")
        evaluator = self._evaluator(Modes.EVAL, pipeline)
        evaluator.restore(checkpoint_files.load(path))
        step = checkpoint_files.step_of(path)
        metrics = evaluator.evaluate(iter(pipeline.dataset()), steps) | {key: float(count) for key, count in pipeline.counters().items()}
        split = f"eval_{name}" if name else "eval"
        self.run_directory.append_metrics(step, split, metrics, time=time.time())
        for tracker in self._make_trackers():
            tracker.log(step, split, metrics)
            tracker.close()
        for hook in hooks or ():
            as_callback(make("callbacks", hook)).on_evaluate(self, step, metrics)
        return metrics | {"global_step": step}

    def predict(
        self, input_fn: Any, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """The predictions for each example, one mapping at a time.

        Args:
            input_fn: see `plx_core.feeding.as_pipeline`; labels are left aside.
            predict_keys: which predictions; all when None.
            checkpoint_path: the newest when None.
        """
        path = self._checkpoint(checkpoint_path)
        pipeline = as_pipeline(input_fn, Modes.PREDICT, self.config.seed)
        evaluator = self._evaluator(Modes.PREDICT, pipeline)
        evaluator.restore(checkpoint_files.load(path))
        for features, _ in pipeline.dataset():
            predictions = evaluator.predict(features)
            unknown = set(predict_keys or ()) - set(predictions)
            if unknown:
                raise ComponentError(f"there is no prediction called {', '.join(sorted(unknown))}; there are {', '.join(predictions)}")
            chosen = {key: value for key, value in predictions.items() if predict_keys is None or key in predict_keys}
            for index in range(len(next(iter(chosen.values())))):
                yield {key: value[index] for key, value in chosen.items()}

    def export(self, export_dir: str | Path, input_fn: Any, checkpoint_path: str | Path | None = None, format: str = "saved_model") -> Path:
        """Write a model that takes features as they lie in the data, by name.

        Args:
            export_dir: the folder to write; it must not exist.
            input_fn: only its features' names, shapes and dtypes are used, and how it processes them.
            checkpoint_path: the newest when None.
            format: `saved_model`, whose `serve` returns predictions by name, or `keras`, `onnx` or `litert`.
        """
        if Path(export_dir).exists():
            raise ComponentError(f"{export_dir} exists already; an export does not overwrite")
        path = self._checkpoint(checkpoint_path)
        pipeline = as_pipeline(input_fn, Modes.PREDICT, self.config.seed)
        evaluator = self._evaluator(Modes.PREDICT, pipeline)
        evaluator.restore(checkpoint_files.load(path))
        evaluator.export(Path(export_dir), format, pipeline.processing_network())
        return Path(export_dir)

    def get_variable_names(self) -> list[str]:
        """The names of the weights in the newest checkpoint."""
        return list(self._saved_variables())

    def get_variable_value(self, name: str) -> np.ndarray:
        """The value of a weight in the newest checkpoint."""
        saved = self._saved_variables()
        if name not in saved:
            raise ComponentError(f"there is no variable called {name}; there are {', '.join(saved)}")
        return saved[name]

    def build(self, mode: str, pipeline: Pipeline) -> EstimatorSpec:
        """Call the model function on symbolic features, with initial weights that depend on the seed alone."""
        keras.utils.set_random_seed(self.config.seed)
        if self.config.deterministic:
            tf.config.experimental.enable_op_determinism()
        keras.config.set_dtype_policy(self.config.mixed_precision)
        features, labels = pipeline.element_spec
        supplied = {
            "features": symbolic_inputs(features),
            "labels": labels,
            "mode": mode,
            "params": self.params,
            "config": self.config.run_config,
        }
        names = parameter_names(self.model_fn)
        spec = self.model_fn(**{name: supplied[name] for name in MODEL_FN_PARAMETERS if name in names})
        if not isinstance(spec, EstimatorSpec):
            raise ComponentError(
                f"a model_fn returns an EstimatorSpec, as a model does when it is called; this one returned {type(spec).__name__}"
            )
        return spec

    @property
    def _training(self) -> TrainingRun:
        if self._run is None:
            raise ComponentError("training has not begun in this process")
        return self._run

    def _checkpoint(self, path: str | Path | None) -> Path:
        found = Path(path) if path is not None else self.checkpoints.latest()
        if found is None:
            raise CheckpointError(f"there is no checkpoint in {self.checkpoints.directory}; train first")
        return found

    def _evaluator(self, mode: str, pipeline: Pipeline) -> EvaluationProgram:
        key = f"{mode} {pipeline.element_spec}"
        if key not in self._evaluators:
            self._evaluators[key] = EvaluationProgram(self.build(mode, pipeline))
        return self._evaluators[key]

    def _saved_variables(self) -> dict[str, np.ndarray]:
        state = checkpoint_files.load(self._checkpoint(None))
        return dict(state["program"]["variables"])

    def _make_trackers(self) -> list[Tracker]:
        trackers = [TensorBoardTracker(str(self.model_dir))] if self._trackers is None else self._trackers
        return [make("trackers", tracker, directory=str(self.model_dir)) for tracker in trackers]


class TrainingRun:
    """One call of `Estimator.train`."""

    def __init__(self, estimator: Estimator, input_fn: Any, callbacks: list[Callback]) -> None:
        self.estimator = estimator
        self.callbacks = callbacks
        self.trackers = estimator._make_trackers()
        run = estimator.config.run_config
        self._periods = run
        no_period = run.save_checkpoints_steps is None and run.save_checkpoints_secs is None
        self._clock = Clock(600.0 if no_period else run.save_checkpoints_secs)
        self._block = BlockSize(estimator.config.steps_per_call)
        self._tensors: dict[str, Any] = {}
        self._prepare(input_fn)

    def run(self, steps: int | None, max_steps: int | None) -> None:
        """Step until the goal or the end of the data."""
        estimator, program = self.estimator, self.program
        goal = program.global_step + steps if steps is not None else max_steps
        step = program.global_step
        if goal is not None and step >= goal:
            return
        for callback in self.callbacks:
            callback.on_run_begin(estimator, step)
        goal = min((stop for stop in (goal, *(callback.last_step for callback in self.callbacks)) if stop is not None), default=None)
        self._logged = (step, time.perf_counter())
        try:
            with stop_on_signals() as request:
                ended = self._loop(goal, request)
            for callback in self.callbacks:
                callback.on_run_end(estimator, program.global_step)
        finally:
            for tracker in self.trackers:
                tracker.close()
        if ended and program.global_step == step:
            logger.warning("the training data has been used up at step %d; nothing was left to train on", step)

    def _prepare(self, input_fn: Any) -> None:
        estimator = self.estimator
        known = estimator._trained
        if known is not None and known[0] is input_fn:
            self.pipeline, self.program, self.iterator = known[2]
            return
        pipeline = as_pipeline(input_fn, Modes.TRAIN, estimator.config.seed)
        program = TrainingProgram(estimator.build(Modes.TRAIN, pipeline), xla=estimator.config.xla)
        position = 0
        latest = estimator.checkpoints.latest()
        if latest is not None:
            state = checkpoint_files.load(latest)
            program.restore(state["program"])
            for index, callback in enumerate(self.callbacks):
                callback.restore(state["callbacks"].get(_callback_key(index, callback), {}))
            position = state["input"]["batch"] if known is None else 0
            logger.info("going on from %s", latest)
        elif estimator.warm_start is not None:
            warm_start(program, estimator.warm_start)
        estimator.run_directory.forget_after(program.global_step)
        estimator._position = position
        self.pipeline, self.program, self.iterator = pipeline, program, iter(pipeline.dataset(position))
        estimator._trained = (input_fn, program, (self.pipeline, self.program, self.iterator))

    def _loop(self, goal: int | None, request: Any) -> bool:
        """Step to the goal; whether the data ended before it."""
        program, run = self.program, self._periods
        periods = [
            run.save_checkpoints_steps,
            run.save_summary_steps,
            run.log_step_count_steps,
            *(callback.every_n_steps for callback in self.callbacks),
        ]
        step, saved, ended = program.global_step, program.global_step, False
        self._clock.is_due()
        while (
            (goal is None or step < goal)
            and not ended
            and request.number is None
            and not any(callback.stop_training for callback in self.callbacks)
        ):
            reached, ended = self._advance(step, self._block.next(step, goal, periods))
            last, step = step, reached
            if step > last:
                self._report(step, step == goal or ended)
            if step > last and (_is_due(step, run.save_checkpoints_steps) or self._clock.is_due()):
                self.save()
                saved = step
        if step > saved or self.estimator.checkpoints.latest() is None:
            self.save()
        if request.number is not None:
            raise Interrupted(request.number, f"stopped by signal {request.number} at step {step}; the same command goes on from there")
        return ended

    def _advance(self, step: int, count: int) -> tuple[int, bool]:
        program, ended = self.program, False
        remaining = None if self.pipeline.num_batches is None else self.pipeline.num_batches - self.estimator._position
        if remaining is not None and remaining <= 0:
            return step, True
        count = count if remaining is None else min(count, remaining)
        summarise = bool(TENSOR_SUMMARIES & program.spec.summaries) and _is_due(step + count, self._periods.save_summary_steps)
        began = time.perf_counter()
        bad_step = FINITE
        try:
            if count > summarise:
                bad_step = program.run(self.iterator, count - summarise)
            if summarise:
                self._tensors = program.summary_step(self.iterator)
                if bad_step == FINITE and not np.isfinite(self._tensors["loss_of_step"]):
                    bad_step = count - 1
        except tf.errors.OutOfRangeError:
            ended = True
        except tf.errors.OpError as error:
            raise self.pipeline.failure() or error from error
        reached = program.global_step
        self._block.took(count, time.perf_counter() - began)
        self._refuse_bad(step, bad_step)
        self.estimator._position += reached - step
        return reached, ended or (remaining is not None and reached - step >= remaining)

    def _refuse_bad(self, step: int, bad_step: int) -> None:
        if bad_step == FINITE:
            return
        latest = self.estimator.checkpoints.latest()
        kept = f"the last good checkpoint is {latest}" if latest else "there was no checkpoint yet"
        raise NonFiniteLoss(
            f"the loss is not finite at step {step + bad_step + 1} (batch {self.estimator._position + bad_step} of the training data); {kept}. "
            "A lower learning rate, clip_gradients, or inputs scaled to about 1 are the usual remedies"
        )

    def _report(self, step: int, is_last: bool) -> None:
        program, run = self.program, self._periods
        for callback in self.callbacks:
            callback.on_block(self.estimator, step)
        due_log = _is_due(step, run.log_step_count_steps) or (is_last and run.log_step_count_steps is not None)
        due_summary = _is_due(step, run.save_summary_steps)
        due_callbacks = [callback for callback in self.callbacks if _is_due(step, callback.every_n_steps)]
        if not (due_log or due_summary or due_callbacks):
            return
        metrics = (
            program.results()
            | {"learning_rate": program.learning_rate}
            | {key: float(value) for key, value in self.pipeline.counters().items()}
        )
        if due_log:
            self._log(step, metrics)
        if due_summary:
            self._summarise(step, metrics)
        for callback in due_callbacks:
            callback.on_steps(self.estimator, step, metrics)

    def _log(self, step: int, metrics: Mapping[str, float]) -> None:
        last_step, last_time = self._logged
        now = time.perf_counter()
        rate = (step - last_step) / max(now - last_time, 1e-9)
        self._logged = (step, now)
        self.estimator.run_directory.append_metrics(step, "train", metrics, steps_per_second=round(rate, 3), time=time.time())
        for callback in self.callbacks:
            callback.on_log(self.estimator, step, {**metrics, "steps_per_second": rate})
        self.program.reset_metrics()

    def _summarise(self, step: int, metrics: Mapping[str, float]) -> None:
        wanted = self.program.spec.summaries
        shown = {name: value for name, value in metrics.items() if name not in ("loss", "learning_rate") or name in wanted}
        tensors: dict[str, Any] = {}
        if "variables" in wanted:
            tensors = {f"variables/{name}": variable.numpy() for name, variable in self.program.variables.items() if np.ndim(variable) > 0}
        if TENSOR_SUMMARIES & wanted:
            tensors |= {tag: value for tag, value in self._tensors.items() if tag != "loss_of_step"}
        for tracker in self.trackers:
            tracker.log(step, "train", shown)
            if tensors and isinstance(tracker, TensorBoardTracker):
                tracker.log_tensors(step, "train", tensors)

    def save(self) -> None:
        """Save a checkpoint at the current step."""
        estimator, step = self.estimator, self.program.global_step
        states = {_callback_key(index, callback): dict(callback.state()) for index, callback in enumerate(self.callbacks)}
        state = {"global_step": step, "program": self.program.state(), "input": {"batch": estimator._position}, "callbacks": states}
        path = estimator.checkpoints.save(step, state)
        for callback in self.callbacks:
            callback.on_checkpoint(estimator, step, str(path))


def warm_start(program: TrainingProgram, source: WarmStartConfig) -> None:
    """Give a program the weights of another run.

    Raises:
        CheckpointError: there is no checkpoint, no variable is chosen, or names or shapes do not fit.
    """
    path = Path(source.path)
    checkpoint = (
        path
        if (path / checkpoint_files.MANIFEST).is_file() and not (path / CHECKPOINTS).is_dir()
        else Checkpoints(path / CHECKPOINTS).latest()
    )
    if checkpoint is None:
        raise CheckpointError(f"there is no checkpoint to start from in {path}")
    saved = checkpoint_files.load(checkpoint)["program"]["variables"]
    chosen = {name: variable for name, variable in program.variables.items() if re.fullmatch(source.variables, name)}
    if not chosen:
        raise CheckpointError(f"no variable matches {source.variables}; there are {', '.join(program.variables)}")
    wanted = {name: source.names.get(name, name) for name in chosen}
    assign_variables(chosen, {name: saved[other] for name, other in wanted.items() if other in saved}, f"variables of {checkpoint}")
    logger.info("started from %d variables of %s", len(chosen), checkpoint)


def _callback_key(index: int, callback: Callback) -> str:
    return f"{index:02d}_{type(callback).__name__}"


def _is_due(step: int, period: int | None) -> bool:
    return bool(period) and step % (period or 1) == 0


def _environment(config: RunConfig | EnvironmentConfig | None) -> EnvironmentConfig:
    if config is None:
        return EnvironmentConfig()
    if isinstance(config, RunConfig):
        return EnvironmentConfig(run_config=config, seed=config.seed or 0)
    return config


__all__ = ["Estimator", "PlxError", "RunConfig", "TrainingRun"]
