"""Images with captions."""

import re

import numpy as np
import pytest
import tensorflow as tf
from tests.contract import batches_of, check_pipeline, check_resumes

from plx_core.components.component import Component
from plx_pipelines.pipelines.captions import ImageCaptioningPipeline
from plx_pipelines.records.encoding import (
    bytes_feature,
    encode_image,
    encode_sequence_example,
    int64_feature,
)
from plx_pipelines.records.metadata import write_metadata
from plx_pipelines.records.tfrecord import write_records

COUNT = 21
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 4, 5, 3), np.uint8)


def caption(number):
    return [2, number + 4, *range(100, 100 + number % 4), 3]


@pytest.fixture(scope="module")
def files(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("captions")
    records = (
        encode_sequence_example(
            {
                "image/encoded": bytes_feature([encode_image(PIXELS[number], request.param)]),
                "image/format": bytes_feature([request.param.encode()]),
            },
            {"image/caption_ids": [int64_feature([token]) for token in caption(number)]},
        )
        for number in range(COUNT)
    )
    write_records(folder / "x.tfrecord", records)
    write_metadata(folder, {"height": 4, "width": 5, "channels": 3})
    return str(folder / "x.tfrecord"), str(folder / "meta_data.json")


@pytest.mark.parametrize(
    ("files", "extra"),
    [("png", {}), ("raw", {"dynamic_pad": False, "max_length": 3})],
    indirect=["files"],
    ids=["png-dynamic", "raw-fixed"],
)
def test_values_order_and_resume(files, extra):
    def make(**order):
        return ImageCaptioningPipeline(*files, **extra, **order)

    check_pipeline(make, lambda batch: batch[1]["label"][:, 0] - 4, range(COUNT))
    for features, labels in batches_of(make(shuffle=True, num_epochs=1, batch_size=6)):
        for row, number in enumerate(labels["label"][:, 0] - 4):
            whole, longest = caption(number), 3 if extra else 99
            length = min(len(whole) - 1, longest)
            np.testing.assert_array_equal(features["image"][row], PIXELS[number])
            assert features["caption_len"][row] == length
            assert features["caption_token"][row, :length].tolist() == whole[:-1][:longest]
            assert labels["label"][row, :length].tolist() == whole[1:][:longest]
            assert not features["caption_token"][row, length:].any()
            assert not labels["label"][row, length:].any()


@pytest.mark.parametrize("files", ["raw"], indirect=True)
def test_buckets(files):
    pipeline = ImageCaptioningPipeline(
        *files, bucket_by_length=True, num_epochs=4, batch_size=5, shuffle=True, seed=1
    )
    check_resumes(pipeline)
    assert np.mean([np.ptp(features["caption_len"]) for features, _ in batches_of(pipeline)]) < 1


def test_features_by_other_names(tmp_path):
    context = {
        "image/data": bytes_feature([PIXELS[3].tobytes()]),
        "image/format": bytes_feature([b"raw"]),
    }
    record = encode_sequence_example(
        context, {"ids": [int64_feature([token]) for token in caption(3)]}
    )
    write_records(tmp_path / "x", [record])
    write_metadata(tmp_path, {"height": 4, "width": 5, "channels": 3})
    parameters = {
        "files": str(tmp_path / "x"),
        "meta_data_file": str(tmp_path / "meta_data.json"),
        "mode": "eval",
        "bucket_by_length": True,
    }
    parameters |= {"image_field": "image/data", "caption_ids_field": "ids"}
    pipeline = Component("pipelines", "ImageCaptioningPipeline", parameters).build()
    ((features, labels),) = batches_of(pipeline)
    np.testing.assert_array_equal(features["image"][0], PIXELS[3])
    assert labels["label"][0].tolist() == caption(3)[1:]


def test_a_record_that_is_something_else_is_named(tmp_path):
    records = [encode_sequence_example({"image/format": bytes_feature([b"raw"])}, {})] * 2
    write_records(tmp_path / "x", records)
    write_metadata(tmp_path, {"height": 4, "width": 5, "channels": 3})
    pipeline = ImageCaptioningPipeline(
        str(tmp_path / "x"), str(tmp_path / "meta_data.json"), mode="eval"
    )
    with pytest.raises(tf.errors.OpError):
        batches_of(pipeline)
    assert re.search(r"x: record 0 at byte 0: .*image/encoded", str(pipeline.failure()))
