"""Tables of runs."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path

import click

from plx_core.cli.tables import print_table
from plx_core.runs.compare import compare, draw_curves, find_runs, sparkline

MAX_METRICS = 4
MAX_VALUE_LENGTH = 40


def print_runs(directory: Path) -> None:
    """Print the runs in a directory and below it, newest first."""
    runs = find_runs(directory)
    if not runs:
        click.echo(f"no runs in {directory}")
        return
    rows = [
        (str(run.path), f"{run.step:,}", _ago(run.changed), _metrics_line(run.metrics))
        for run in runs
    ]
    print_table(("run", "step", "changed", "newest metrics"), rows)


def print_comparison(first: Path, second: Path, png: Path | None) -> None:
    """Print the differences of two configs, the newest metrics, and the curves.

    With `png`, also draw the curves to that file.
    """
    names = (first.name or str(first), second.name or str(second))
    comparison = compare(first, second)
    differences = [(path, _short(one), _short(other)) for path, one, other in comparison.config]
    if differences:
        print_table(("config", *names), differences)
    else:
        click.echo("the configs are the same")
    click.echo("")
    print_table(
        ("metric", *names),
        [(name, _number(one), _number(other)) for name, one, other in comparison.metrics],
    )
    for name, curves in comparison.curves.items():
        values = [[value for _, value in curve] for curve in curves]
        low, high = min(map(min, values)), max(map(max, values))
        click.echo(f"\n{name}  {low:.4g} … {high:.4g}")
        for label, line in zip(names, values, strict=True):
            click.echo(f"  {sparkline(line, low, high)}  {label}")
    if png is not None:
        draw_curves(comparison, names, png)
        click.echo(f"\ncurves: {png}")


def _ago(moment: datetime.datetime) -> str:
    seconds = (datetime.datetime.now(datetime.UTC) - moment).total_seconds()
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _metrics_line(metrics: Mapping[str, float]) -> str:
    return "  ".join(
        f"{name} {_number(value)}" for name, value in list(metrics.items())[:MAX_METRICS]
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _short(value: object) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[: MAX_VALUE_LENGTH - 3]}…"
