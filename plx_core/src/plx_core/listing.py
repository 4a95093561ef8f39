"""What is installed, as tables."""

from __future__ import annotations

import shutil
import textwrap
from typing import Any

import click

from plx_core.hookspecs import KINDS
from plx_core.reading import describe
from plx_core.registry import SINGULAR, Registry
from plx_core.signatures import Signatures

NO_DEFAULT = "required"


def print_kinds(registry: Registry) -> None:
    """How many components of each kind there are, and from which plug-ins."""
    rows = []
    for kind in KINDS:
        entries = registry.entries(kind)
        rows.append((kind, str(len(entries)), ", ".join(sorted({entry.plugin.name for entry in entries}))))
    _table(("kind", "components", "plug-ins"), rows)
    click.echo("\nplx components KIND lists their names, plx components KIND NAME the parameters of one.")
    _warn_of_broken(registry)


def print_kind(registry: Registry, kind: str) -> None:
    """The names of the components of a kind."""
    rows = [(entry.name, entry.plugin.name, ", ".join(registry.aliases(entry))) for entry in registry.entries(kind)]
    _table(("name", "plug-in", "also called"), rows)
    _warn_of_broken(registry)


def print_component(registry: Registry, kind: str, name: str) -> None:
    """What a component is, and its parameters."""
    entry = registry.find(kind, name)
    signatures = Signatures()
    schema = signatures.parameters(entry)
    signatures.save()
    click.echo(f"{SINGULAR[kind]} {entry.name}, of plug-in {entry.plugin.name} ({entry.plugin.origin})")
    if summary := schema.get("description"):
        click.echo(textwrap.fill(summary, _width()))
    rows = []
    for parameter, child in schema["properties"].items():
        default = NO_DEFAULT if parameter in schema["required"] else "" if child.get("default") is None else str(child["default"])
        rows.append((parameter, default, describe(child)))
    if rows:
        click.echo("")
        _table(("parameter", "default", "takes"), rows)
    click.echo(f"\n{yaml_line(entry.name, schema)}")


def yaml_line(name: str, schema: dict[str, Any]) -> str:
    """A line of YAML that shows how a component is written."""
    examples = {"integer": "8", "number": "0.5", "string": "text", "boolean": "true", "array": "[1, 2]"}
    given = [f"{parameter}: {examples.get(schema['properties'][parameter].get('type', ''), '…')}" for parameter in schema["required"]]
    return f"- {name}: {{{', '.join(given)}}}" if given else f"- {name}"


def print_plugins(registry: Registry) -> None:
    """The plug-ins, what each offers, and what is wrong with it."""
    offered: dict[str, dict[str, int]] = {}
    for kind in KINDS:
        for entry in registry.entries(kind):
            counts = offered.setdefault(entry.plugin.name, {})
            counts[kind] = counts.get(kind, 0) + 1
    rows = []
    for plugin in registry.plugins.plugins.values():
        offers = ", ".join(f"{count} {kind if count > 1 else SINGULAR[kind]}" for kind, count in offered.get(plugin.name, {}).items())
        rows.append((plugin.name, plugin.version, f"broken: {plugin.error}" if plugin.error else offers or "nothing"))
    _table(("plug-in", "version", "offers"), rows)


def _warn_of_broken(registry: Registry) -> None:
    for plugin in registry.plugins.broken:
        click.echo(f"plug-in {plugin.name} ({plugin.origin}) is broken: {plugin.error}", err=True)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Columns as wide as they need to be; the last one wraps. (Plain text: importing rich would take longer than all else.)"""
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header) - 1)]
    indent = sum(widths) + 2 * len(widths)
    for row in [header, tuple("─" * len(title) for title in header), *rows]:
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(row, widths, strict=False))
        lines = textwrap.wrap(row[-1], max(_width() - indent, 20)) or [""]
        click.echo((start + f"\n{' ' * indent}".join(lines)).rstrip())


def _width() -> int:
    return min(shutil.get_terminal_size((110, 24)).columns, 140)
