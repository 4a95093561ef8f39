"""Images from record files."""

import io
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tests.contract import batches_of, check_pipeline, check_resumes, fingerprint

from plx_core.errors import CorruptData, DataError
from plx_core.networks.graph import Graph
from plx_pipelines.pipelines.images import TFRecordImagePipeline, decode_images
from plx_pipelines.records.encoding import encode_labelled_image
from plx_pipelines.records.metadata import write_metadata
from plx_pipelines.records.tfrecord import write_records


@pytest.mark.parametrize(
    ("encoding", "cache"),
    [("png", None), ("png", True), ("png", False), ("raw", None), ("raw", False), ("jpeg", None)],
)
def test_values_order_and_resume(images, encoding, cache):
    parameters, pixels, labels = images(encoding)

    def make(**order):
        return TFRecordImagePipeline(**parameters, cache=cache, **order)

    check_pipeline(make, lambda batch: batch[1]["label"], labels)
    for features, labels in batches_of(make(shuffle=True, num_epochs=1, batch_size=7)):
        tolerance = 2 if encoding == "jpeg" else 0
        np.testing.assert_allclose(
            features["image"].astype(int), pixels[labels["label"]].astype(int), atol=tolerance
        )
        assert features["image"].dtype == np.uint8


@pytest.mark.parametrize("count, group", [(1, 4), (4, 4), (5, 4), (9, 4), (3, 64)])
def test_decoding_in_groups(count, group):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, 2, 1), np.uint8)
    encoded = tf.stack([tf.io.encode_png(image) for image in pixels])
    np.testing.assert_array_equal(decode_images(encoded, (3, 2, 1), group), pixels)


def test_real_mnist(shared, tmp_path):
    from plx_pipelines.datasets.idx import read_idx
    from plx_pipelines.datasets.mnist import prepare

    source = shared("mnist-10k")
    pixels = read_idx(source / "t10k-images-idx3-ubyte.gz", 3)
    labels = read_idx(source / "t10k-labels-idx1-ubyte.gz", 1)
    written = prepare(str(tmp_path / "mnist"), str(source))
    assert written["num_samples"] == {"train": 8_000, "eval": 2_000}
    for split, rows in (("train", slice(8_000)), ("eval", slice(8_000, None))):
        pipeline = TFRecordImagePipeline(
            written["files"][split], written["meta_data_file"], batch_size=100, mode="eval"
        )
        batches = batches_of(pipeline)
        np.testing.assert_array_equal(
            np.concatenate([features["image"] for features, _ in batches])[..., 0], pixels[rows]
        )
        np.testing.assert_array_equal(
            np.concatenate([labels["label"] for _, labels in batches]), labels[rows]
        )
    training = TFRecordImagePipeline(
        written["files"]["train"],
        written["meta_data_file"],
        batch_size=64,
        num_epochs=2,
        shuffle=True,
    )
    assert len(set(check_resumes(training))) == 250


RANDOM = {
    "image": Graph(
        input_layers=["image"],
        layers=[
            {"Cast": {"dtype": "float32"}},
            {"RandomTranslation": {"height_factor": 0.4, "width_factor": 0.4}},
        ],
    )
}


def processed(images, encoding="raw", **order):
    parameters, *_ = images(encoding, (8, 8, 1), 24)
    return TFRecordImagePipeline(**parameters, feature_processors=RANDOM, batch_size=8, **order)


def test_random_processors_are_functions_of_seed_and_batch(images):
    pipeline = processed(images, num_epochs=3, shuffle=False, seed=3)
    assert pipeline.element_spec[0]["image"].dtype == tf.float32
    prints = check_resumes(pipeline)
    assert len(set(prints)) == 9
    assert [
        fingerprint(batch)
        for batch in batches_of(processed(images, num_epochs=3, shuffle=False, seed=3))
    ] == prints
    assert (
        fingerprint(batches_of(processed(images, num_epochs=3, shuffle=False, seed=4))[0])
        != prints[0]
    )


def test_random_processors_differ_per_example(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 1), np.uint8)
    write_records(tmp_path / "same", [encode_labelled_image(image, 0, "raw")] * 16)
    write_metadata(tmp_path, {"height": 8, "width": 8, "channels": 1})
    pipeline = TFRecordImagePipeline(
        str(tmp_path / "same"),
        str(tmp_path / "meta_data.json"),
        batch_size=16,
        num_epochs=1,
        feature_processors=RANDOM,
    )
    ((features, _),) = batches_of(pipeline)
    assert len({example.tobytes() for example in features["image"]}) == 16


