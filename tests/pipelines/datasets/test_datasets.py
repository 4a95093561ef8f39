"""Well-known data sets: the files, the errors, and the effect of a second run."""

import gzip
import hashlib
import io
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.contract import batches_of

from plx_core.errors import DataError
from plx_pipelines.datasets import digits, fashion_mnist, mnist
from plx_pipelines.datasets.downloading import Remote, download
from plx_pipelines.datasets.idx import read_idx
from plx_pipelines.pipelines.images import TFRecordImagePipeline


def idx(array):
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.tobytes()
    )


def write_idx(folder, part, count, compress):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(count)
    images, labels = (
        rng.integers(0, 256, (count, 28, 28), np.uint8),
        rng.integers(0, 10, count, np.uint8),
    )
    for name, array in (
        (f"{part}-images-idx3-ubyte", images),
        (f"{part}-labels-idx1-ubyte", labels),
    ):
        (folder / (f"{name}.gz" if compress else name)).write_bytes(
            gzip.compress(idx(array)) if compress else idx(array)
        )
    return images, labels


def read(metadata, split):
    batches = batches_of(
        TFRecordImagePipeline(
            metadata["files"][split], metadata["meta_data_file"], batch_size=50, mode="eval"
        )
    )
    return np.concatenate([features["image"] for features, _ in batches]), np.concatenate(
        [labels["label"] for _, labels in batches]
    )


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dataset", [mnist, fashion_mnist])
def test_idx_files_with_both_parts_keep_their_split(tmp_path, dataset, compress):
    parts = {
        "train": write_idx(tmp_path / "source", "train", 30, compress),
        "eval": write_idx(tmp_path / "source", "t10k", 11, compress),
    }
    metadata = dataset.prepare(str(tmp_path / "out"), str(tmp_path / "source"), "raw")
    assert metadata["num_samples"] == {"train": 30, "eval": 11}
    for split, (images, labels) in parts.items():
        result = read(metadata, split)
        np.testing.assert_array_equal(result[0][..., 0], images)
        np.testing.assert_array_equal(result[1], labels)


def test_digits(tmp_path):
    metadata = digits.prepare(str(tmp_path))
    assert metadata["num_samples"] == {"train": 1_442, "eval": 355}
    meta_data = json.loads((tmp_path / "meta_data.json").read_text())
    assert {key: meta_data[key] for key in ("height", "width", "channels", "num_classes")} == {
        "height": 28, "width": 28, "channels": 1, "num_classes": 10,
    }  # fmt: skip
    images, labels = read(metadata, "eval")
    assert np.bincount(labels).min() >= 34
    from sklearn.datasets import load_digits

    original = load_digits()
    place = np.flatnonzero(original.target == 3)[4]
    np.testing.assert_array_equal(
        images[np.flatnonzero(labels == 3)[0], ..., 0], digits.enlarge(original.images[place])
    )


def test_a_second_run_writes_nothing_and_an_interrupted_one_is_finished(tmp_path):
    assert digits.prepare(str(tmp_path))["written"]
    times = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = digits.prepare(str(tmp_path))
    assert not again["written"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == times
    (tmp_path / "digits_eval.tfrecord").unlink()
    assert digits.prepare(str(tmp_path))["written"]
    assert digits.prepare(str(tmp_path), encoding="raw")["written"]
    assert digits.prepare(str(tmp_path), encoding="raw")["image_format"] == "raw"


def test_a_folder_of_another_data_set_is_left_alone(tmp_path):
    write_idx(tmp_path / "source", "train", 3, True)
    write_idx(tmp_path / "source", "t10k", 3, True)
    mnist.prepare(str(tmp_path / "out"), str(tmp_path / "source"))
    with pytest.raises(DataError, match="holds another data set, 'mnist'"):
        digits.prepare(str(tmp_path / "out"))
    (tmp_path / "out" / "meta_data.json").write_text("{")
    with pytest.raises(DataError, match="is in the way"):
        digits.prepare(str(tmp_path / "out"))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"\0\0\x08\x01\0\0\0\x05abc", "has 3 bytes of values; its shape \\(5,\\) makes 5"),
        (
            b"\0\0\x09\x01\0\0\0\x01a",
            "is not an IDX file of bytes with 1 axes: it begins with 00 00 09 01",
        ),
        (b"", "is not an IDX file"),
    ],
)
def test_idx_files_that_are_wrong(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "x", 1)
    (tmp_path / "x.gz").write_bytes(gzip.compress(content)[:-3])
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path / "x.gz", 1)


