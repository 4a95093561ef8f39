"""`plx data verify`, `plx data show` and `plx data convert`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from plx_core.errors import DataError

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
@click.option(
    "--columns",
    default=8,
    show_default=True,
    type=click.IntRange(1),
    help="How many images stand beside each other.",
)
@click.option(
    "--rows",
    default=4,
    show_default=True,
    type=click.IntRange(1),
    help="How many lines of images there are.",
)
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


def _size(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    height, _, width = value.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise click.BadParameter(f"expected height x width, such as 64x48, got {value}")
    return int(height), int(width)


@click.command()
@click.argument("source", type=click.Path(exists=True))
@click.argument("output_dir", type=click.Path(file_okay=False))
@click.option(
    "--target",
    type=click.Path(exists=True, dir_okay=False),
    help="The text file whose lines belong to those of SOURCE.",
)
@click.option("--name", help="What the files' names begin with; that of SOURCE when left out.")
@click.option(
    "--eval-every",
    metavar="N",
    type=click.IntRange(2),
    help="Hold every N-th example of each class out as eval.",
)
@click.option(
    "--shards",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Over how many files each split is spread.",
)
@click.option(
    "--encoding",
    type=click.Choice(["png", "jpeg", "raw"]),
    help="How images are kept; png when left out.",
)
@click.option(
    "--size", metavar="HxW", callback=_size, help="Resize images to this height and width."
)
@click.option(
    "--channels",
    type=click.Choice(["1", "3", "4"]),
    help="How many channels images have; those of the first when left out.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME",
    help="An array that is a label; may be given several times.",
)
@click.option(
    "--vocabulary-size",
    metavar="N",
    type=click.IntRange(5),
    help="How many tokens are kept; all when left out.",
)
@click.option(
    "--delimiter",
    help="What stands between tokens; white space when left out, and '' splits into characters.",
)
@click.option("--lowercase", is_flag=True, default=None, help="Make letters small.")
@click.option(
    "--split-punctuation",
    is_flag=True,
    default=None,
    help="Make each punctuation mark a token of its own.",
)
def convert(source: str, output_dir: str, target: str | None, **given: Any) -> None:
    """Write data of your own as TFRecord files and meta_data.json into OUTPUT_DIR.

    \b
    SOURCE is one of these:
      a folder with a folder of images for each class
      a folder with a folder of .txt files, or a .txt file of lines, for each class
      a .npz file of arrays with the examples along their first axis
      a text file, with --target for the text that belongs to each of its lines
    """  # noqa: D301 (click reads \b)
    from plx_pipelines import converting

    form = converting.find_form(source, target)
    options = _options(form, given)
    sources = (source, target) if target else (source,)
    written = getattr(converting, f"convert_{form}")(*sources, output_dir, **options)
    for key in (
        "pipeline",
        "num_samples",
        "files",
        "meta_data_file",
        "vocabulary",
        "source_vocabulary",
        "target_vocabulary",
    ):
        if key in written:
            click.echo(f"{key}: {written[key]}")


_COMMON = ("name", "eval_every", "shards")
_TEXT = ("vocabulary_size", "delimiter", "lowercase", "split_punctuation")
_TAKEN = {
    "images": ("encoding", "size", "channels"),
    "arrays": ("encoding", "labels"),
    "texts": _TEXT,
    "pairs": _TEXT,
}


def _options(form: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given, as the function that converts this form takes them."""
    options = {name: value for name, value in given.items() if value not in (None, ())}
    for name in options:
        if name not in (*_COMMON, *_TAKEN[form]):
            flag = f"--{name.removesuffix('s') if name == 'labels' else name.replace('_', '-')}"
            raise DataError(f"{flag} is not for {form}, which the source is")
    if "channels" in options:
        options["channels"] = int(options["channels"])
    split: dict[str, Any] = {name: options.pop(name) for name in _TEXT[1:] if name in options}
    if split:
        from plx_pipelines.text import Tokenizer

        options["tokenizer"] = Tokenizer(**split)
    return options
