"""The check of trackers."""

from __future__ import annotations

import tempfile

from plx_core.annotations import TrackerLike
from plx_core.runs.interfaces import Tracker
from plx_core.testing.failures import expecting, require
from plx_core.testing.part import Params, part_of


def check_tracker(tracker: TrackerLike, params: Params | None = None) -> None:
    """Check that a tracker accepts metrics of both splits and new names, also in a resumed run.

    Args:
        tracker: a class, a function that returns one, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("trackers", tracker, params)
    with tempfile.TemporaryDirectory() as folder:
        for step in (10, 20):
            instance = part.build(directory=folder)
            require(
                isinstance(instance, Tracker),
                part.about,
                "built it",
                f"a {type(instance).__name__}",
                "a Tracker",
                "derive it from plx_core.Tracker",
            )
            with expecting(
                part.about,
                "logged metrics, some of them new or not finite, and closed it twice",
                "nothing",
                "fix log() and close()",
            ):
                instance.log(step, "train", {"loss": 0.5})
                instance.log(step + 1, "train", {"loss": 0.4, "accuracy": 0.9})
                instance.log(step + 1, "eval", {"loss": float("nan")})
                instance.close()
                instance.close()
