"""Small files that expand to fill the memory are refused, and control characters are written out."""

import gzip
import struct
import zlib

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from plx_core.cli.main import main
from plx_core.errors import DataError
from plx_pipelines import expansion
from plx_pipelines.records.encoding import bytes_feature, encode_example
from plx_pipelines.records.tfrecord import find_files, write_records


def plx(*arguments):
    return CliRunner().invoke(main, [*map(str, arguments)])


def bomb(side):
    """A PNG file of a few bytes that says it has this side."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_an_image_of_too_many_pixels(tmp_path, side):
    (tmp_path / "images" / "cats").mkdir(parents=True)
    (tmp_path / "images" / "cats" / "a.png").write_bytes(bomb(side))
    result = plx("data", "convert", tmp_path / "images", tmp_path / "out")
    assert result.exit_code == 1, result.exception
    assert "a.png is not an image that can be read" in result.stderr
    assert "pixels" in result.stderr
    record = encode_example({"image/encoded": bytes_feature([bomb(side)])})
    write_records(tmp_path / "a.tfrecord", [record])
    result = plx("data", "show", tmp_path / "a.tfrecord", "--png", tmp_path / "sheet.png")
    assert result.exit_code == 2, result.exception
    assert "its image" in result.stderr or "an image of" in result.stderr


def test_arrays_and_texts_that_expand(tmp_path, monkeypatch):
    monkeypatch.setattr(expansion, "FREE_BYTES", 10_000)
    np.savez_compressed(tmp_path / "zeros.npz", x=np.zeros(2_000_000, "uint8"))
    result = plx("data", "convert", tmp_path / "zeros.npz", tmp_path / "out")
    assert result.exit_code == 2, result.exception
    assert "zeros.npz expands to 2,000,128 bytes, more than 100 times its own size" in result.stderr
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt.gz").write_bytes(gzip.compress(b"a\n" * 1_000_000))
    result = plx("data", "convert", tmp_path / "texts", tmp_path / "out")
    assert result.exit_code == 2, result.exception
    assert "a.txt.gz expands to more than" in result.stderr


def test_a_sheet_shows_large_images_smaller(tmp_path):
    Image.new("L", (2000, 1000)).save(tmp_path / "large.png")
    content = (tmp_path / "large.png").read_bytes()
    record = encode_example({"image/encoded": bytes_feature([content])})
    write_records(tmp_path / "a.tfrecord", [record])
    sheet = tmp_path / "sheet.png"
    result = plx("data", "show", tmp_path / "a.tfrecord", "--png", sheet, "--columns", 1)
    assert result.exit_code == 0, result.exception
    with Image.open(sheet) as image:
        assert image.size == (516, 516)


def test_names_of_features_do_not_reach_the_terminal_as_they_are(tmp_path):
    record = encode_example({"\x1b[31mred": bytes_feature([b"a"])})
    write_records(tmp_path / "a.tfrecord", [record])
    result = plx("data", "show", tmp_path / "a.tfrecord")
    assert result.exit_code == 0, result.exception
    assert "\\x1b[31mred: 1 bytes" in result.stdout
    assert "\x1b" not in result.stdout


def test_two_stars_are_not_every_folder_below(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a").touch()
    with pytest.raises(DataError, match="there is no file"):
        find_files(str(tmp_path / "**"))
