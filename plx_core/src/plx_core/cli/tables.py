"""What is installed, as tables."""

from __future__ import annotations

import datetime
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from plx_core.components.example_lines import yaml_line
from plx_core.components.schema_cache import Signatures, add_older_names
from plx_core.config.validate import describe
from plx_core.hookspecs import KINDS
from plx_core.plugins.registry import SINGULAR, Registry

NO_DEFAULT = "required"


def print_kinds(registry: Registry) -> None:
    """How many components of each kind there are, and from which plug-ins."""
    rows = []
    for kind in KINDS:
        entries = registry.entries(kind)
        rows.append(
            (kind, str(len(entries)), ", ".join(sorted({entry.plugin.name for entry in entries})))
        )
    _table(("kind", "components", "plug-ins"), rows)
    click.echo(
        "\nplx components KIND lists their names, plx components KIND NAME the parameters of one."
    )
    _warn_of_broken(registry)


def print_kind(registry: Registry, kind: str) -> None:
    """The names of the components of a kind."""
    rows = [
        (entry.name, entry.plugin.name, ", ".join(registry.aliases(entry)))
        for entry in registry.entries(kind)
    ]
    _table(("name", "plug-in", "also called"), rows)
    _warn_of_broken(registry)


def print_component(registry: Registry, kind: str, name: str) -> None:
    """What a component is, and its parameters."""
    entry = registry.find(kind, name)
    signatures = Signatures()
    schema = add_older_names(signatures.parameters(entry), registry.older_parameters(entry))
    signatures.save()
    click.echo(
        f"{SINGULAR[kind]} {entry.name}, of plug-in {entry.plugin.name} ({entry.plugin.origin})"
    )
    if summary := schema.get("description"):
        click.echo(textwrap.fill(summary, _width()))
    rows = []
    for parameter, child in schema["properties"].items():
        default = (
            NO_DEFAULT
            if parameter in schema["required"]
            else ""
            if child.get("default") is None
            else str(child["default"])
        )
        rows.append(
            (
                f"{parameter}, once {child['x-alias']}" if "x-alias" in child else parameter,
                default,
                describe(child),
            )
        )
    if rows:
        click.echo("")
        _table(("parameter", "default", "takes"), rows)
    click.echo(f"\n{yaml_line(entry.name, schema)}")


def print_plugins(registry: Registry) -> None:
    """The plug-ins, what each offers, and what is wrong with it."""
    offered: dict[str, dict[str, int]] = {}
    for entry in [
        *(entry for kind in KINDS for entry in registry.entries(kind)),
        *registry.commands(),
        *registry.commands("data"),
    ]:
        counts = offered.setdefault(entry.plugin.name, {})
        counts[entry.kind] = counts.get(entry.kind, 0) + 1
    rows = []
    for plugin in registry.plugins.plugins.values():
        offers = ", ".join(
            f"{count} {kind if count > 1 else SINGULAR[kind]}"
            for kind, count in offered.get(plugin.name, {}).items()
        )
        slow = f"; slow: its import takes {plugin.import_seconds:.1f} s" if plugin.is_slow else ""
        rows.append(
            (
                plugin.name,
                plugin.version,
                f"broken: {plugin.error}" if plugin.error else (offers or "nothing") + slow,
            )
        )
    _table(("plug-in", "version", "offers"), rows)


def print_checks(plugin: str) -> bool:
    """What comes of checking a plug-in and each of its parts; whether nothing failed."""
    from plx_core.testing import try_plugin

    results = try_plugin(plugin)
    _table(
        ("part", "", "check"),
        [
            (result.name, SINGULAR.get(result.kind, result.kind), result.outcome)
            for result in results
        ],
    )
    for result in results:
        if result.message:
            click.echo(f"\n{result.outcome}: {result.message}")
    counts = {
        outcome: sum(result.outcome == outcome for result in results)
        for outcome in ("passed", "failed", "not tried")
    }
    click.echo(f"\n{', '.join(f'{count} {outcome}' for outcome, count in counts.items() if count)}")
    return not counts["failed"]


def _warn_of_broken(registry: Registry) -> None:
    for plugin in registry.plugins.broken:
        click.echo(f"plug-in {plugin.name} ({plugin.origin}) is broken: {plugin.error}", err=True)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they need to be; the last one wraps. Importing rich would take longer than all else."""
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header) - 1)]
    indent = sum(widths) + 2 * len(widths)
    for row in [header, tuple("─" * len(title) for title in header), *rows]:
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        lines = textwrap.wrap(row[-1], max(_width() - indent, 20)) or [""]
        click.echo((start + f"\n{' ' * indent}".join(lines)).rstrip())


def _width() -> int:
    return min(shutil.get_terminal_size((110, 24)).columns, 140)


def print_runs(directory: Path) -> None:
    """The runs below a folder."""
    from plx_core.runs.compare import find_runs

    runs = find_runs(directory)
    if not runs:
        click.echo(f"there is no run below {directory}")
        return
    rows = [
        (str(run.path), f"{run.step:,}", _ago(run.changed), _metrics_line(run.metrics))
        for run in runs
    ]
    _table(("run", "step", "changed", "newest metrics"), rows)


def print_comparison(first: Path, second: Path, png: Path | None) -> None:
    """Two runs: where their configs differ, their newest metrics, and their curves."""
    from plx_core.runs.compare import compare, draw_curves, sparkline

    names = (first.name or str(first), second.name or str(second))
    comparison = compare(first, second)
    differences = [(path, _short(one), _short(other)) for path, one, other in comparison.config]
    if differences:
        _table(("config", *names), differences)
    else:
        click.echo("the configs are the same")
    click.echo("")
    _table(
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
    return "  ".join(f"{name} {_number(value)}" for name, value in list(metrics.items())[:4])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _short(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
