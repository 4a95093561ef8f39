"""Real files that the tests of pipelines share."""

import numpy as np
import pytest

from plx_pipelines.records.encoding import encode_labelled_image
from plx_pipelines.records.metadata import write_metadata
from plx_pipelines.records.tfrecord import write_records


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A function that writes 23 images in two files and returns their parameters, the images and the labels."""

    def write(encoding, shape=(6, 5, 3), count=23):
        folder = tmp_path_factory.mktemp(f"images-{encoding}")
        rng = np.random.default_rng(1)
        pixels = rng.integers(0, 256, (count, *shape), np.uint8)
        if encoding == "jpeg":
            pixels[:] = pixels[:, :1, :1]
        labels = np.arange(count)
        for part, rows in enumerate((slice(0, 9), slice(9, count))):
            records = (
                encode_labelled_image(*pair, encoding)
                for pair in zip(pixels[rows], labels[rows], strict=True)
            )
            write_records(folder / f"part-{part}.tfrecord", records)
        write_metadata(folder, {"height": shape[0], "width": shape[1], "channels": shape[2]})
        return (
            {
                "data_files": str(folder / "part-*.tfrecord"),
                "meta_data_file": str(folder / "meta_data.json"),
            },
            pixels,
            labels,
        )

    return write
