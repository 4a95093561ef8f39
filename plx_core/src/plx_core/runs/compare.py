"""Look at run directories: a line each, and two side by side."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

from plx_core.errors import RunDirectoryError
from plx_core.runs.run_directory import METRICS, RESOLVED, RunDirectory

BLOCKS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 40


@frozen
class Run:
    """What is seen of a run from outside."""

    path: Path
    step: int
    changed: datetime.datetime
    metrics: Mapping[str, float]
    """The newest evaluation's, or else the newest training metrics."""


@frozen
class Comparison:
    """Two runs side by side.

    Args:
        config: where the resolved configs differ: path, first value, second value.
        metrics: the newest value of each metric in each run; None where a run does not have it.
        curves: for each split and metric that both have, the (step, value) pairs of both.
    """

    config: list[tuple[str, Any, Any]]
    metrics: list[tuple[str, float | None, float | None]]
    curves: Mapping[str, tuple[list[tuple[int, float]], list[tuple[int, float]]]]


def find_runs(directory: Path) -> list[Run]:
    """The runs below a folder, the one changed last first."""
    found = [read_run(path.parent) for path in directory.glob(f"**/{METRICS}")]
    return sorted(found, key=lambda run: run.changed, reverse=True)


def read_run(path: Path) -> Run:
    """A run.

    Raises:
        RunDirectoryError: the folder is not a run's.
    """
    metrics = path / METRICS
    if not metrics.is_file():
        raise RunDirectoryError(f"{path} is not a run directory: it has no {METRICS}")
    lines = RunDirectory(path).read_metrics()
    shown = next(
        (line for line in reversed(lines) if line["split"] == "eval"),
        lines[-1] if lines else {"metrics": {}},
    )
    changed = datetime.datetime.fromtimestamp(metrics.stat().st_mtime, datetime.UTC)
    return Run(
        path, max((line["step"] for line in lines), default=0), changed, _numbers(shown["metrics"])
    )


def compare(first: Path, second: Path) -> Comparison:
    """Two runs side by side.

    Raises:
        RunDirectoryError: a folder is not a run's.
    """
    runs = [read_run(first), read_run(second)]
    configs = [_flat(_resolved(run.path)) for run in runs]
    paths = dict.fromkeys([*configs[0], *configs[1]])
    config = [
        (path, configs[0].get(path), configs[1].get(path))
        for path in paths
        if configs[0].get(path) != configs[1].get(path)
    ]
    names = dict.fromkeys([*runs[0].metrics, *runs[1].metrics])
    metrics = [(name, runs[0].metrics.get(name), runs[1].metrics.get(name)) for name in names]
    curves = [_curves(run.path) for run in runs]
    return Comparison(
        config,
        metrics,
        {name: (curves[0][name], curves[1][name]) for name in curves[0] if name in curves[1]},
    )


def draw_curves(comparison: Comparison, names: Sequence[str], path: Path) -> None:
    """Write the curves of two runs as a PNG, a plot for each metric.

    Args:
        comparison: the runs.
        names: what they are called.
        path: the file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [
        name
        for name, curves in comparison.curves.items()
        if any(len(curve) > 1 for curve in curves)
    ] or list(comparison.curves)
    columns = min(3, max(len(shown), 1))
    rows = -(-max(len(shown), 1) // columns)
    figure = Figure(figsize=(5 * columns, 3.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for index, metric in enumerate(shown):
        axes = figure.add_subplot(rows, columns, index + 1)
        for name, curve in zip(names, comparison.curves[metric], strict=True):
            axes.plot(
                [step for step, _ in curve],
                [value for _, value in curve],
                label=name,
                marker="o" if len(curve) == 1 else None,
                linewidth=1.6,
            )
        axes.set_title(metric, fontsize=10)
        axes.set_xlabel("step", fontsize=9)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if index == 0:
            axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=120)


def sparkline(values: Sequence[float], low: float, high: float, width: int = CURVE_WIDTH) -> str:
    """A curve in one line of text: means of equal parts of the values, as blocks of a height between `low` and `high`."""
    if not values:
        return ""
    width = min(width, len(values))
    parts = [
        values[index * len(values) // width : (index + 1) * len(values) // width]
        for index in range(width)
    ]
    span = high - low or 1.0
    return "".join(
        BLOCKS[min(int((sum(part) / len(part) - low) / span * len(BLOCKS)), len(BLOCKS) - 1)]
        for part in parts
    )


def _resolved(path: Path) -> Any:
    file = path / RESOLVED
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        return {
            name: item
            for key, child in value.items()
            for name, item in _flat(child, f"{path}.{key}".lstrip(".")).items()
        }
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return {
            name: item
            for index, child in enumerate(value)
            for name, item in _flat(child, f"{path}[{index}]").items()
        }
    return {path: value}


def _curves(path: Path) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in RunDirectory(path).read_metrics():
        for name, value in _numbers(line["metrics"]).items():
            curves.setdefault(f"{line['split']}/{name}", []).append((line["step"], value))
    return curves


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    return dict(_each_number(metrics))


def _each_number(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in metrics.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, float(value)
