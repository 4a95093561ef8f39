"""Groups of commands that plug-ins can add to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from plx_core.errors import PluginError, PlxError, did_you_mean

if TYPE_CHECKING:
    from plx_core.plugins.registry import Entry, Registry


class PluginGroup(click.Group):
    """A group of built-in commands and of commands that plug-ins add.

    A plug-in cannot replace a built-in command. Its commands are imported only when they run, so
    the help text shows where they come from instead of what they do.

    Args:
        registry: returns the installed components; called only when they are needed.
        path: the words between `plx` and the commands, as in the hook `provide_commands`.
        options: as for `click.Group`.
    """

    def __init__(
        self,
        *args: Any,
        registry: Callable[[], Registry],
        path: str = "",
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.registry = registry
        self.path = path

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the built-in commands in the order of their definition."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the built-in command of this name, or a plug-in's."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            return command
        entry = self.registry().find_command(self.path, cmd_name)
        return None if entry is None else _load(entry)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the built-in commands, then those of plug-ins, into the help text."""
        super().format_commands(ctx, formatter)
        try:
            registry = self.registry()
        except PlxError as error:  # a broken plug-in must not make the help text unavailable
            formatter.write_paragraph()
            formatter.write_text(str(error))
            return
        self.format_entries(registry, formatter)

    def format_entries(self, registry: Registry, formatter: click.HelpFormatter) -> None:
        """Write what plug-ins add into the help text."""
        entries = [
            entry for entry in registry.commands(self.path) if _word(entry) not in self.commands
        ]
        _write_section(formatter, "Commands from plug-ins", entries)


class DataSetGroup(PluginGroup):
    """A command for each known data set, in addition to the commands of plug-ins.

    Args:
        prepare: returns the command that prepares the data set of a given name.
        options: as for `PluginGroup`.
    """

    def __init__(
        self,
        *args: Any,
        prepare: Callable[[str], click.Command],
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.prepare = prepare

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a plug-in's command of this name, or the one that prepares this data set."""
        return super().get_command(ctx, cmd_name) or self.prepare(cmd_name)

    def format_entries(self, registry: Registry, formatter: click.HelpFormatter) -> None:
        """Write the data sets and the commands of plug-ins into the help text."""
        _write_section(formatter, "Data sets", registry.entries("datasets"))
        super().format_entries(registry, formatter)


def unreachable_commands(root: PluginGroup) -> list[str]:
    """Return a message for each command of a plug-in that cannot be called.

    It has the name of a built-in command, or is for a group that plug-ins cannot add to.
    """
    groups = {
        group.path: group
        for group in (root, *root.commands.values())
        if isinstance(group, PluginGroup)
    }
    places = " and ".join(f"plx {path}".strip() for path in groups)
    messages = []
    for path, entries in root.registry().command_groups().items():
        for entry in entries:
            about = f"command {entry.name} of plug-in {entry.plugin.name}"
            if path not in groups:
                messages.append(
                    f"{about} cannot be called: there is no group {path}"
                    f"{did_you_mean(path, groups)} (plug-ins can add to {places})"
                )
            elif _word(entry) in groups[path].commands:
                messages.append(
                    f"{about} cannot be called: plx has a command of its own of that name"
                )
    return messages


def _write_section(formatter: click.HelpFormatter, title: str, entries: Sequence[Entry]) -> None:
    """Write a section with each entry's name and distribution."""
    if entries:
        with formatter.section(title):
            formatter.write_dl([(_word(entry), f"from {entry.plugin.origin}") for entry in entries])


def _word(entry: Entry) -> str:
    """Return the last word of a command's name, without the names of its groups."""
    return entry.name.rpartition(" ")[2]


def _load(entry: Entry) -> click.Command:
    command: object = entry.load()
    if not isinstance(command, click.Command):
        raise PluginError(
            f"command {entry.name} of plug-in {entry.plugin.name}: {entry.target} is not a "
            f"click.Command but a {type(command).__name__}"
        )
    return command
