"""The `plx data` commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from plx_core.cli.main import main


def plx(*arguments):
    return CliRunner().invoke(
        main, [str(argument) for argument in arguments], catch_exceptions=False
    )


@pytest.fixture
def files(images):
    """Two intact files: a pattern, and the list of paths."""
    pattern = images("png")[0]["data_files"]
    return pattern, [Path(pattern.replace("*", part)) for part in "01"]


def test_verify_intact_files(files):
    pattern, paths = files
    result = plx("data", "verify", pattern)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{paths[0]}: 9 records, all intact",
        f"{paths[1]}: 14 records, all intact",
    ]


def test_verify_corrupt_files(files, tmp_path):
    content = bytearray(files[1][0].read_bytes())
    content[40] ^= 1
    (tmp_path / "corrupt").write_bytes(content)
    result = plx("data", "verify", files[1][1], tmp_path / "corrupt")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0].endswith("14 records, all intact")
    assert lines[1].startswith(f"{tmp_path / 'corrupt'}: 8 records, 1 corrupt (")
    assert lines[2].startswith("  record 0 at byte 0: the data does not match its checksum")
    result = plx("data", "show", tmp_path / "corrupt")
    assert result.exit_code == 1
    assert result.stdout.startswith("8 records, 1 corrupt\n")
    assert "plx data verify" in result.stderr


@pytest.mark.parametrize("command", ["verify", "show"])
def test_files_that_cannot_be_read(command, tmp_path):
    result = plx("data", command, tmp_path / "nowhere")
    assert (result.exit_code, result.stderr) == (2, f"there is no file {tmp_path / 'nowhere'}\n")
    assert plx("data", command).exit_code == 2


def test_show(files, tmp_path):
    result = plx(
        "data", "show", files[0], "--png", tmp_path / "sheet.png", "--columns", 4, "--rows", 2
    )
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "23 records",
        "features of all records:",
        "  image/class/label: int64",
        "  image/encoded: PNG of 6 x 5 x 3",
        "  image/format: 3 bytes",
        f"images: {tmp_path / 'sheet.png'}",
    ]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (40, 20)


@pytest.mark.parametrize("command", ["verify", "show"])
def test_no_command_starts_tensorflow(command, files):
    code = (
        "import json, sys\nfrom plx_core.cli.main import main\n"
        f"try: main(['data', {command!r}, {files[0]!r}], prog_name='plx')\nexcept SystemExit as end: code = end.code\n"
        "print(json.dumps([code, sorted({'tensorflow', 'keras'} & set(sys.modules))]), file=sys.stderr)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stderr.splitlines()[-1]) == [0, []]
