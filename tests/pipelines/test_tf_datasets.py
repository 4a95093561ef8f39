"""`tf.data.Dataset`s and TensorFlow Datasets as pipelines."""

import numpy as np
import pytest
import tensorflow as tf
from tests.contract import batches_of, check_pipeline, check_resumes

from plx_core.data.input_fn import as_pipeline
from plx_core.errors import DataError
from plx_core.networks.graph import Graph
from plx_pipelines.pipelines.tf_datasets import TFDatasetPipeline, TFDSPipeline

COUNT = 23


def examples(form="pairs"):
    """23 examples, in each of the forms that a data set may have."""
    numbers = tf.data.Dataset.range(COUNT)
    return {
        "pairs": numbers.map(
            lambda n: ({"number": n, "twice": tf.cast([n, n], tf.float32)}, n % 3)
        ),
        "uncounted": numbers.map(lambda n: ({"number": n}, n % 3)).filter(
            lambda features, _: features["number"] >= 0
        ),
        "alone": numbers,
        "ragged": numbers.map(lambda n: {"number": n, "row": tf.range(n % 5)}),
    }[form]


def numbers(batch):
    return batch[0].get("number", batch[0].get("features"))


@pytest.mark.parametrize("cache", [False, True], ids=["read", "cached"])
@pytest.mark.parametrize("form", ["pairs", "uncounted", "alone", "ragged"])
def test_values_order_and_resume(form, cache):
    def make(**order):
        return TFDatasetPipeline(
            examples(form), cache=cache, shuffle_buffer=10, dynamic_pad=form == "ragged", **order
        )

    check_pipeline(make, numbers, range(COUNT))
    if form == "ragged":
        for features, _ in batches_of(make(num_epochs=1, batch_size=5)):
            assert features["row"].shape[1] == max(number % 5 for number in features["number"])


def test_a_buffer_bounds_how_early_an_example_comes():
    def visit(buffer):
        dataset = tf.data.Dataset.range(200)
        pipeline = TFDatasetPipeline(dataset, batch_size=200, num_epochs=1, shuffle_buffer=buffer)
        ((features, _),) = batches_of(pipeline)
        return features["features"]

    assert np.max(visit(20) - np.arange(200)) < 20
    assert np.max(visit(200) - np.arange(200)) > 100


def test_the_seed_of_the_program_changes_nothing():
    def visit():
        pipeline = TFDatasetPipeline(examples(), num_epochs=2, batch_size=4, seed=3, shuffle=True)
        return [numbers(batch).tolist() for batch in batches_of(pipeline)]

    before = visit()
    tf.random.set_seed(99)
    try:
        assert visit() == before
    finally:
        tf.random.set_seed(None)


@pytest.mark.parametrize("workers", [2, 3, 5])
@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_workers(workers, batch_size):
    parts = [
        TFDatasetPipeline(
            examples(), batch_size=batch_size, num_epochs=1, shuffle=True, seed=1
        ).shard(worker, workers)
        for worker in range(workers)
    ]
    batches = [[numbers(batch).tolist() for batch in batches_of(part)] for part in parts]
    assert {len(part) for part in batches} == {parts[0].num_batches}
    visits = sorted(number for part in batches for batch in part for number in batch)
    assert visits == list(range(COUNT))


def test_processors():
    noise = {"twice": Graph(input_layers=["twice"], layers=[{"GaussianNoise": {"stddev": 1.0}}])}
    pipeline = TFDatasetPipeline(
        examples(), batch_size=4, num_epochs=2, feature_processors=noise, seed=2
    )
    assert len(set(check_resumes(pipeline))) == 12
    evaluated = batches_of(
        TFDatasetPipeline(examples(), batch_size=4, feature_processors=noise, mode="eval")
    )
    np.testing.assert_array_equal(
        evaluated[1][0]["twice"], np.repeat([[4.0], [5], [6], [7]], 2, axis=1)
    )


def test_labels_by_name():
    dataset = examples("ragged").map(lambda row: {**row, "label": row["number"] % 2})
    pipeline = TFDatasetPipeline(dataset, "label", batch_size=5, dynamic_pad=True, mode="eval")
    features, labels = batches_of(pipeline)[0]
    assert list(features) == ["number", "row"]
    assert labels["label"].tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    "dataset, labels, message",
    [
        (examples().repeat(), None, "data set is infinite"),
        (examples().take(0), None, "no examples"),
        (examples(), ["label"], "yields a mapping"),
        (examples("ragged"), ["nubmer"], "has no feature nubmer; did you mean number"),
        (tf.data.Dataset.zip((examples("alone"),) * 3), None, "yields a tuple of 3"),
        (
            examples("alone").map(lambda n: {"a": {"b": n}}),
            None,
            "each feature is a tensor; a of this data set is not",
        ),
    ],
)
def test_data_sets_that_do_not_fit(dataset, labels, message):
    with pytest.raises(DataError, match=message):
        TFDatasetPipeline(dataset, labels)


def test_a_data_set_that_is_batched_already_needs_no_adapter():
    pipeline = as_pipeline(lambda: examples().batch(4), "train", 1)
    check_resumes(pipeline)


@pytest.fixture(scope="module")
def tfds_dir(tmp_path_factory):
    """A data set that TensorFlow Datasets has prepared."""
    tfds = pytest.importorskip(
        "tensorflow_datasets", reason="tensorflow-datasets is the extra `tfds`"
    )
    folder = tmp_path_factory.mktemp("tfds")
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(4, 4, 1)),
            "label": tfds.features.ClassLabel(num_classes=9),
        }
    )

    def rows(count):
        numbers = tf.data.Dataset.range(count)
        return numbers.map(
            lambda n: {"image": tf.fill((4, 4, 1), tf.cast(n, tf.uint8)), "label": n % 9}
        )

    tfds.dataset_builders.store_as_tfds_dataset(
        name="tiny",
        version="1.0.0",
        features=features,
        split_datasets={"train": rows(COUNT), "test": rows(5)},
        data_dir=folder,
    )
    return folder


def test_tensorflow_datasets(tfds_dir):
    def make(**order):
        return TFDSPipeline("tiny", "label", data_dir=str(tfds_dir), **order)

    first = np.concatenate(
        [features["image"][:, 0, 0, 0] for features, _ in batches_of(make(mode="eval"))]
    )
    assert sorted(first.tolist()) == list(range(COUNT))
    check_pipeline(make, lambda batch: batch[0]["image"][:, 0, 0, 0], first)
    for features, labels in batches_of(make(num_epochs=1)):
        np.testing.assert_array_equal(labels["label"], features["image"][:, 0, 0, 0] % 9)
    assert (
        TFDSPipeline("tiny", "label", "test", str(tfds_dir), batch_size=2, mode="eval").num_batches
        == 3
    )


@pytest.mark.parametrize("name, split", [("tinny", "train"), ("tiny", "validation")])
def test_tensorflow_datasets_that_are_not_there(tfds_dir, name, split):
    with pytest.raises(
        DataError, match=rf"{name} \({split}\) cannot be read by tensorflow-datasets"
    ):
        TFDSPipeline(name, split=split, data_dir=str(tfds_dir))
