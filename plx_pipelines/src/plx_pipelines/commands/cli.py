"""`plx data verify`, `plx data show` and `plx data convert`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from plx_core.errors import DataError, printable

FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...")


@click.command()
@FILES
def verify(files: Sequence[str]) -> None:
    """Check every record of TFRecord files against its checksums.

    For each corrupt record, this prints its number, its byte offset, and the number of bytes that
    are lost with it. The exit code is 1 if there is one. FILE may be a pattern such as
    'data/*.tfrecord'.
    """
    from plx_pipelines.commands import inspecting

    report = inspecting.verify(files)
    click.echo(printable("\n".join(report.lines())))
    sys.exit(report.exit_code)


@click.command()
@FILES
@click.option(
    "--png", metavar="FILE", help="Write a contact sheet of the first images to this file."
)
@click.option(
    "--columns",
    default=8,
    show_default=True,
    type=click.IntRange(1, 100),
    help="The number of columns of the contact sheet.",
)
@click.option(
    "--rows",
    default=4,
    show_default=True,
    type=click.IntRange(1, 100),
    help="The number of rows of the contact sheet.",
)
def show(files: Sequence[str], png: str | None, columns: int, rows: int) -> None:
    """Describe TFRecord files: the number of records, and their features, types and shapes.

    The exit code is 1 if a record is corrupt.
    """
    from plx_pipelines.commands import inspecting

    summary = inspecting.show(files, png, columns, rows)
    click.echo(printable("\n".join(summary.lines())))
    if png:
        click.echo(f"images: {png}")
    if summary.faults:
        click.echo("plx data verify lists the corrupt records", err=True)
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
    help="The text file with the targets, one for each line of SOURCE.",
)
@click.option("--name", help="The prefix of the files' names; by default, the name of SOURCE.")
@click.option(
    "--eval-every",
    metavar="N",
    type=click.IntRange(2),
    help="Hold out every N-th example of each class as eval.",
)
@click.option(
    "--shards",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="The number of files for each split.",
)
@click.option(
    "--encoding",
    type=click.Choice(["png", "jpeg", "raw"]),
    help="How to encode images; by default, png.",
)
@click.option(
    "--size", metavar="HxW", callback=_size, help="Resize images to this height and width."
)
@click.option(
    "--channels",
    type=click.Choice(["1", "3", "4"]),
    help="The number of channels; by default, that of the first image.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME",
    help="The name of an array that is a label; may be repeated.",
)
@click.option(
    "--vocabulary-size",
    metavar="N",
    type=click.IntRange(5),
    help="The largest number of tokens in the vocabulary; by default, all.",
)
@click.option(
    "--delimiter",
    help="The separator of tokens; by default, white space; '' splits into characters.",
)
@click.option("--lowercase", is_flag=True, default=None, help="Convert to lower case.")
@click.option(
    "--split-punctuation",
    is_flag=True,
    default=None,
    help="Make each punctuation mark a separate token.",
)
def convert(source: str, output_dir: str, target: str | None, **flags: Any) -> None:
    """Convert your own data to TFRecord files and meta_data.json in OUTPUT_DIR.

    \b
    SOURCE is one of these:
      a folder with a folder of images for each class
      a folder with a folder of .txt files, or a .txt file of lines, for each class
      a .npz file of arrays with the examples along their first axis
      a text file, with --target for the file with the target of each line
    """  # noqa: D301 (click reads \b)
    from plx_pipelines.commands import converting

    form = converting.find_form(source, target)
    options = _options(form, flags)
    sources = (source, target) if target else (source,)
    metadata = getattr(converting, f"convert_{form}")(*sources, output_dir, **options)
    for key in (
        "pipeline",
        "num_samples",
        "files",
        "meta_data_file",
        "vocabulary",
        "source_vocabulary",
        "target_vocabulary",
    ):
        if key in metadata:
            click.echo(printable(f"{key}: {metadata[key]}"))


_COMMON = ("name", "eval_every", "shards")
_TEXT = ("vocabulary_size", "delimiter", "lowercase", "split_punctuation")
_BY_FORM = {
    "images": ("encoding", "size", "channels"),
    "arrays": ("encoding", "labels"),
    "texts": _TEXT,
    "pairs": _TEXT,
}


def _options(form: str, flags: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flags of the command line as arguments of the function for this form."""
    options = {name: value for name, value in flags.items() if value not in (None, ())}
    for name in options:
        if name not in (*_COMMON, *_BY_FORM[form]):
            flag = "label" if name == "labels" else name.replace("_", "-")
            raise DataError(f"--{flag} is not for {form}, and the source has {form}")
    if "channels" in options:
        options["channels"] = int(options["channels"])
    split: dict[str, Any] = {name: options.pop(name) for name in _TEXT[1:] if name in options}
    if split:
        from plx_pipelines.text.tokens import Tokenizer

        options["tokenizer"] = Tokenizer(**split)
    return options
