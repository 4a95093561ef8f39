"""The check of exporters."""

from __future__ import annotations

import tempfile
from pathlib import Path

from plx_core.annotations import ExporterLike
from plx_core.runs.interfaces import Exporter
from plx_core.testing.failures import expecting, require
from plx_core.testing.isolation import own_settings
from plx_core.testing.part import Params, part_of
from plx_core.testing.straight_line import create_data, create_estimator


def check_exporter(exporter: ExporterLike, params: Params | None = None) -> None:
    """Check that an exporter writes into the run directory, and that a second call changes nothing.

    Args:
        exporter: a class, a function that returns one, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("exporters", exporter, params)
    with own_settings(), tempfile.TemporaryDirectory() as folder:
        instance = part.build()
        require(
            isinstance(instance, Exporter),
            part.about,
            "built it",
            f"a {type(instance).__name__}",
            "an Exporter",
            "derive it from plx_core.Exporter",
        )
        run = create_estimator(Path(folder)).train(create_data(), max_steps=4)
        metrics = run.evaluate(create_data(1))
        did = "exported the last checkpoint"
        for is_final in (False, True):
            with expecting(
                part.about, f"{did}, is_final={is_final}", "a path, or None", "fix export()"
            ):
                path = instance.export(run, create_data(1), 4, metrics, is_final=is_final)
        if path is None:
            return
        require(
            Path(path).exists() and Path(folder) in Path(path).parents,
            part.about,
            did,
            path,
            "a path in the run directory, run.model_dir",
            "write below run.model_dir, and return the path",
        )
        before = _modification_times(Path(folder))
        did = f"{did} again, with a new object"
        remedy = "look for an earlier export: a resumed run exports again"
        with expecting(part.about, did, "no change", remedy):
            part.build().export(run, create_data(1), 4, metrics, is_final=True)
        require(
            _modification_times(Path(folder)) == before,
            part.about,
            did,
            "changed files",
            "no change",
            remedy,
        )


def _modification_times(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
