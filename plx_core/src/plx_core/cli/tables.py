"""Tables in the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping, Sequence

import click

from plx_core.errors import printable

MAX_WIDTH = 140
MIN_LAST_COLUMN = 20


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as their cells; the last one wraps.

    rich would do this too, but importing it takes longer than the rest of a command.
    """
    lines = [
        [printable(cell).replace("\n", " ") for cell in row]
        for row in (header, ["─" * len(title) for title in header], *rows)
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)][:-1]
    indent = sum(widths) + 2 * len(widths)
    last_width = max(terminal_width() - indent, MIN_LAST_COLUMN)
    for *cells, last in lines:
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(cells, widths, strict=True))
        wrapped = textwrap.wrap(last, last_width) or [""]
        click.echo((start + f"\n{' ' * indent}".join(wrapped)).rstrip())


def print_metrics(title: str, metrics: Mapping[str, float]) -> None:
    """Print metrics below a title."""
    click.echo(title)
    print_table(("metric", "value"), [(name, _number(value)) for name, value in metrics.items()])


def terminal_width() -> int:
    """Return the width of the terminal in columns, at most `MAX_WIDTH`."""
    return min(shutil.get_terminal_size((110, 24)).columns, MAX_WIDTH)


def _number(value: float) -> str:
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) >= 1e-3 else f"{value:.3e}"
