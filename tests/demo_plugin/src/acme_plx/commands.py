"""The commands of a stranger's package."""

import click

from plx_core.errors import DataError


@click.command()
@click.argument("weight", type=float)
def weigh(weight):
    """Weigh something."""
    if weight < 0:
        raise DataError(f"nothing weighs {weight}")
    click.echo(f"it weighs {weight}")


@click.group()
def shelf():
    """A group of a stranger's own."""


shelf.add_command(weigh)
