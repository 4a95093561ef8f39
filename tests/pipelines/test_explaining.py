"""A failed run searches the data for the cause only if reading failed."""

from pathlib import Path

import pytest
import tensorflow as tf

from plx_core.data.input_fn import explained
from plx_core.errors import CorruptData
from plx_pipelines.pipelines.images import TFRecordImagePipeline
from plx_pipelines.pipelines.tf_datasets import TFDatasetPipeline


class Watched(TFDatasetPipeline):
    """Counts the calls of `failure`."""

    asked = 0

    def failure(self):
        self.asked += 1
        return CorruptData("the third row is torn")


@pytest.mark.parametrize("traced", [False, True])
def test_an_error_of_the_model_is_not_looked_for_in_the_data(traced):
    pipeline = Watched(tf.data.Dataset.range(4), batch_size=2, mode="eval")
    batches = iter(pipeline.dataset())

    def step():
        features, _ = next(batches)
        tf.debugging.assert_less(features["features"], tf.constant(1, tf.int64))
        return features

    with pytest.raises(tf.errors.InvalidArgumentError), explained(pipeline):
        (tf.function(step) if traced else step)()
    assert pipeline.asked == 0


@pytest.mark.parametrize("traced", [False, True])
def test_an_error_of_the_data_is(traced):
    torn = tf.data.Dataset.range(4).map(
        lambda number: tf.debugging.check_numerics(1.0 / tf.cast(2 - number, tf.float32), "torn")
    )
    pipeline = Watched(torn, batch_size=2, mode="eval")
    batches = iter(pipeline.dataset())
    step = tf.function(lambda: next(batches)) if traced else lambda: next(batches)
    with pytest.raises(CorruptData, match="third row"), explained(pipeline):
        step()
        step()
    assert pipeline.asked == 1


@pytest.mark.parametrize("cache", [True, False])
def test_a_corrupt_record_on_the_disk(images, tmp_path, cache):
    parameters, *_ = images("png")
    content = bytearray(Path(parameters["data_files"].replace("*", "0")).read_bytes())
    content[-6] ^= 1
    (tmp_path / "x").write_bytes(content)
    pipeline = TFRecordImagePipeline(
        str(tmp_path / "x"), parameters["meta_data_file"], cache=cache, mode="eval"
    )

    @tf.function
    def total(batches):
        return tf.reduce_sum(tf.cast(next(batches)[0]["image"], tf.float32))

    with (
        pytest.raises(
            CorruptData, match=r"x: record 8 at byte \d+: the data does not match its checksum"
        ),
        explained(pipeline),
    ):
        total(iter(pipeline.dataset()))