def test_sources_that_lack_files(tmp_path):
    with pytest.raises(DataError, match="has no t10k-images-idx3-ubyte"):
        mnist.prepare(str(tmp_path / "out"), str(tmp_path))
    write_idx(tmp_path, "t10k", 5, False)
    with pytest.raises(DataError, match="has 5 images and no training files"):
        mnist.prepare(str(tmp_path / "out"), str(tmp_path))
    assert not (tmp_path / "out" / "meta_data.json").exists()


@pytest.fixture
def served(tmp_path, monkeypatch):
    """The address of a file, its content, and an empty cache."""
    monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "x.bin").write_bytes(b"content")
    return (tmp_path / "served").as_uri() + "/", b"content"


def test_downloads_are_checked_and_kept(served):
    address, content = served
    remote = Remote("x.bin", hashlib.sha256(content).hexdigest())
    folder = download(address, [remote], "test")
    assert (folder / "x.bin").read_bytes() == content
    assert download("file:///nowhere/", [remote], "test") == folder  # it is there
    (folder / "x.bin").write_bytes(b"damaged")
    assert (download(address, [remote], "test") / "x.bin").read_bytes() == content


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_download_shows_how_far_it_is(served, monkeypatch):
    address, content = served
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    download(address, [Remote("x.bin", hashlib.sha256(content).hexdigest())], "test")
    assert "x.bin" in terminal.getvalue()
    assert "7/7 bytes" in terminal.getvalue()


def test_downloads_that_fail(served):
    address, _ = served
    with pytest.raises(DataError, match=r"has the SHA-256 .*; 00 was expected"):
        download(address, [Remote("x.bin", "00")], "test")
    with pytest.raises(DataError, match="cannot be downloaded.*--source"):
        download(address, [Remote("none.bin", "00")], "test")
    cache = Path(address.removeprefix("file://")).parent / "cache"
    assert not [path for path in cache.rglob("*") if path.is_file()]


WORKER = """
import sys
from plx_pipelines.pipelines.images import TFRecordImagePipeline
files, metadata, epochs, worker = sys.argv[1:]
pipeline = TFRecordImagePipeline(files, metadata, batch_size=4, num_epochs=int(epochs), shuffle=True, seed=1).shard(int(worker), 2)
print(pipeline.num_batches, *(int(label) for _, labels in pipeline.dataset().as_numpy_iterator() for label in labels["label"]))
"""


@pytest.mark.parametrize("epochs, batches", [(1, 3), (2, 6)])
def test_two_processes_share_one_data_set(images, epochs, batches):
    """Two workers have the same number of batches, even if 23 examples do not divide evenly."""
    parameters, _, labels = images("png")
    command = [
        sys.executable,
        "-c",
        WORKER,
        parameters["data_files"],
        parameters["meta_data_file"],
        str(epochs),
    ]
    processes = [
        subprocess.Popen([*command, str(worker)], stdout=subprocess.PIPE, text=True)
        for worker in (0, 1)
    ]
    result = [list(map(int, process.communicate(timeout=120)[0].split())) for process in processes]
    assert result[0][0] == result[1][0] == batches
    assert sorted(result[0][1:] + result[1][1:]) == sorted([*labels] * epochs)
    assert epochs > 1 or not set(result[0][1:]) & set(result[1][1:])
    assert abs(len(result[0]) - len(result[1])) <= 1