def test_random_processors_are_off_outside_training(images):
    parameters, pixels, _ = images("raw", (8, 8, 1), 24)
    pipeline = TFRecordImagePipeline(**parameters, feature_processors=RANDOM, mode="eval")
    np.testing.assert_array_equal(batches_of(pipeline)[0][0]["image"], pixels.astype("float32"))


def test_the_processing_network_does_what_the_pipeline_does(images):
    parameters, pixels, _ = images("raw")
    scale = {
        "image": Graph(
            input_layers=["image"],
            layers=[{"Cast": {"dtype": "float32"}}, {"Rescaling": {"scale": 0.5}}],
        )
    }
    pipeline = TFRecordImagePipeline(**parameters, feature_processors=scale, mode="eval")
    outputs = pipeline.processing_network()({"image": pixels})
    np.testing.assert_allclose(outputs["image"], batches_of(pipeline)[0][0]["image"])
    assert TFRecordImagePipeline(**parameters).processing_network() is None


def test_a_processor_of_a_feature_that_is_not_there(images):
    parameters, *_ = images("raw")
    with pytest.raises(ValueError, match="feature_processors name picture; the features are image"):
        TFRecordImagePipeline(**parameters, feature_processors={"picture": RANDOM["image"]})


@pytest.fixture
def corrupt(images, tmp_path):
    """Nine raw images; the last one has a wrong byte in its data."""
    from pathlib import Path

    parameters, _pixels, _labels = images("raw")
    content = bytearray(Path(parameters["data_files"].replace("*", "0")).read_bytes())
    content[-10] ^= 1
    path = tmp_path / "corrupt.tfrecord"
    path.write_bytes(content)
    return {
        "data_files": str(path),
        "meta_data_file": parameters["meta_data_file"],
        "shuffle": False,
        "num_epochs": 1,
        "batch_size": 4,
    }


@pytest.mark.parametrize("cache", [True, False])
def test_corruption_stops_the_reading_and_is_explained(corrupt, cache):
    pipeline = TFRecordImagePipeline(**corrupt, cache=cache)
    with pytest.raises(
        (tf.errors.OpError, CorruptData)
    ):  # what is cached is read before the first batch
        batches_of(pipeline)
    failure = pipeline.failure()
    assert isinstance(failure, CorruptData)
    assert "corrupt.tfrecord: record 8 at byte" in str(failure)
    assert pipeline.counters() == {}


def test_corruption_found_while_loading_into_memory(corrupt):
    with pytest.raises(
        CorruptData,
        match=r"corrupt\.tfrecord: record 8 at byte \d+: the data does not match its checksum",
    ):
        TFRecordImagePipeline(**corrupt).dataset()


def test_a_corrupt_record_is_left_out_and_counted(corrupt):
    pipeline = TFRecordImagePipeline(**corrupt, on_corrupt="skip")
    labels = np.concatenate([labels["label"] for _, labels in batches_of(pipeline)])
    assert labels.tolist() == list(range(8))
    counters = pipeline.counters()
    assert counters["corrupt_records"] == 1
    assert counters["corrupt_bytes"] > 90
    check_resumes(pipeline)


def test_a_budget_of_corrupt_records(corrupt):
    with pytest.raises(CorruptData, match=r"record 8 at byte \d+.*more than corrupt_budget: 0"):
        TFRecordImagePipeline(**corrupt, on_corrupt="skip", corrupt_budget=0)


@pytest.mark.parametrize("cache", [None, True, False])
@pytest.mark.parametrize("kind", ["no image", "another size", "no label"])
def test_an_intact_record_that_holds_no_such_image_is_named(tmp_path, kind, cache):
    images = np.random.default_rng(0).integers(0, 256, (300, 4, 4, 1), np.uint8)
    records = [encode_labelled_image(image, 0, "png") for image in images]
    whole = records[271]
    place = whole.index(b"IHDR") + 8
    records[271] = {
        "no image": whole[:place] + bytes(8) + whole[place + 8 :],
        "another size": encode_labelled_image(images[0, :3], 0, "png"),
        "no label": example(image__encoded=b"x", image__format=b"png"),
    }[kind]
    write_records(tmp_path / "x", records)
    path = str(write_metadata(tmp_path, {"height": 4, "width": 4, "channels": 1}))
    pipeline = TFRecordImagePipeline(
        str(tmp_path / "x"), path, batch_size=16, cache=cache, mode="eval"
    )
    with pytest.raises(
        (tf.errors.OpError, CorruptData)
    ):  # what is cached is read before the first batch
        batches_of(pipeline)
    offset = sum(len(record) + 16 for record in records[:271])
    assert isinstance(pipeline.failure(), CorruptData)
    reason = {
        "no image": "PNG",
        "another size": r"\[3, ?4, ?1\]|\(3, 4, 1\)",
        "no label": "image/class/label",
    }[kind]
    assert re.match(
        rf"{re.escape(str(tmp_path / 'x'))}: record 271 at byte {offset}: .*({reason})",
        str(pipeline.failure()),
    )
    assert "{{" not in str(pipeline.failure())
    assert "[Op:" not in str(pipeline.failure())


