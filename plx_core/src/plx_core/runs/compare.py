"""Summaries of run directories, and comparisons of two runs."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import frozen

from plx_core.errors import RunDirectoryError
from plx_core.runs.plot import figure_with_plots
from plx_core.runs.run_directory import METRICS, RunDirectory

BLOCKS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 40


@frozen
class Run:
    """A summary of a run directory.

    Args:
        path: the run directory.
        step: the last global step with metrics.
        changed: when metrics were last written.
        metrics: those of the newest evaluation, or else the newest training metrics.
    """

    path: Path
    step: int
    changed: datetime.datetime
    metrics: Mapping[str, float]


@frozen
class Comparison:
    """A comparison of two runs.

    Args:
        config: the differences between the resolved configs: (path, first value, second value).
        metrics: (name, newest value in the first run, newest value in the second run); None if a
            run does not have the metric.
        curves: the (step, value) pairs of both runs, by split and metric, if both have them.
    """

    config: list[tuple[str, object, object]]
    metrics: list[tuple[str, float | None, float | None]]
    curves: Mapping[str, tuple[list[tuple[int, float]], list[tuple[int, float]]]]


def find_runs(directory: Path) -> list[Run]:
    """Return the runs below a folder, the last changed first."""
    runs = [read_run(path.parent) for path in directory.glob(f"**/{METRICS}")]
    return sorted(runs, key=lambda run: run.changed, reverse=True)


def read_run(path: Path) -> Run:
    """Return the summary of a run.

    Raises:
        RunDirectoryError: the folder is not a run directory.
    """
    file = path / METRICS
    if not file.is_file():
        raise RunDirectoryError(f"{path} is not a run directory: it has no {METRICS}")
    lines = RunDirectory(path).read_metrics()
    evaluations = [line for line in lines if line["split"] == "eval"]
    newest = (evaluations or lines)[-1:]
    return Run(
        path,
        max((line["step"] for line in lines), default=0),
        datetime.datetime.fromtimestamp(file.stat().st_mtime, datetime.UTC),
        _numbers(newest[0]["metrics"]) if newest else {},
    )


def compare(first: Path, second: Path) -> Comparison:
    """Compare two runs.

    Raises:
        RunDirectoryError: a folder is not a run directory.
    """
    runs = [read_run(first), read_run(second)]
    configs = [_flatten(RunDirectory(run.path).read_resolved() or {}) for run in runs]
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
    """Draw the curves of two runs in a PNG, a plot for each metric.

    Args:
        comparison: the runs.
        names: the names of the runs in the legend.
        path: the file to write.

    Raises:
        PlxError: matplotlib is not installed.
    """
    metrics = [
        metric
        for metric, curves in comparison.curves.items()
        if any(len(curve) > 1 for curve in curves)
    ] or list(comparison.curves)
    figure, plots = figure_with_plots(len(metrics), 5, 3.2)
    for index, (metric, axes) in enumerate(zip(metrics, plots, strict=True)):
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
        if index == 0:
            axes.legend(frameon=False, fontsize=9)
    figure.savefig(path, dpi=120)


def sparkline(values: Sequence[float], low: float, high: float, width: int = CURVE_WIDTH) -> str:
    """Draw a curve in one line of text.

    Each character is a block whose height is the mean of an equal part of the values.

    Args:
        values: the curve.
        low: the value of the lowest block.
        high: the value of the highest block.
        width: the largest number of characters.
    """
    width = min(width, len(values))
    span = high - low or 1.0
    blocks = []
    for index in range(width):
        start, end = index * len(values) // width, (index + 1) * len(values) // width
        mean = sum(values[start:end]) / (end - start)
        height = int((mean - low) / span * len(BLOCKS))
        blocks.append(BLOCKS[min(height, len(BLOCKS) - 1)])
    return "".join(blocks)


def _flatten(value: object, path: str = "") -> dict[str, object]:
    """Return the plain values below a value by path; lists without mappings or lists are plain."""
    children: dict[str, object] = {}
    if isinstance(value, dict):
        children = {f"{path}.{key}".lstrip("."): child for key, child in value.items()}
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        children = {f"{path}[{index}]": child for index, child in enumerate(value)}
    if not children:
        return {path: value}
    return {
        name: item
        for child_path, child in children.items()
        for name, item in _flatten(child, child_path).items()
    }


def _curves(path: Path) -> dict[str, list[tuple[int, float]]]:
    curves: dict[str, list[tuple[int, float]]] = {}
    for line in RunDirectory(path).read_metrics():
        for name, value in _numbers(line["metrics"]).items():
            curves.setdefault(f"{line['split']}/{name}", []).append((line["step"], value))
    return curves


def _numbers(metrics: Mapping[str, object]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
