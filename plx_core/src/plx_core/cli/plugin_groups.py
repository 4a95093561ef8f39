"""Groups of the command line that plug-ins add commands to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from plx_core.errors import PluginError, PlxError
from plx_core.plugins.registry import Entry, Registry


class PluginGroup(click.Group):
    """Commands of our own, and those that plug-ins add.

    A plug-in cannot take the place of a command that is there already. Its command is imported when it is called; a help text
    lists it by where it comes from.

    Args:
        registry: gives the components that are installed; called only where they are needed.
        path: the words between `plx` and the commands, as `provide_commands` has them.
        further: as for `click.Group`.
    """

    def __init__(
        self, *args: Any, registry: Callable[[], Registry], path: str = "", **further: Any
    ) -> None:
        super().__init__(*args, **further)
        self.registry = registry
        self.path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Our own commands, in the order in which they are met."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name: ours, or a plug-in's."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        entry = self.registry().find_command(self.path, cmd_name)
        return None if entry is None else _load(entry)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into a help text; those of plug-ins below ours."""
        super().format_commands(ctx, formatter)
        try:
            registry = self.registry()
        except PlxError as error:  # help is wanted most where something is wrong
            formatter.write_paragraph()
            formatter.write_text(str(error))
            return
        self.format_components(registry, formatter)

    def format_components(self, registry: Registry, formatter: click.HelpFormatter) -> None:
        """Write what plug-ins add into a help text."""
        entries = [
            entry
            for entry in registry.commands(self.path)
            if entry.name.rpartition(" ")[2] not in self.commands
        ]
        write_entries(formatter, "Commands of plug-ins", entries)


class DataSets(PluginGroup):
    """A command for each known data set, made by `prepare`, besides the commands on data.

    Args:
        prepare: from a data set's name to the command.
        further: as for `PluginGroup`.
    """

    def __init__(self, *args: Any, prepare: Callable[[str], click.Command], **further: Any) -> None:
        super().__init__(*args, **further)
        self.prepare = prepare

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A plug-in's command of this name, else the one that prepares the data set of this name."""
        return super().get_command(ctx, cmd_name) or self.prepare(cmd_name)

    def format_components(self, registry: Registry, formatter: click.HelpFormatter) -> None:
        """Write the data sets, and the commands of plug-ins, into a help text."""
        write_entries(formatter, "Data sets", registry.entries("datasets"))
        super().format_components(registry, formatter)


def write_entries(formatter: click.HelpFormatter, title: str, entries: Sequence[Entry]) -> None:
    """A section of a help text: a line for each name, with the plug-in it comes from."""
    if entries:
        with formatter.section(title):
            formatter.write_dl(
                [
                    (entry.name.rpartition(" ")[2], f"from {entry.plugin.origin}")
                    for entry in entries
                ]
            )


def _load(entry: Entry) -> click.Command:
    command: Any = entry.load()
    if not isinstance(command, click.Command):
        raise PluginError(
            f"command {entry.name} of plug-in {entry.plugin.name}: {entry.target} is not a click.Command but a {type(command).__name__}"
        )
    return command
