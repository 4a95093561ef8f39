"""Folders of images."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tests.contract import batches_of, check_pipeline

from plx_core.errors import CorruptData, DataError
from plx_pipelines.pipelines.folders import ImageFolderPipeline

CLASSES = ("ant", "bee", "cat")
COUNT = 22


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """22 images of three classes and two sizes; the colour of an image is its number."""
    folder = tmp_path_factory.mktemp("folder")
    for number in range(COUNT):
        name = CLASSES[number * 3 // COUNT]
        (folder / name).mkdir(exist_ok=True)
        size = (5, 4) if number % 2 else (10, 12)
        Image.new("RGB", size, (number * 10, 0, 255 - number * 10)).save(
            folder / name / f"{number:02}.{'png' if number % 3 else 'PNG'}"
        )
    (folder / "ant" / "notes.txt").write_text("not an image")
    (folder / ".hidden").mkdir()
    return folder


@pytest.mark.parametrize("cache", [False, True])
def test_values_order_and_resume(folder, cache):
    def make(**order):
        return ImageFolderPipeline(str(folder), 4, 5, cache=cache, **order)

    check_pipeline(make, lambda batch: batch[0]["image"][:, 0, 0, 0] // 10, range(COUNT))
    for features, labels in batches_of(make(shuffle=True, num_epochs=1, batch_size=5)):
        numbers = features["image"][:, 0, 0, 0] // 10
        np.testing.assert_array_equal(labels["label"], numbers.astype(int) * 3 // COUNT)
        assert features["image"].shape[1:] == (4, 5, 3)
        assert (features["image"] == features["image"][:, :1, :1]).all()
        np.testing.assert_array_equal(features["image"][..., 2], 255 - features["image"][..., 0])
    assert make().classes == list(CLASSES)


def test_some_classes_in_another_order(folder):
    pipeline = ImageFolderPipeline(str(folder), 4, 5, 1, classes=["cat", "ant"], mode="eval")
    ((features, labels),) = batches_of(pipeline)
    assert features["image"].shape == (15, 4, 5, 1)
    assert labels["label"].tolist() == [0] * 7 + [1] * 8


@pytest.fixture
def broken(folder, tmp_path):
    (tmp_path / "ant").mkdir()
    for path in sorted((folder / "ant").glob("*.png")):
        (tmp_path / "ant" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "ant" / "02.png").write_bytes((folder / "ant" / "02.png").read_bytes()[:40])
    return tmp_path


def test_a_file_that_is_no_image_stops_the_reading_and_is_named(broken):
    pipeline = ImageFolderPipeline(str(broken), 4, 5, mode="eval")
    with pytest.raises(tf.errors.OpError):
        batches_of(pipeline)
    assert isinstance(pipeline.failure(), CorruptData)
    assert str(pipeline.failure()).startswith(
        f"{broken / 'ant' / '02.png'} is not an image that can be read"
    )


def test_a_file_that_is_no_image_is_left_out_and_counted(broken):
    pipeline = ImageFolderPipeline(str(broken), 4, 5, mode="eval", on_corrupt="skip")
    assert [int(red) // 10 for red in batches_of(pipeline)[0][0]["image"][:, 0, 0, 0]] == [
        1,
        4,
        5,
        7,
    ]
    assert pipeline.counters() == {"corrupt_files": 1}
    with pytest.raises(CorruptData, match=r"02\.png is not an image.*more than corrupt_budget: 0"):
        ImageFolderPipeline(str(broken), 4, 5, on_corrupt="skip", corrupt_budget=0)


def test_folders_that_are_wrong(folder, tmp_path):
    with pytest.raises(DataError, match="has no folder"):
        ImageFolderPipeline(str(tmp_path), 4, 5)
    with pytest.raises(DataError, match="there is no folder .*dog"):
        ImageFolderPipeline(str(folder), 4, 5, classes=["dog"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty has no image"):
        ImageFolderPipeline(str(tmp_path), 4, 5)
