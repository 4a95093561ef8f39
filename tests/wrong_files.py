"""How tests look at what `plx check` says of files with mistakes."""

import os
from pathlib import Path

from click.testing import CliRunner

from plx_core.cli.main import main


def check(folder, text, *options, command="check"):
    """What `plx check`, or another command, says of a file of this text in this folder."""
    path = folder / "wrong.yml"
    path.write_text(text)
    before = Path.cwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(main, [command, "wrong.yml", *options])
    finally:
        os.chdir(before)


def position(text, marker):
    """Line and column of what follows `<` in a marker."""
    offset = text.index(marker.replace("<", "", 1)) + marker.index("<")
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)