def metadata(tmp_path, **content):
    return str(write_metadata(tmp_path, {"height": 6, "width": 5, "channels": 3} | content))


@pytest.mark.parametrize(
    "content, message",
    [
        ({"height": None}, "needs height: int; got None"),
        ({"width": 5.0}, "needs width: int; got 5.0"),
        ({"channels": True}, "needs channels: int; got True"),
        (
            {"height": 7},
            r"the first image has 90 bytes; height, width and channels \(7, 5, 3\) make 105",
        ),
    ],
)
def test_metadata_that_is_wrong(images, tmp_path, content, message):
    parameters, *_ = images("raw")
    with pytest.raises(DataError, match=message):
        TFRecordImagePipeline(parameters["data_files"], metadata(tmp_path, **content))


def test_metadata_that_is_not_there_or_not_json(images, tmp_path):
    parameters, *_ = images("raw")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        TFRecordImagePipeline(parameters["data_files"], str(tmp_path / "none.json"))
    for text, message in (("{", "is not JSON"), ("[]", "must be a JSON object, not list")):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(DataError, match=message):
            TFRecordImagePipeline(parameters["data_files"], str(tmp_path / "x.json"))


def example(**features):
    kinds = {
        bytes: lambda v: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v])),
        int: lambda v: tf.train.Feature(int64_list=tf.train.Int64List(value=[v])),
    }
    named = {name.replace("__", "/"): kinds[type(value)](value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


@pytest.mark.parametrize(
    "record, message",
    [
        (b"\xff\xff", "is not a tf.train.Example"),
        (
            example(image__encoded=b"x", image__format=b"png"),
            "lacks image/class/label; it has image/encoded, image/format",
        ),
        (
            example(image__encoded=b"x", image__format=b"tiff", image__class__label=1),
            "is 'tiff'; expected one of raw, png",
        ),
    ],
    ids=["no example", "no label", "another format"],
)
def test_records_of_something_else(tmp_path, record, message):
    write_records(tmp_path / "x", [record])
    with pytest.raises(DataError, match=message):
        TFRecordImagePipeline(str(tmp_path / "x"), metadata(tmp_path))


def test_a_file_without_records(tmp_path):
    write_records(tmp_path / "x", [])
    with pytest.raises(DataError, match="there is no record in"):
        TFRecordImagePipeline(str(tmp_path / "x"), metadata(tmp_path))


def test_encodings_keep_the_pixels():
    from plx_pipelines.records.encoding import encode_image

    pixels = np.random.default_rng(0).integers(0, 256, (4, 3, 4), np.uint8)
    for channels in (1, 3, 4):
        image = pixels[..., :channels]
        assert encode_image(image, "raw") == np.ascontiguousarray(image).tobytes()
        decoded = np.asarray(Image.open(io.BytesIO(encode_image(image, "png"))))
        np.testing.assert_array_equal(decoded.reshape(image.shape), image)


def test_examples_are_what_protobuf_makes_of_them():
    from plx_pipelines.records.encoding import (
        bytes_feature,
        encode_example,
        encode_sequence_example,
        float_feature,
        int64_feature,
    )

    encoded = encode_example(
        {
            "b": bytes_feature([b"x", b""]),
            "f": float_feature([1.5, -2]),
            "i": int64_feature([0, -1, 300, 2**63 - 1]),
        }
    )
    features = tf.train.Example.FromString(encoded).features.feature
    assert features["b"].bytes_list.value == [b"x", b""]
    assert features["f"].float_list.value == [1.5, -2]
    assert features["i"].int64_list.value == [0, -1, 300, 2**63 - 1]
    example = tf.train.SequenceExample.FromString(
        encode_sequence_example(
            {"n": int64_feature([2])}, {"t": [int64_feature([1]), int64_feature([5, 6])]}
        )
    )
    assert example.context.feature["n"].int64_list.value == [2]
    assert [
        list(step.int64_list.value) for step in example.feature_lists.feature_list["t"].feature
    ] == [[1], [5, 6]]


def test_two_workers(images):
    parameters, _, labels = images("png")
    pipeline = TFRecordImagePipeline(**parameters, num_epochs=1, shuffle=True, batch_size=4, seed=2)
    halves = [
        np.concatenate(
            [labels["label"] for _, labels in batches_of(pipeline.shard(worker, 2))]
        ).tolist()
        for worker in range(2)
    ]
    assert sorted(halves[0] + halves[1]) == labels.tolist()
