"""Export strategies: the newest models, the best models, or the final model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from plx_core.annotations import FileName, PositiveInt
from plx_core.errors import RunFileError
from plx_core.runs.atomic import hidden, sweep, write_aside
from plx_core.runs.interfaces import Exporter
from plx_core.runs.metrics import criterion_of, metric_value, require_metric
from plx_core.runs.run_directory import EXPORT
from plx_core.types import Source

if TYPE_CHECKING:
    from plx_core.models.spec import EstimatorSpec
    from plx_core.runs.run import Run

Format = Literal["saved_model", "keras", "onnx", "litert"]
ABOUT = "export.json"


class LatestExporter(Exporter):
    """Exports the models of the newest evaluated checkpoints, each to `export/NAME/STEP`.

    Args:
        name: the name of the folder.
        format: SavedModel, a `.keras` file, or ONNX or LiteRT if Keras can export them.
        exports_to_keep: the number of exports to keep; None keeps all.
    """

    def __init__(
        self,
        name: FileName = "latest",
        format: Format = "saved_model",
        exports_to_keep: PositiveInt | None = 5,
    ) -> None:
        self._name = name
        self._format = format
        self._keep = exports_to_keep

    def export(
        self,
        run: Run,
        source: Source,
        step: int,
        metrics: Mapping[str, float],
        *,
        is_final: bool,
    ) -> Path | None:
        """Export the model, unless that of a newer checkpoint has been exported."""
        exports = _exports(_folder(run, self._name))
        if any(about["step"] > step for about in exports.values()):
            return None
        return write_export(run, source, step, metrics, self._name, self._format, self._keep)


class FinalExporter(Exporter):
    """Exports the model of the run's result to `export/NAME/STEP`, when training has ended.

    That is the best checkpoint where `keep_best` or early stopping says what is best, or else the
    last one.

    Args:
        name: the name of the folder.
        format: SavedModel, a `.keras` file, or ONNX or LiteRT if Keras can export them.
    """

    def __init__(self, name: FileName = "final", format: Format = "saved_model") -> None:
        self._name = name
        self._format = format

    def export(
        self,
        run: Run,
        source: Source,
        step: int,
        metrics: Mapping[str, float],
        *,
        is_final: bool,
    ) -> Path | None:
        """Export the model if training has ended."""
        if not is_final:
            return None
        return write_export(run, source, step, metrics, self._name, self._format, keep=1)


class BestExporter(Exporter):
    """Exports the models of the checkpoints with the best evaluations to `export/NAME/STEP`.

    Args:
        name: the name of the folder.
        metric: the metric to compare.
        higher_is_better: whether higher values are better; when None, that is known for the metrics
            of Keras and plx by their names.
        format: SavedModel, a `.keras` file, or ONNX or LiteRT if Keras can export them.
        exports_to_keep: the number of exports to keep; None keeps all.
    """

    def __init__(
        self,
        name: FileName = "best",
        metric: str = "loss",
        higher_is_better: bool | None = None,
        format: Format = "saved_model",
        exports_to_keep: PositiveInt | None = 1,
    ) -> None:
        self._name = name
        self._criterion = criterion_of(metric, higher_is_better)
        self._format = format
        self._keep = exports_to_keep

    def check(self, spec: EstimatorSpec) -> None:
        """Refuse a metric that evaluations have not."""
        require_metric(spec.evaluation_metrics, self._criterion.metric)

    def export(
        self,
        run: Run,
        source: Source,
        step: int,
        metrics: Mapping[str, float],
        *,
        is_final: bool,
    ) -> Path | None:
        """Export the model if it is better than all earlier exports."""
        value = metric_value(metrics, self._criterion.metric)
        others = [
            about["metrics"][self._criterion.metric]
            for about in _exports(_folder(run, self._name)).values()
            if about["step"] != step
        ]
        if not all(self._criterion.is_better(value, other) for other in others):
            return None
        return write_export(run, source, step, metrics, self._name, self._format, self._keep)


def write_export(
    run: Run,
    source: Source,
    step: int,
    metrics: Mapping[str, float],
    name: str,
    format: Format,
    keep: int | None,
) -> Path:
    """Export the model of a checkpoint to `export/NAME/STEP`, and delete old exports.

    Args:
        run: the estimator or agent.
        source: the `input_fn` or environment with the features that the exported model takes.
        step: the global step of the checkpoint.
        metrics: the metrics of the checkpoint, which are stored with the export.
        name: the name of the folder.
        format: the format of the model.
        keep: the number of exports to keep; None keeps all.

    Returns:
        The path of the export.

    Raises:
        RunFileError: it cannot be written; earlier exports are untouched.
    """
    folder = _folder(run, name)
    target = folder / f"{step:09d}"
    about = {
        "step": step,
        "format": format,
        "metrics": {key: float(value) for key, value in metrics.items()},
    }
    try:
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with write_aside(target) as aside:
                checkpoint = run.checkpoints.path_of(step)
                run.export(aside, source, checkpoint_path=checkpoint, format=format)
                (aside / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
        exports = sorted(_exports(folder))
    except OSError as error:
        raise RunFileError(
            f"the export {target} cannot be written: {error.strerror or error}"
        ) from error
    for path in exports[: max(len(exports) - keep, 0)] if keep is not None else []:
        with suppress(OSError):
            path.rename(hidden(path))
    sweep(folder)
    return target


def _folder(run: Run, name: str) -> Path:
    return run.model_dir / EXPORT / name


def _exports(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return the content of `export.json` of each export in a folder, by path."""
    exports = {}
    for path in folder.glob("[0-9]*") if folder.is_dir() else ():
        try:
            exports[path] = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    return exports
