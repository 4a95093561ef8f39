"""Experiments: an estimator and its data, or an agent and its environment, and how training and evaluation alternate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from plx_core.callbacks.callback import Callback
from plx_core.data.input_fn import as_pipeline
from plx_core.experiments.experiment import BaseExperiment, require_source
from plx_core.models.spec import EstimatorSpec
from plx_core.state import Modes
from plx_core.supervised.estimator import Estimator


@define(kw_only=True)
class Experiment(BaseExperiment):
    """Trains, evaluates and exports an estimator; its other parameters are `BaseExperiment`'s.

    Args:
        estimator: what is trained.
        train_input_fn: what it is trained on, to `train_steps` or to the end of the data.
        eval_input_fn: what it is evaluated on.
    """

    estimator: Estimator
    train_input_fn: Any = None
    eval_input_fn: Any = None
    _asked: list[Callback] = field(factory=list, init=False, repr=False)

    @property
    def trainer(self) -> Estimator:
        """The estimator."""
        return self.estimator

    @property
    def _has_ended(self) -> bool:
        return self.estimator.is_out_of_data

    def check_hooks(
        self, ask: Callable[[Callback, EstimatorSpec], None] = lambda hook, spec: hook.check(spec)
    ) -> None:
        """Ask each callback that has a `check` whether it can work with this model and data; each is asked once.

        Args:
            ask: how one is asked.

        Raises:
            ComponentError: one cannot.
        """
        hooks = [
            hook
            for hook in (*self.train_hooks, *self.eval_hooks)
            if type(hook).check is not Callback.check
        ]
        unasked = [hook for hook in hooks if not any(hook is other for other in self._asked)]
        if not unasked or self.export_source is None:
            return
        mode = Modes.EVAL if self.can_evaluate else Modes.TRAIN
        spec = self.estimator.build(
            mode, as_pipeline(self.export_source, mode, self.estimator.config.seed)
        )
        for hook in unasked:
            ask(hook, spec)
        self._asked = hooks

    def _train_to(self, max_steps: int | None, hooks: Sequence[Callback]) -> None:
        self.check_hooks()
        self.estimator.train(
            require_source(self.train_input_fn, "train"), max_steps=max_steps, hooks=hooks
        )

    def _evaluate_on(
        self, split: str, steps: int | None, checkpoint_path: str | Path | None, name: str | None
    ) -> dict[str, float]:
        input_fn = require_source(
            self.train_input_fn if split == "train" else self.eval_input_fn, split
        )
        return self.estimator.evaluate(input_fn, steps, self.eval_hooks, checkpoint_path, name)

    def predict(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """The predictions for each example of the evaluation data."""
        return self.estimator.predict(
            require_source(self.eval_input_fn, "eval"), predict_keys, checkpoint_path
        )

    def encode(
        self, predict_keys: Sequence[str] | None = None, checkpoint_path: str | Path | None = None
    ) -> Iterator[dict[str, Any]]:
        """A generator's latents of each example of the evaluation data."""
        return self.estimator.predict(
            require_source(self.eval_input_fn, "eval"), predict_keys, checkpoint_path, Modes.ENCODE
        )

    def decode(
        self,
        latents: Any,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """What a generator makes of latents; see `Estimator.decode`."""
        return self.estimator.decode(
            require_source(self.export_source, "eval"), latents, predict_keys, checkpoint_path
        )

    def generate(
        self,
        count: int = 16,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
    ) -> Iterator[dict[str, Any]]:
        """What a generator makes of latents drawn at random; see `Estimator.generate`."""
        return self.estimator.generate(
            require_source(self.export_source, "eval"), count, None, predict_keys, checkpoint_path
        )

    @property
    def export_source(self) -> Any:
        """The data whose features an export takes."""
        return self.eval_input_fn or self.train_input_fn

    @property
    def can_evaluate(self) -> bool:
        """Whether there is data to evaluate on."""
        return self.eval_input_fn is not None

    @property
    def progress(self) -> tuple[int | None, str, Callable[[Any, int], int]]:
        """Training is counted in steps."""
        return self.train_steps, "step", lambda run, step: step
