"""Checks of what accompanies a run: callbacks, exporters and trackers."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.config.sections import RunConfig
from plx_core.data.arrays import ArrayPipeline
from plx_core.errors import PlxError
from plx_core.models.spec import EstimatorSpec
from plx_core.runs.interfaces import Exporter, Tracker
from plx_core.supervised.estimator import Estimator
from plx_core.testing.failures import CannotTry, expecting, require
from plx_core.testing.making import kept_by_a_checkpoint, own_settings, part_of, same, short


def check_callback(callback: Any, params: Mapping[str, Any] | None = None) -> None:
    """Check a callback in a short run: training, an evaluation, its state in a checkpoint, and the run resumed.

    Args:
        callback: a class, a function that makes one, or a name; of plx or of Keras.
        params: its parameters.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("callbacks", callback, params)
    with own_settings(), tempfile.TemporaryDirectory() as folder:
        did, remedy = (
            "called it during a run of 8 steps",
            "mend the method that the message comes from",
        )
        (made,) = as_callbacks([part.build()])
        kept_by_a_checkpoint(part.about, made.state())
        with expecting(part.about, did, "a run that ends", remedy):
            try:
                estimator = _estimator(Path(folder)).train(_data(), max_steps=4, callbacks=[made])
                estimator.evaluate(_data(1), callbacks=[made])
            except PlxError as refusal:
                raise CannotTry(
                    f"{part.about} is not for a run that fits a straight line: {refusal}"
                ) from refusal
        state = kept_by_a_checkpoint(part.about, made.state())
        (other,) = as_callbacks([part.build()])
        with expecting(
            part.about,
            "restored its state in another one",
            "nothing",
            "mend restore(), which may be given a state without a name that it knows",
        ):
            other.restore({})
            other.restore(state)
        require(
            same(dict(other.state()), state),
            part.about,
            "restored its state in another one",
            short_state(other.state()),
            short_state(state),
            "set in restore() all that state() returns",
        )
        with expecting(part.about, "resumed the run with it", "a run that ends", remedy):
            _estimator(Path(folder)).train(_data(), max_steps=8, callbacks=[part.build()])


def check_exporter(exporter: Any, params: Mapping[str, Any] | None = None) -> None:
    """Check an exporter after a short run: what it writes is in the run directory, and the same call again changes nothing.

    Args:
        exporter: a class, a function that makes one, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("exporters", exporter, params)
    with own_settings(), tempfile.TemporaryDirectory() as folder:
        made = part.build()
        require(
            isinstance(made, Exporter),
            part.about,
            "made it",
            f"a {type(made).__name__}",
            "an Exporter",
            "derive it from plx_core.runs.interfaces.Exporter",
        )
        run = _estimator(Path(folder)).train(_data(), max_steps=4)
        metrics = run.evaluate(_data(1))
        did = "exported the last checkpoint"
        for is_final in (False, True):
            with expecting(
                part.about, f"{did}, is_final={is_final}", "a path, or None", "mend export()"
            ):
                written = made.export(run, _data(1), 4, metrics, is_final=is_final)
        if written is None:
            return
        require(
            Path(written).exists() and Path(folder) in Path(written).parents,
            part.about,
            did,
            written,
            "something in the run directory, run.model_dir",
            "write below run.model_dir, and return what was written",
        )
        before = _files(Path(folder))
        with expecting(
            part.about,
            f"{did} again, with a new object",
            "nothing new",
            "look for what has been written before",
        ):
            part.build().export(run, _data(1), 4, metrics, is_final=True)
        require(
            _files(Path(folder)) == before,
            part.about,
            f"{did} again, with a new object",
            "other files",
            "the same files, untouched",
            "look for what has been written before: a run that resumes calls again",
        )


def check_tracker(tracker: Any, params: Mapping[str, Any] | None = None) -> None:
    """Check a tracker: it keeps metrics of both splits, of names that come later, and goes on in a run that resumes.

    Args:
        tracker: a class, a function that makes one, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("trackers", tracker, params)
    with tempfile.TemporaryDirectory() as folder:
        for first in (10, 20):
            made = part.build(directory=folder)
            require(
                isinstance(made, Tracker),
                part.about,
                "made it",
                f"a {type(made).__name__}",
                "a Tracker",
                "derive it from plx_core.Tracker",
            )
            with expecting(
                part.about,
                "logged metrics, some of which are new or not finite, and closed it twice",
                "nothing",
                "mend log() and close()",
            ):
                made.log(first, "train", {"loss": 0.5})
                made.log(first + 1, "train", {"loss": 0.4, "accuracy": 0.9})
                made.log(first + 1, "eval", {"loss": float("nan")})
                made.close()
                made.close()


def short_state(state: Any) -> str:
    """A callback's state in little space."""
    return short(str(dict(state)))


def _estimator(folder: Path) -> Estimator:
    config = RunConfig(save_checkpoints_steps=2, log_step_count_steps=1, save_summary_steps=2)
    return Estimator(_model_fn, folder, config, trackers=[])


def _data(num_epochs: int | None = None) -> ArrayPipeline:
    x = np.linspace(-1, 1, 8, dtype="float32")[:, None]
    return ArrayPipeline({"x": x}, 2 * x + 1, 4, num_epochs=num_epochs)


def _model_fn(features: Any, labels: Any, mode: str) -> EstimatorSpec:
    """A straight line."""
    network = keras.Model(features, keras.layers.Dense(1, name="line")(features["x"]), name="line")
    return EstimatorSpec(
        mode=mode,
        network=network,
        loss_fn=lambda features, labels, outputs: ops.mean((outputs - labels) ** 2),
        optimizer=keras.optimizers.SGD(0.05) if mode == "train" else None,
    )


def _files(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file()
    }
