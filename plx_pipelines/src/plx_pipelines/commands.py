"""`plx data verify` and `plx data show`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...")


@click.command()
@FILES
def verify(files: Sequence[str]) -> None:
    """Check every record of TFRecord files against its checksums.

    What cannot be read is listed with the record's number, its place in bytes, and how many bytes are lost with it; the exit code is
    1 then. FILE may be a pattern such as 'data/*.tfrecord'.
    """
    from plx_pipelines import inspecting

    report = inspecting.verify(files)
    click.echo("\n".join(report.lines()))
    sys.exit(report.exit_code)


@click.command()
@FILES
@click.option("--png", metavar="FILE", help="Draw the first images there, beside each other.")
@click.option("--columns", default=8, show_default=True, type=click.IntRange(1), help="How many images stand beside each other.")
@click.option("--rows", default=4, show_default=True, type=click.IntRange(1), help="How many lines of images there are.")
def show(files: Sequence[str], png: str | None, columns: int, rows: int) -> None:
    """Say what is in TFRecord files: how many records, their features, types and shapes.

    The exit code is 1 where a record cannot be read.
    """
    from plx_pipelines import inspecting

    summary = inspecting.show(files, png, columns, rows)
    click.echo("\n".join(summary.lines()))
    if png:
        click.echo(f"images: {png}")
    if summary.faults:
        click.echo("plx data verify tells which records cannot be read", err=True)
        sys.exit(1)
