"""Tables of plug-ins and their components."""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import click

from plx_core.cli.tables import print_table, terminal_width
from plx_core.components.example_lines import yaml_line
from plx_core.components.json_schema import Schema
from plx_core.components.schema_cache import Signatures, add_older_names
from plx_core.config.validate import describe
from plx_core.errors import printable
from plx_core.hookspecs import KINDS
from plx_core.plugins.discovery import HOOKS, Plugin
from plx_core.plugins.registry import SINGULAR, Registry

OUTCOMES = ("passed", "failed", "not tried")


def print_kinds(registry: Registry) -> None:
    """Print the number of components of each kind, and the plug-ins that offer them."""
    rows = []
    for kind in KINDS:
        entries = registry.entries(kind)
        plugins = sorted({entry.plugin.name for entry in entries})
        rows.append((kind, str(len(entries)), ", ".join(plugins)))
    print_table(("kind", "components", "plug-ins"), rows)
    click.echo(
        "\n`plx components KIND` lists the components of a kind;"
        " `plx components KIND NAME` shows the parameters of one."
    )
    _warn_of_broken(registry)


def print_kind(registry: Registry, kind: str) -> None:
    """Print the names of the components of a kind."""
    rows = [
        (entry.name, entry.plugin.name, ", ".join(registry.aliases(entry)))
        for entry in registry.entries(kind)
    ]
    print_table(("name", "plug-in", "also called"), rows)
    _warn_of_broken(registry)


def print_component(registry: Registry, kind: str, name: str) -> None:
    """Print a component's summary, its parameters, and how a config uses it."""
    entry = registry.find(kind, name)
    signatures = Signatures()
    schema = add_older_names(signatures.parameters(entry), registry.older_parameters(entry))
    signatures.save()
    click.echo(f"{SINGULAR[kind]} {entry.name} from {entry.plugin.name} ({entry.plugin.origin})")
    if summary := schema.get("description"):
        click.echo(textwrap.fill(summary, terminal_width()))
    rows = [
        (
            f"{parameter} (formerly {child['x-alias']})" if "x-alias" in child else parameter,
            "required" if parameter in schema["required"] else _default(child),
            describe(child),
        )
        for parameter, child in schema["properties"].items()
    ]
    if rows:
        click.echo("")
        print_table(("parameter", "default", "takes"), rows)
    click.echo(f"\nIn a config:\n{yaml_line(entry.name, schema)}")


def print_plugins(registry: Registry, notes: Sequence[str] = ()) -> None:
    """Print the plug-ins, what each offers, the errors of broken ones, and what clashes.

    Args:
        registry: the components.
        notes: further lines to print.
    """
    registry.call_all_hooks()
    offers: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in [
        *(entry for kind in KINDS for entry in registry.entries(kind)),
        *(entry for group in registry.command_groups().values() for entry in group),
    ]:
        offers[entry.plugin.name][entry.kind] += 1
    rows = [
        (plugin.name, plugin.version, _offer(registry, plugin, offers[plugin.name]))
        for plugin in registry.plugins.plugins.values()
    ]
    print_table(("plug-in", "version", "offers"), rows)
    for note in (*registry.clashes(), *notes):
        click.echo(printable(f"\n{note}"))


def print_checks(plugin: str) -> bool:
    """Check a plug-in with all its components; print the results and return whether none failed."""
    from plx_core.testing import try_plugin

    results = try_plugin(plugin)
    print_table(
        ("component", "kind", "result"),
        [
            (result.name, SINGULAR.get(result.kind, result.kind), result.outcome)
            for result in results
        ],
    )
    for result in results:
        if result.message:
            click.echo(f"\n{result.outcome}: {result.message}")
    counts: Counter[str] = Counter(result.outcome for result in results)
    summary = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
    click.echo(f"\n{summary}")
    return not counts["failed"]


def _warn_of_broken(registry: Registry) -> None:
    for plugin in registry.plugins.broken:
        click.echo(f"plug-in {plugin.name} ({plugin.origin}) is broken: {plugin.error}", err=True)


def _default(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default is None else str(default)


def _offer(registry: Registry, plugin: Plugin, counts: Mapping[str, int]) -> str:
    if plugin.error:
        return f"broken: {plugin.error}"
    offer = ", ".join(
        f"{count} {kind if count > 1 else SINGULAR[kind]}" for kind, count in counts.items()
    )
    slow = f"; slow: takes {plugin.import_seconds:.1f} s to import" if plugin.is_slow else ""
    if not offer:
        hooks = [hook for hook in HOOKS if hook in registry.plugins.hooks_of(plugin.name)]
        offer = ", ".join(hooks) or f"nothing: {plugin.module} has no function with @hookimpl"
    return offer + slow
