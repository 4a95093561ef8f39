"""Export strategies: the newest models, the best one, the last one."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from plx_core.annotations import PositiveInt
from plx_core.runs.interfaces import Exporter
from plx_core.runs.metrics import metric_value
from plx_core.runs.run_directory import EXPORT

Format = Literal["saved_model", "keras", "onnx", "litert"]
ABOUT = "export.json"


class LatestExporter(Exporter):
    """Keeps the models of the newest evaluated checkpoints, each in `export/NAME/STEP`.

    Args:
        name: the folder's name.
        format: SavedModel, a `.keras` file, or ONNX or LiteRT where Keras exports them.
        exports_to_keep: how many; all when None.
    """

    def __init__(
        self,
        name: str = "latest",
        format: Format = "saved_model",
        exports_to_keep: PositiveInt | None = 5,
    ) -> None:
        self._name, self._format, self._keep = name, format, exports_to_keep

    def export(
        self, run: Any, input_fn: Any, step: int, metrics: Mapping[str, float], *, is_final: bool
    ) -> Path | None:
        """Write the model."""
        return write_export(run, input_fn, step, metrics, self._name, self._format, self._keep)


class FinalExporter(Exporter):
    """Keeps the model of the last checkpoint, in `export/NAME/STEP`.

    Args:
        name: the folder's name.
        format: SavedModel, a `.keras` file, or ONNX or LiteRT where Keras exports them.
    """

    def __init__(self, name: str = "final", format: Format = "saved_model") -> None:
        self._name, self._format = name, format

    def export(
        self, run: Any, input_fn: Any, step: int, metrics: Mapping[str, float], *, is_final: bool
    ) -> Path | None:
        """Write the model, if training has ended."""
        return (
            write_export(run, input_fn, step, metrics, self._name, self._format, 1)
            if is_final
            else None
        )


class BestExporter(Exporter):
    """Keeps the models of the checkpoints that were best when they were evaluated, in `export/NAME/STEP`.

    Args:
        name: the folder's name.
        metric: by which metric of the evaluation.
        higher_is_better: whether more of it is better.
        format: SavedModel, a `.keras` file, or ONNX or LiteRT where Keras exports them.
        exports_to_keep: how many; all when None.
    """

    def __init__(
        self,
        name: str = "best",
        metric: str = "loss",
        higher_is_better: bool = False,
        format: Format = "saved_model",
        exports_to_keep: PositiveInt | None = 1,
    ) -> None:
        self._name, self._metric, self._format, self._keep = name, metric, format, exports_to_keep
        self._sign = -1.0 if higher_is_better else 1.0

    def export(
        self, run: Any, input_fn: Any, step: int, metrics: Mapping[str, float], *, is_final: bool
    ) -> Path | None:
        """Write the model, if it is better than those written before."""
        value = metric_value(metrics, self._metric)
        earlier = [
            about["metrics"][self._metric]
            for about in _written(_folder(run, self._name)).values()
            if about["step"] != step
        ]
        if any(self._sign * (before - value) <= 0 for before in earlier):
            return None
        return write_export(run, input_fn, step, metrics, self._name, self._format, self._keep)


def write_export(
    run: Any,
    input_fn: Any,
    step: int,
    metrics: Mapping[str, float],
    name: str,
    format: str,
    keep: int | None,
) -> Path:
    """Write the model of a checkpoint aside, rename it into `export/NAME/STEP`, and remove what need not be kept."""
    folder = _folder(run, name)
    target = folder / f"{step:09d}"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        aside = folder / f".{target.name}-{secrets.token_hex(4)}"
        run.export(
            aside,
            input_fn,
            checkpoint_path=run.checkpoints.directory / f"{step:09d}",
            format=format,
        )
        about = {
            "step": step,
            "format": format,
            "metrics": {key: float(value) for key, value in metrics.items()},
        }
        (aside / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
        aside.rename(target)
    for leftover in folder.glob(".*-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    written = sorted(_written(folder))
    for path in written[: max(len(written) - keep, 0)] if keep is not None else []:
        shutil.rmtree(path, ignore_errors=True)
    return target


def _folder(run: Any, name: str) -> Path:
    return Path(run.model_dir) / EXPORT / name


def _written(folder: Path) -> dict[Path, dict[str, Any]]:
    """What a folder of exports holds, by path."""
    found = {}
    for path in folder.glob("[0-9]*") if folder.is_dir() else ():
        try:
            found[path] = json.loads((path / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
    return found
