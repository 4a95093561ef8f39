"""Callbacks that come with the core: the hooks of polyaxon-lib and of `tf.estimator` in today's form, and Keras's two favourites."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from plx_core.callbacks.callback import Callback
from plx_core.errors import ComponentError
from plx_core.state import State


class KerasCallback(Callback):
    """A `keras.callbacks.Callback` in a run of plx: an evaluation ends an epoch.

    Its `on_train_begin`, `on_train_end`, `on_epoch_end` and `on_test_end` are called. One that works on single batches is refused,
    since many steps are taken in one call.

    Args:
        callback: the callback.
    """

    def __init__(self, callback: Any) -> None:
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
                f"{type(callback).__name__} works on single batches ({', '.join(overridden)}); plx takes many steps in one call: "
                "write a plx_core.Callback with every_n_steps"
            )
        if isinstance(
            callback, (keras.callbacks.ModelCheckpoint, keras.callbacks.BackupAndRestore)
        ):
            raise ComponentError(
                f"{type(callback).__name__} is not needed: a run of plx saves and resumes by itself; BestExporter keeps the best model"
            )
        self._callback = callback
        self._epoch = 0

    def on_run_begin(self, run: Any, step: int) -> None:
        """Hand it the network."""
        self._callback.set_model(run.training_model)
        self._callback.on_train_begin({})

    def on_evaluate(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """An epoch has ended."""
        logs = {**metrics, **{f"val_{name}": value for name, value in metrics.items()}}
        self._callback.on_test_end(logs)
        self._callback.on_epoch_end(self._epoch, logs)
        self._epoch += 1
        self.stop_training = bool(getattr(run.training_model, "stop_training", False))

    def on_run_end(self, run: Any, step: int) -> None:
        """Training has ended."""
        self._callback.on_train_end({})

    def state(self) -> State:
        """The epoch, and the callback's plain attributes, such as its patience and best value."""
        plain = {
            name: value
            for name, value in vars(self._callback).items()
            if isinstance(value, (bool, int, float, str)) or value is None
        }
        return {"epoch": self._epoch, "attributes": plain}

    def restore(self, state: State) -> None:
        """Go on from there."""
        self._epoch = state.get("epoch", 0)
        vars(self._callback).update(state.get("attributes", {}))


def as_callback(value: Any) -> Callback:
    """The callback that a value stands for: one of plx's, or one of Keras's.

    Raises:
        ComponentError: it is neither.
    """
    if isinstance(value, Callback):
        return value
    if any(
        cls.__module__.startswith("keras.") and cls.__name__ == "Callback"
        for cls in inspect.getmro(type(value))
    ):
        return KerasCallback(value)
    raise ComponentError(
        f"a hook is a plx_core.Callback or a keras.callbacks.Callback, not a {type(value).__name__}"
    )
