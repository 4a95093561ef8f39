"""The estimator: a model function, a run directory, and the loop that trains, evaluates and predicts."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from plx_core.annotations import CallbackLike
from plx_core.callbacks.callback import Callback
from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.components.older_names import accept_older_names
from plx_core.data.input_fn import as_pipeline, explained, is_endless
from plx_core.data.pipeline import Pipeline
from plx_core.engine.evaluation_program import EvaluationProgram, prediction_rows
from plx_core.engine.loop import Goals, restore_callbacks
from plx_core.engine.trainer import Trainer
from plx_core.engine.warm_start import warm_start
from plx_core.engine.xla_trial import is_quicker, steps_per_second
from plx_core.errors import ComponentError
from plx_core.models.spec import EstimatorSpec
from plx_core.runs import checkpoints as checkpoint_files
from plx_core.state import Modes
from plx_core.supervised.training_loop import EstimatorLoop, TrainingState
from plx_core.supervised.training_program import TrainingProgram, build_metrics

logger = logging.getLogger(__name__)


class Estimator(Trainer):
    """Trains, evaluates and predicts with a model function; its run directory remembers everything. Its parameters are `Trainer`'s.

    Example:
        >>> estimator = Estimator(model_fn, model_dir="runs/lenet")        # doctest: +SKIP
        >>> estimator.train(input_fn, max_steps=1000).evaluate(eval_fn)    # doctest: +SKIP
    """

    _training: TrainingState | None = None
    evaluated_on: Any = None
    """The `input_fn` of the last evaluation, for callbacks that look at examples."""

    @property
    def is_out_of_data(self) -> bool:
        """Whether the training data that this process reads is known to have been used up."""
        return self._training is not None and self._training.remaining == 0

    @accept_older_names(hooks="callbacks")
    def train(
        self,
        input_fn: Any,
        steps: int | None = None,
        max_steps: int | None = None,
        callbacks: Iterable[CallbackLike] | None = None,
    ) -> Estimator:
        """Train, from the newest checkpoint if there is one.

        The position in the data is part of a checkpoint: the first call of a process goes on where the run stopped, and so does a
        later call with the same `input_fn`; one with another `input_fn` starts at its beginning.

        Args:
            input_fn: see `plx_core.data.input_fn.as_pipeline`.
            steps: how many more steps to take.
            max_steps: the global step to stop at; nothing happens when it has been reached.
            callbacks: called during training.

        Raises:
            NonFiniteLoss: the loss became infinite or not a number; the last good checkpoint is kept.
            Interrupted: a signal asked to stop; a checkpoint was written.
        """
        if steps is not None and max_steps is not None:
            raise ComponentError(
                "give steps (how many more) or max_steps (the global step to stop at), not both"
            )
        active = as_callbacks(callbacks)
        with self.run_directory.writing(), self.observed(active):
            training = self._prepare(input_fn, active)
            self._loop = EstimatorLoop(self, training, active, self.make_trackers())
            # If this call fails, memory is ahead of every checkpoint: the next call starts from one.
            self._training = None
            if steps is not None:
                max_steps = training.program.global_step + steps
            self._loop.run(Goals(steps=max_steps))
            self._training = training
        return self

    @accept_older_names(hooks="callbacks")
    def evaluate(
        self,
        input_fn: Any,
        steps: int | None = None,
        callbacks: Iterable[CallbackLike] | None = None,
        checkpoint_path: str | Path | None = None,
        name: str | None = None,
    ) -> dict[str, float]:
        """The loss and the metrics of a checkpoint, means over examples.

        Args:
            input_fn: see `plx_core.data.input_fn.as_pipeline`.
            steps: how many batches; all of them when None.
            callbacks: their `on_evaluate` is called.
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
        return self._record_evaluation(step, split, metrics, callbacks)

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
            yield from prediction_rows(evaluator.predict(pipeline.dataset()), predict_keys)

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
        yield from prediction_rows(evaluator.decode(np.asarray(latents)), predict_keys)

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
        yield from prediction_rows(evaluator.decode(latents), predict_keys)

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
            restore_callbacks(callbacks, state)
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
