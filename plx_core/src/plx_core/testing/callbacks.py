"""The check of callbacks."""

from __future__ import annotations

import tempfile
from pathlib import Path

from plx_core.annotations import CallbackLike
from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.errors import PlxError
from plx_core.state import State
from plx_core.testing.failures import CannotTry, expecting, require
from plx_core.testing.isolation import own_settings
from plx_core.testing.part import Params, part_of
from plx_core.testing.straight_line import create_data, create_estimator
from plx_core.testing.values import same, saved_and_loaded, short


def check_callback(callback: CallbackLike, params: Params | None = None) -> None:
    """Check a callback in a short run: training, evaluation, its state, and a resumed run.

    Args:
        callback: a class, a function that returns one, or a name; of plx or of Keras.
        params: its parameters.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("callbacks", callback, params)
    with own_settings(), tempfile.TemporaryDirectory() as folder:
        remedy = "fix the method that raised the error"
        (instance,) = as_callbacks([part.build()])
        saved_and_loaded(part.about, instance.state())
        with expecting(part.about, "ran 8 steps with it", "a run that ends", remedy):
            try:
                estimator = create_estimator(Path(folder))
                estimator.train(create_data(), max_steps=4, callbacks=[instance])
                estimator.evaluate(create_data(1), callbacks=[instance])
            except PlxError as refusal:
                raise CannotTry(
                    f"{part.about} refuses the check's run, which fits a straight line: {refusal}"
                ) from refusal
        state = saved_and_loaded(part.about, instance.state())
        (other,) = as_callbacks([part.build()])
        did = "restored its state in another one"
        with expecting(
            part.about,
            did,
            "nothing",
            "fix restore(), which must accept a state without some names",
        ):
            other.restore({})
            other.restore(state)
        require(
            same(dict(other.state()), state),
            part.about,
            did,
            _format(other.state()),
            _format(state),
            "set in restore() all that state() returns",
        )
        with expecting(part.about, "resumed the run with it", "a run that ends", remedy):
            resumed = create_estimator(Path(folder))
            resumed.train(create_data(), max_steps=8, callbacks=[part.build()])


def _format(state: State) -> str:
    return short(str(dict(state)))
