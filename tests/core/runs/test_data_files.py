"""A change of data is noticed by size and content, a copy of the same data is not one, and nothing is read twice."""

import os

import pytest

from plx_core.errors import DataError
from plx_core.runs import data_files
from plx_core.runs.data_files import changes, describe_files


@pytest.fixture
def folder(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/.hidden"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).write_bytes(name.encode())
    return tmp_path / "images"


def describe(*paths, earlier=None):
    return describe_files({"train": [str(path) for path in paths]}, earlier or {})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda folder: (folder / "a/1.png").write_bytes(b"a/X.png"), "of the same size, 21 bytes"),
        (lambda folder: (folder / "a/1.png").write_bytes(b"more, as"), "21 bytes before, 22 now"),
        (lambda folder: (folder / "a/1.png").unlink(), "3 files before, 2 now"),
        (lambda folder: (folder / "a/1.png").rename(folder / "b/3.png"), "of the same size"),
        (lambda folder: (folder / "b/.hidden").write_bytes(b"cache"), None),
        (lambda folder: os.utime(folder / "a/1.png", (1, 1)), None),
    ],
)
def test_a_folder_is_its_visible_files(folder, change, expected):
    before = describe(folder)
    change(folder)
    found = changes(before, describe(folder, earlier=before))
    if expected is None:
        assert found == []
    else:
        (description,) = found
        assert description.startswith(f"{folder} has other content (")
        assert expected in description


def test_files_that_a_pattern_no_longer_or_newly_matches(folder):
    one, other = folder / "a/1.png", folder / "a/2.png"
    assert changes(describe(one), describe(other)) == [f"{one} is missing", f"{other} is new"]


def test_unchanged_files_are_not_read_again(folder, monkeypatch):
    before = describe(folder)
    monkeypatch.setattr(data_files, "_add_content", None)
    assert describe(folder, earlier=before) == before


def test_large_files_are_sampled_over_their_whole_length(tmp_path, monkeypatch):
    monkeypatch.setattr(data_files, "WHOLE_BYTES", 100)
    monkeypatch.setattr(data_files, "SAMPLE_BYTES", 8)
    path = tmp_path / "large"
    content = bytearray(1000)
    path.write_bytes(content)
    before = describe(path)
    for position in (0, 999):
        changed = content.copy()
        changed[position] = 1
        path.write_bytes(changed)
        assert changes(before, describe(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(DataError, match="gone cannot be read: No such file"):
        describe(tmp_path / "gone")
