"""Experiments with an estimator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from plx_core.callbacks.callback import Callback
from plx_core.data.input_fn import as_pipeline
from plx_core.experiments.experiment import (
    BaseExperiment,
    instance_of,
    require_source,
    with_older_callback_names,
)
from plx_core.models.spec import EstimatorSpec
from plx_core.state import Modes
from plx_core.supervised.estimator import Estimator
from plx_core.types import Array, InputFn


@with_older_callback_names
@define
class Experiment(BaseExperiment):
    """Trains, evaluates and exports an estimator; the other parameters are `BaseExperiment`'s.

    Args:
        estimator: the estimator; anything else is an `ArgumentError`.
        train_input_fn: the training data; training stops at `train_steps` or when the data ends.
        eval_input_fn: the evaluation data.
    """

    estimator: Estimator = field(validator=instance_of(Estimator))
    train_input_fn: Any = None
    eval_input_fn: Any = None

    @property
    def trainer(self) -> Estimator:
        """The estimator."""
        return self.estimator

    @property
    def _has_ended(self) -> bool:
        return self.estimator.is_out_of_data

    def _fit(self, max_steps: int | None, callbacks: Sequence[Callback]) -> None:
        input_fn = require_source(self.train_input_fn, "train")
        self.estimator.train(input_fn, max_steps=max_steps, callbacks=callbacks)

    def _build_spec(self) -> EstimatorSpec | None:
        if self.export_source is None:
            return None
        mode = Modes.EVAL if self.train_input_fn is None else Modes.TRAIN
        input_fn = self.eval_input_fn if self.train_input_fn is None else self.train_input_fn
        return self.estimator.build(mode, as_pipeline(input_fn, mode, self.estimator.config.seed))

    def _evaluate_on(
        self, split: str, steps: int | None, checkpoint_path: str | Path | None, name: str | None
    ) -> dict[str, float]:
        input_fn = require_source(
            self.train_input_fn if split == "train" else self.eval_input_fn, split
        )
        return self.estimator.evaluate(input_fn, steps, self.eval_callbacks, checkpoint_path, name)

    def predict(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the predictions for each example of the evaluation data."""
        return self.estimator.predict(
            require_source(self.eval_input_fn, "eval"),
            predict_keys,
            self.choose_checkpoint(checkpoint_path),
        )

    def encode(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield a generator's latents for each example of the evaluation data."""
        return self.estimator.encode(
            require_source(self.eval_input_fn, "eval"),
            predict_keys,
            self.choose_checkpoint(checkpoint_path),
        )

    def decode(
        self,
        latents: Array,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield what a generator decodes latents to; see `Estimator.decode`."""
        return self.estimator.decode(
            require_source(self.export_source, "eval"),
            latents,
            predict_keys,
            self.choose_checkpoint(checkpoint_path),
        )

    def generate(
        self,
        count: int = 16,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield what a generator decodes random latents to; see `Estimator.generate`."""
        return self.estimator.generate(
            require_source(self.export_source, "eval"),
            count,
            None,
            predict_keys,
            self.choose_checkpoint(checkpoint_path),
        )

    @property
    def export_source(self) -> InputFn:
        """The data with the features that an export takes."""
        return self.eval_input_fn or self.train_input_fn

    @property
    def can_evaluate(self) -> bool:
        """Whether there is data to evaluate on."""
        return self.eval_input_fn is not None

    @property
    def progress(self) -> tuple[int | None, str, Callable[[Any, int], int]]:
        """Training is counted in steps."""
        return self.train_steps, "step", lambda run, step: step
