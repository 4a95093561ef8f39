"""The estimator: a model function, a run directory, and the loop that trains, evaluates and predicts."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from plx_core.callbacks.callback import Callback
from plx_core.callbacks.keras_adapter import as_callback
from plx_core.components.component import make
from plx_core.data.input_fn import as_pipeline, explained, is_endless
from plx_core.data.pipeline import Pipeline
from plx_core.engine.evaluation_program import EvaluationProgram
from plx_core.engine.loop import named_callbacks
from plx_core.engine.trainer import Trainer
from plx_core.engine.warm_start import warm_start
from plx_core.engine.xla_trial import is_quicker, steps_per_second
from plx_core.errors import ComponentError
from plx_core.models.spec import EstimatorSpec
from plx_core.runs import checkpoints as checkpoint_files
from plx_core.state import Modes
from plx_core.supervised.training_loop import TrainingRun, TrainingState
from plx_core.supervised.training_program import TrainingProgram, build_metrics

logger = logging.getLogger(__name__)


class Estimator(Trainer):
    """Trains, evaluates and predicts with a model function; its run directory remembers everything. Its parameters are `Trainer`'s.

    Example:
        >>> estimator = Estimator(model_fn, model_dir="runs/lenet")        # doctest: +SKIP
        >>> estimator.train(input_fn, max_steps=1000).evaluate(eval_fn)    # doctest: +SKIP
    """

    _training: TrainingState | None = None
    _run: TrainingRun | None = None
    evaluated_on: Any = None
    """The `input_fn` of the last evaluation, for callbacks that look at examples."""

    @property
    def training_model(self) -> keras.Model:
        """The network that is being trained.

        Raises:
            ComponentError: training has not begun in this process.
        """
        return self._running.program.spec.network

    @property
    def is_out_of_data(self) -> bool:
        """Whether the training data that this process reads is known to have been used up."""
        return self._training is not None and self._training.remaining == 0

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step; it can be set unless it follows a schedule."""
        return self._running.program.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._running.program.learning_rate = value

    def save_checkpoint(self) -> None:
        """Save a checkpoint now, amid training."""
        self._running.save()

    def train(
        self,
        input_fn: Any,
        steps: int | None = None,
        max_steps: int | None = None,
        hooks: Sequence[Any] | None = None,
    ) -> Estimator:
        """Train, from the newest checkpoint if there is one.

        The position in the data is part of a checkpoint: the first call of a process goes on where the run stopped, and so does a
        later call with the same `input_fn`; one with another `input_fn` starts at its beginning.

        Args:
            input_fn: see `plx_core.data.input_fn.as_pipeline`.
            steps: how many more steps to take.
            max_steps: the global step to stop at; nothing happens when it has been reached.
            hooks: callbacks.

        Raises:
            NonFiniteLoss: the loss became infinite or not a number; the last good checkpoint is kept.
            Interrupted: a signal asked to stop; a checkpoint was written.
        """
        if steps is not None and max_steps is not None:
            raise ComponentError(
                "give steps (how many more) or max_steps (the global step to stop at), not both"
            )
        callbacks = [as_callback(make("callbacks", hook)) for hook in hooks or ()]
        with self.run_directory.writing(), self.announced(callbacks):
            training = self._prepare(input_fn, callbacks)
            self._run = TrainingRun(self, training, callbacks, self.make_trackers())
            self._training = None  # if this call fails, memory holds what no checkpoint does: the next call goes on from the checkpoint
            self._run.run(steps, max_steps)
            self._training = training
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
            input_fn: see `plx_core.data.input_fn.as_pipeline`.
            steps: how many batches; all of them when None.
            hooks: callbacks, whose `on_evaluate` is called.
            checkpoint_path: the newest when None.
            name: a suffix of the split under which metrics are kept, `eval_NAME`.

        Returns:
            The metrics by name, `loss` and `global_step` among them.
        """
        path = self._checkpoint(checkpoint_path)
        pipeline = as_pipeline(input_fn, Modes.EVAL, self.config.seed)
        if steps is None and is_endless(pipeline):
            raise ComponentError(
                "the evaluation data never ends; give steps (eval_steps in a config)"
            )
        evaluator = self._evaluator(Modes.EVAL, pipeline, path)
        step = checkpoint_files.step_of(path)
        with explained(pipeline):
            metrics = evaluator.evaluate(iter(pipeline.dataset()), steps)
        metrics |= {key: float(count) for key, count in pipeline.counters().items()}
        self.evaluated_on = input_fn
        split = f"eval_{name}" if name else "eval"
        self.run_directory.note_data(split, pipeline.counters())
        return self._evaluated(step, split, metrics, hooks)

    def predict(
        self,
        input_fn: Any,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
        mode: str = Modes.PREDICT,
    ) -> Iterator[dict[str, np.ndarray]]:
        """The predictions for each example, one mapping at a time.

        Args:
            input_fn: see `plx_core.data.input_fn.as_pipeline`; labels are left aside.
            predict_keys: which predictions; all when None.
            checkpoint_path: the newest when None.
            mode: `encode` for a generator's latents instead.
        """
        path = self._checkpoint(checkpoint_path)
        pipeline = as_pipeline(input_fn, Modes.PREDICT, self.config.seed)
        evaluator = self._evaluator(mode, pipeline, path)
        with explained(pipeline):
            yield from _rows(evaluator.predict(pipeline.dataset()), predict_keys)

    def decode(
        self,
        input_fn: Any,
        latents: Any,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """What a generator makes of each latent, one mapping at a time: `latent`, and what it is decoded to.

        Args:
            input_fn: only its features' names, shapes and dtypes are used.
            latents: float [n, …], as `predict` gives them in the mode `encode`.
            predict_keys: which predictions; all when None.
            checkpoint_path: the newest when None.
        """
        evaluator = self._generator(input_fn, checkpoint_path)
        yield from _rows(evaluator.decode(np.asarray(latents)), predict_keys)

    def generate(
        self,
        input_fn: Any,
        count: int = 16,
        seed: int | None = None,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """What a generator makes of latents that are drawn at random, as `decode` gives it.

        Args:
            input_fn: only its features' names, shapes and dtypes are used.
            count: how many.
            seed: of the latents; the run's when None.
            predict_keys: which predictions; all when None.
            checkpoint_path: the newest when None.
        """
        evaluator = self._generator(input_fn, checkpoint_path)
        latents = evaluator.sample(count, self.config.seed if seed is None else seed)
        yield from _rows(evaluator.decode(latents), predict_keys)

    def export(
        self,
        export_dir: str | Path,
        input_fn: Any,
        checkpoint_path: str | Path | None = None,
        format: str = "saved_model",
    ) -> Path:
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
        evaluator = self._evaluator(Modes.PREDICT, pipeline, path)
        evaluator.export(Path(export_dir), format, pipeline.processing_network())
        return Path(export_dir)

    def build(self, mode: str, pipeline: Pipeline) -> EstimatorSpec:
        """Call the model function on what a pipeline yields."""
        features, labels = pipeline.element_spec
        spec = self.call_model_fn(mode, features, labels)
        build_metrics(spec, features, labels)
        return spec

    @functools.cached_property
    def _evaluators(self) -> dict[str, EvaluationProgram]:
        return {}

    @property
    def _running(self) -> TrainingRun:
        if self._run is None:
            raise ComponentError("training has not begun in this process")
        return self._run

    def _prepare(self, input_fn: Any, callbacks: Sequence[Callback]) -> TrainingState:
        """What the call before left in memory if it fits, else a program with the state of the newest checkpoint."""
        known = self._training
        if (
            known is not None
            and known.input_fn is input_fn
            and known.program.global_step == self.global_step
        ):
            return known
        pipeline = as_pipeline(input_fn, Modes.TRAIN, self.config.seed)
        program = self._new_program(pipeline)
        position = 0
        latest = self.checkpoints.latest()
        if latest is not None:
            state = checkpoint_files.load(latest)
            program.restore(state["program"])
            for name, callback in named_callbacks(callbacks).items():
                callback.restore(state["callbacks"].get(name, {}))
            position = state["input"]["batch"] if known is None else 0
            logger.info("going on from %s", latest)
        elif self.warm_start is not None:
            warm_start(program.variables, self.warm_start)
        self.run_directory.forget_after(program.global_step)
        return TrainingState(
            input_fn, pipeline, program, program.read(pipeline.dataset(position)), position
        )

    def _new_program(self, pipeline: Pipeline) -> TrainingProgram:
        def make(xla: bool) -> TrainingProgram:
            return TrainingProgram(self.build(Modes.TRAIN, pipeline), xla=xla)

        def rate(xla: bool, rival: float) -> float:
            return steps_per_second(make(xla), pipeline, rival)

        return make(
            is_quicker(self.model_dir, rate) if self.config.xla == "auto" else self.config.xla
        )

    def _generator(self, input_fn: Any, checkpoint_path: str | Path | None) -> EvaluationProgram:
        path = self._checkpoint(checkpoint_path)
        return self._evaluator(
            Modes.GENERATE, as_pipeline(input_fn, Modes.PREDICT, self.config.seed), path
        )

    def _evaluator(self, mode: str, pipeline: Pipeline, checkpoint: Path) -> EvaluationProgram:
        """The program of a mode and of what a pipeline yields, with the weights of a checkpoint."""
        key = f"{mode} {pipeline.element_spec}"
        if key not in self._evaluators:
            self._evaluators[key] = EvaluationProgram(self.build(mode, pipeline))
        self._evaluators[key].restore(checkpoint_files.load(checkpoint))
        return self._evaluators[key]


def _rows(
    batches: Iterable[Mapping[str, np.ndarray]], keys: Sequence[str] | None
) -> Iterator[dict[str, np.ndarray]]:
    """The examples of batches, one by one, with the predictions that are asked for."""
    for predictions in batches:
        chosen = _choose(predictions, keys)
        for row in zip(*chosen.values(), strict=True):
            yield dict(zip(chosen, row, strict=True))


def _choose(
    predictions: Mapping[str, np.ndarray], keys: Sequence[str] | None
) -> Mapping[str, np.ndarray]:
    if keys is None:
        return predictions
    unknown = sorted(set(keys) - set(predictions))
    if unknown or not keys:
        raise ComponentError(
            f"there is no prediction called {', '.join(unknown) or 'nothing'}; there are {', '.join(predictions)}"
        )
    return {key: predictions[key] for key in keys}
