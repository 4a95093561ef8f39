"""The estimator: train, evaluate, predict with and export a model function."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from plx_core.annotations import CallbackLike
from plx_core.callbacks.callback import Callback
from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.components.older_names import accept_older_names
from plx_core.config.sections import WarmStartConfig
from plx_core.data.input_fn import as_pipeline, explained, is_endless
from plx_core.data.pipeline import Pipeline
from plx_core.engine.evaluation_program import EvaluationProgram, prediction_rows
from plx_core.engine.failures import reporting
from plx_core.engine.loop import Goals, restore_callbacks
from plx_core.engine.trainer import Trainer
from plx_core.engine.warm_start import warm_start
from plx_core.engine.xla_trial import is_faster, steps_per_second
from plx_core.errors import ComponentError
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.graph import FEATURES
from plx_core.networks.variable_names import variables_by_name
from plx_core.runs import checkpoints as checkpoint_files
from plx_core.state import Modes
from plx_core.supervised.label_ranges import check_num_classes, with_valid_labels
from plx_core.supervised.training_loop import EstimatorLoop, TrainingState
from plx_core.supervised.training_program import TrainingProgram, build_metrics
from plx_core.types import Array, InputFn

logger = logging.getLogger(__name__)


class Estimator(Trainer):
    """Trains, evaluates and predicts with a model function; see `Trainer` for the parameters.

    Example:
        >>> estimator = Estimator(model_fn, model_dir="runs/lenet")        # doctest: +SKIP
        >>> estimator.train(input_fn, max_steps=1000).evaluate(eval_fn)    # doctest: +SKIP
    """

    _training: TrainingState | None = None
    evaluated_on: InputFn = None
    """The `input_fn` of the last evaluation, for callbacks that need examples."""

    @property
    def is_out_of_data(self) -> bool:
        """Whether the training data of this process is known to be used up."""
        return self._training is not None and self._training.remaining == 0

    @accept_older_names(hooks="callbacks")
    def train(
        self,
        input_fn: InputFn,
        steps: int | None = None,
        max_steps: int | None = None,
        callbacks: Iterable[CallbackLike] | None = None,
    ) -> Estimator:
        """Train, from the newest checkpoint if there is one.

        A checkpoint holds the position in the data: the first call of a process resumes where the
        run stopped, and so does a later call with the same `input_fn`. A call with another
        `input_fn` starts at its beginning.

        Args:
            input_fn: the training data; anything that `as_pipeline` takes.
            steps: the number of further steps.
            max_steps: the global step to stop at; nothing happens if it has been reached.
            callbacks: called during training.

        Raises:
            NonFiniteLoss: a loss is infinite or NaN; the last good checkpoint is kept.
            Interrupted: a signal asked to stop; a checkpoint was written.
        """
        if steps is not None and max_steps is not None:
            raise ComponentError(
                "give either steps (how many more) or max_steps (the total to stop at)"
            )
        active = as_callbacks(callbacks)
        with self.run_directory.writing(), self.observed(active):
            training = self._prepare(input_fn, active)
            self._loop = EstimatorLoop(self, self.config, training, active, self.make_trackers())
            # If this call fails, memory is ahead of every checkpoint: the next one starts from one.
            self._training = None
            if steps is not None:
                max_steps = training.program.global_step + steps
            self._loop.run(Goals(steps=max_steps))
            self._training = training
        return self

    @accept_older_names(hooks="callbacks")
    def evaluate(
        self,
        input_fn: InputFn,
        steps: int | None = None,
        callbacks: Iterable[CallbackLike] | None = None,
        checkpoint_path: str | Path | None = None,
        name: str | None = None,
    ) -> dict[str, float]:
        """Evaluate a checkpoint.

        Args:
            input_fn: the evaluation data; anything that `as_pipeline` takes.
            steps: the number of batches; all of them when None.
            callbacks: their `on_evaluate` is called.
            checkpoint_path: the checkpoint; the newest when None.
            name: the metrics are logged under the split `eval_NAME`.

        Returns:
            The means of the loss and the metrics over examples, and `global_step`, by name.
        """
        path = self._checkpoint(checkpoint_path)
        pipeline = as_pipeline(input_fn, Modes.EVAL, self.config.seed)
        if steps is None and is_endless(pipeline):
            raise ComponentError(
                "the evaluation data never ends; give steps (eval_steps in a config)"
            )
        evaluator = self._evaluator(Modes.EVAL, pipeline, path)
        pipeline = with_valid_labels(pipeline, evaluator.spec.label_ranges)
        step = checkpoint_files.step_of(path)
        with reporting("the evaluation"), explained(pipeline):
            metrics = evaluator.evaluate(iter(pipeline.dataset()), steps)
        metrics |= {key: float(count) for key, count in pipeline.counters().items()}
        self.evaluated_on = input_fn
        split = f"eval_{name}" if name else "eval"
        self.run_directory.note_data(split, pipeline.counters())
        return self._record_evaluation(step, split, metrics, callbacks)

    def predict(
        self,
        input_fn: InputFn,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
        mode: str = Modes.PREDICT,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield the predictions for each example, one mapping at a time.

        Args:
            input_fn: the data, without labels or with labels that are ignored.
            predict_keys: the names of the predictions; all when None.
            checkpoint_path: the checkpoint; the newest when None.
            mode: `encode` for the latents of a generator.
        """
        path = self._checkpoint(checkpoint_path)
        pipeline = as_pipeline(input_fn, Modes.PREDICT, self.config.seed)
        evaluator = self._evaluator(mode, pipeline, path)
        with reporting("the prediction"), explained(pipeline):
            yield from prediction_rows(evaluator.predict(pipeline.dataset()), predict_keys)

    def encode(
        self,
        input_fn: InputFn,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield a generator's latents for each example; see `predict`."""
        return self.predict(input_fn, predict_keys, checkpoint_path, Modes.ENCODE)

    def decode(
        self,
        input_fn: InputFn,
        latents: Array,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield what a generator decodes each latent to, one mapping at a time, with the `latent`.

        Args:
            input_fn: the data; only the names, shapes and dtypes of its features are used.
            latents: float [n, …], as `predict` returns them in the mode `encode`.
            predict_keys: the names of the predictions; all when None.
            checkpoint_path: the checkpoint; the newest when None.
        """
        evaluator = self._generator(input_fn, checkpoint_path)
        yield from prediction_rows(evaluator.decode(np.asarray(latents)), predict_keys)

    def generate(
        self,
        input_fn: InputFn,
        count: int = 16,
        seed: int | None = None,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield what a generator decodes random latents to; see `decode`.

        Args:
            input_fn: the data; only the names, shapes and dtypes of its features are used.
            count: the number of latents.
            seed: the seed of the latents; the run's when None.
            predict_keys: the names of the predictions; all when None.
            checkpoint_path: the checkpoint; the newest when None.
        """
        evaluator = self._generator(input_fn, checkpoint_path)
        latents = evaluator.sample(count, self.config.seed if seed is None else seed)
        yield from prediction_rows(evaluator.decode(latents), predict_keys)

    def export(
        self,
        export_dir: str | Path,
        input_fn: InputFn,
        checkpoint_path: str | Path | None = None,
        format: str = "saved_model",
    ) -> Path:
        """Export the model; it takes raw features by name.

        Args:
            export_dir: the folder to write; it must not exist.
            input_fn: the data; the names, shapes and dtypes of its features are used, and their
                processing.
            checkpoint_path: the checkpoint; the newest when None.
            format: `saved_model`, with a `serve` that returns predictions by name; or `keras`,
                `onnx` or `litert`.

        Raises:
            ComponentError: the folder exists.
            RunFileError: it cannot be written; what has been written of it is removed.
        """
        with self._new_export(export_dir) as target:
            path = self._checkpoint(checkpoint_path)
            pipeline = as_pipeline(input_fn, Modes.PREDICT, self.config.seed)
            evaluator = self._evaluator(Modes.PREDICT, pipeline, path)
            features, _ = pipeline.element_spec
            evaluator.export(target, format, features, pipeline.processing_network())
        return Path(export_dir)

    def build(self, mode: str, pipeline: Pipeline) -> EstimatorSpec:
        """Call the model function on the element spec of a pipeline.

        Raises:
            ComponentError: the model does not fit the data.
        """
        features, labels = pipeline.element_spec
        inputs = features if pipeline.names_features else features[FEATURES]
        spec = self.call_model_fn(mode, inputs, labels)
        check_num_classes(pipeline, spec.label_ranges)
        build_metrics(spec, features, labels)
        return spec

    @functools.cached_property
    def _evaluators(self) -> dict[str, EvaluationProgram]:
        return {}

    def _prepare(self, input_fn: InputFn, callbacks: Sequence[Callback]) -> TrainingState:
        """Return the state of the last call if it fits, or else that of the newest checkpoint."""
        last = self._training
        if (
            last is not None
            and last.input_fn is input_fn
            and last.program.global_step == self.global_step
        ):
            return last
        pipeline = as_pipeline(input_fn, Modes.TRAIN, self.config.seed)
        latest = self.checkpoints.latest()
        program = self._new_program(pipeline, self.warm_start if latest is None else None)
        pipeline = with_valid_labels(pipeline, program.spec.label_ranges)
        position = 0
        if latest is not None:
            state = checkpoint_files.load(latest)
            program.restore(state["program"])
            restore_callbacks(callbacks, state)
            position = state["input"]["batch"] if last is None else 0
            logger.info("resuming from %s", latest)
        self.run_directory.forget_after(program.global_step)
        return TrainingState(
            input_fn, pipeline, program, program.read(pipeline.dataset(position)), position
        )

    def _new_program(self, pipeline: Pipeline, start: WarmStartConfig | None) -> TrainingProgram:
        def create(xla: bool) -> TrainingProgram:
            spec = self.build(Modes.TRAIN, pipeline)
            if start is not None:  # before the optimizer, whose variables may begin as the weights
                warm_start(variables_by_name(spec.network), start)
            return TrainingProgram(spec, xla=xla)

        def rate(xla: bool, rival: float) -> float:
            program = create(xla)
            valid = with_valid_labels(pipeline, program.spec.label_ranges)
            return steps_per_second(program, valid, rival)

        if self.config.xla == "auto":
            return create(is_faster(self.model_dir, rate))
        return create(self.config.xla)

    def _generator(
        self, input_fn: InputFn, checkpoint_path: str | Path | None
    ) -> EvaluationProgram:
        path = self._checkpoint(checkpoint_path)
        return self._evaluator(
            Modes.GENERATE, as_pipeline(input_fn, Modes.PREDICT, self.config.seed), path
        )

    def _evaluator(self, mode: str, pipeline: Pipeline, checkpoint: Path) -> EvaluationProgram:
        """Return the program of a mode and a pipeline, with the weights of a checkpoint."""
        key = f"{mode} {pipeline.element_spec}"
        if key not in self._evaluators:
            self._evaluators[key] = EvaluationProgram(self.build(mode, pipeline))
        self._evaluators[key].restore(checkpoint_files.load(checkpoint))
        return self._evaluators[key]
