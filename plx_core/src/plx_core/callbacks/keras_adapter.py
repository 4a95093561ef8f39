"""Keras's callbacks in a run of plx."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from plx_core.annotations import CallbackLike
from plx_core.callbacks.callback import Callback
from plx_core.components.component import make
from plx_core.errors import ComponentError
from plx_core.state import State

if TYPE_CHECKING:
    from plx_core.runs.run import Run

KerasObject: TypeAlias = Any
"""A `keras.callbacks.Callback`."""


class KerasCallback(Callback):
    """A `keras.callbacks.Callback` in a run of plx, where each evaluation ends an epoch.

    Its `on_train_begin`, `on_train_end`, `on_epoch_end` and `on_test_end` are called.

    Args:
        callback: the Keras callback.

    Raises:
        ComponentError: it needs single batches, which plx has not, as it takes many steps in one
            call; or it saves or swaps weights, which a run of plx does itself.
    """

    def __init__(self, callback: KerasObject) -> None:
        import keras

        base = keras.callbacks.Callback
        single = (
            "on_batch_begin",
            "on_batch_end",
            "on_train_batch_begin",
            "on_train_batch_end",
            "on_test_batch_end",
            "on_predict_batch_end",
        )
        overridden = [
            name for name in single if getattr(type(callback), name) is not getattr(base, name)
        ]
        if overridden:
            raise ComponentError(
                f"{type(callback).__name__} needs single batches ({', '.join(overridden)}), "
                "but plx takes many steps in one call; write a plx_core.Callback with every_n_steps"
            )
        if isinstance(
            callback, (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore)
        ):
            raise ComponentError(
                f"{type(callback).__name__} is not needed: a run of plx saves and resumes by "
                "itself, and keep_best keeps the best checkpoint"
            )
        if isinstance(callback, keras.callbacks.SwapEMAWeights):
            raise ComponentError(
                "SwapEMAWeights is not needed: a run of plx evaluates, predicts and exports with "
                "the averages of an optimizer with use_ema"
            )
        if getattr(callback, "restore_best_weights", False):
            raise ComponentError(
                f"{type(callback).__name__} with restore_best_weights would replace the weights "
                "amid the training; plx's EarlyStopping makes the best checkpoint the result"
            )
        self._callback = callback
        self._epoch = 0
        self._attributes: State = {}
        self._has_begun = False

    @property
    def label(self) -> str:
        """The name of the Keras callback."""
        return type(self._callback).__name__

    def on_run_begin(self, run: Run, step: int) -> None:
        """Give the callback the network, and begin the training if it has not begun."""
        self._begin(run)

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """End an epoch."""
        self._begin(run)
        logs = {**metrics, **{f"val_{name}": value for name, value in metrics.items()}}
        self._callback.on_test_end(logs)
        self._callback.on_epoch_end(self._epoch, logs)
        self._epoch += 1
        self.stop_training = bool(getattr(run.training_model, "stop_training", False))

    def on_run_end(self, run: Run, step: int) -> None:
        """End the training."""
        self._callback.on_train_end({})

    def state(self) -> State:
        """Return the epoch and the callback's plain attributes, such as its best value.

        The parameters of Keras's own classes are not state: a new object has them, and Keras turns
        the sign of min_delta when it first compares values.
        """
        parameters = {
            name
            for cls in type(self._callback).__mro__
            if cls.__module__.startswith("keras.")
            for name in inspect.signature(cls).parameters
        }
        plain = {
            name: value
            for name, value in vars(self._callback).items()
            if name not in parameters
            and (isinstance(value, (bool, int, float, str)) or value is None)
        }
        return {"epoch": self._epoch, "attributes": plain, "stopped": self.stop_training}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        self._epoch = state.get("epoch", 0)
        self.stop_training = state.get("stopped", False)
        self._attributes = state.get("attributes", {})
        self._set_attributes()

    def _begin(self, run: Run) -> None:
        """Begin the training once, which resets the callback's counts.

        Training pauses for each evaluation, and then goes on with the counts.
        """
        self._callback.set_model(run.training_model)
        if not self._has_begun:
            self._has_begun = True
            self._callback.on_train_begin({})
            self._set_attributes()

    def _set_attributes(self) -> None:
        for name, value in self._attributes.items():
            setattr(self._callback, name, value)


def as_callbacks(values: Iterable[CallbackLike] | None) -> list[Callback]:
    """Return the callbacks that some values stand for: objects of plx or Keras, names, or mappings.

    Raises:
        ComponentError: a value is none of these.
    """
    return [_as_callback(make("callbacks", value)) for value in values or ()]


def _as_callback(value: CallbackLike) -> Callback:
    if isinstance(value, Callback):
        return value
    if any(
        cls.__module__.startswith("keras.") and cls.__name__ == "Callback"
        for cls in inspect.getmro(type(value))
    ):
        return KerasCallback(value)
    raise ComponentError(
        f"expected a plx_core.Callback or a keras.callbacks.Callback, got a {type(value).__name__}"
    )
