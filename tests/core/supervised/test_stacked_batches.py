"""Training compiled with XLA: many steps are one loop, and yet it stops, resumes, ends and fails where it is told."""

import numpy as np
import pytest
import tensorflow as tf
from attrs import evolve
from tests.core.small_estimators import GRAPH, Recorder, classify, feed, fingerprint, make_estimator

import plx_core as plx
from plx_core.errors import NonFiniteLoss
from plx_core.supervised.stacked_batches import MOST_STEPS, StackedBatches, have_one_shape

WIDE = {"layers": [{"BatchNormalization": {}}, *GRAPH["layers"]]}


def compiled(path, model_fn=None, **run):
    estimator = make_estimator(path, model_fn or classify(WIDE), **run)
    estimator.config = evolve(estimator.config, xla=True)
    return estimator


def test_a_resumed_run_is_the_uninterrupted_one_wherever_it_stopped(tmp_path, blobs):
    """StackedBatches begin at other batches then; random layers and moving means go on."""
    whole = compiled(tmp_path / "whole").train(feed(blobs), max_steps=150)
    for goal in (3, 70, 71, 150):
        again = compiled(
            tmp_path / "parts", save_checkpoints_steps=29, log_step_count_steps=10
        ).train(feed(blobs), max_steps=goal)
    assert evolved(again) == evolved(whole)


def evolved(estimator):
    """What training leaves: the metrics are reset by each line of the log."""
    return {
        name: estimator.get_variable_value(name).tobytes()
        for name in estimator.get_variable_names()
    }, fingerprint(estimator)[:2]


def test_it_learns_what_ordinary_steps_learn(tmp_path, blobs):
    plain = {"layers": [{"Dense": {"units": 8, "activation": "relu"}}, {"Dense": {"units": 2}}]}
    ordinary = make_estimator(tmp_path / "ordinary", classify(plain)).train(
        feed(blobs), max_steps=100
    )
    quick = compiled(tmp_path / "compiled", classify(plain)).train(feed(blobs), max_steps=100)
    for name in ordinary.get_variable_names():
        np.testing.assert_allclose(
            quick.get_variable_value(name), ordinary.get_variable_value(name), rtol=1e-3, atol=1e-4
        )
    assert quick._running.program._run_compiled.experimental_get_tracing_count() == 1
    assert quick._running.program._run.experimental_get_tracing_count() == 0


def test_periods_and_summaries_need_no_other_program(tmp_path, blobs):
    recorder = Recorder(every_n_steps=4)
    estimator = compiled(
        tmp_path, classify(summaries="all"), log_step_count_steps=7, save_summary_steps=5
    )
    estimator.train(feed(blobs), max_steps=90, callbacks=[recorder])
    assert recorder.at("log") == [*range(7, 90, 7), 90]
    assert recorder.at("steps") == [*range(4, 90, 4)]
    program = estimator._running.program
    assert [
        each.experimental_get_tracing_count()
        for each in (program._run_compiled, program._summarise)
    ] == [1, 1]


def test_the_first_bad_step_is_found_within_a_chunk(tmp_path, blobs):
    x, y = (np.tile(part, (10, 1) if part.ndim > 1 else 10) for part in blobs)
    x[16 * 37 + 3] = np.nan
    estimator = compiled(tmp_path, log_step_count_steps=10)
    with pytest.raises(NonFiniteLoss, match=r"at step 38 \(batch 37 "):
        estimator.train(feed((x, y), shuffle=False), max_steps=60)


@pytest.mark.parametrize(
    ("options", "even", "steps"),
    [
        ({"batch_size": 20, "drop_remainder": True}, True, 14),
        ({}, True, 18),
        ({"batch_size": 20}, False, 15),
    ],
)
def test_the_data_ends_with_its_last_batch(tmp_path, blobs, options, even, steps):
    """96 examples, three epochs: 18 batches of 16, or 14 of 20 and one of 8."""
    x, y = blobs
    pipeline = plx.inputs.ArrayPipeline(
        {"x": x}, y, **{"batch_size": 16, "num_epochs": 3, "seed": 1, **options}
    )
    assert have_one_shape(pipeline.dataset()) is even
    estimator = compiled(tmp_path).train(lambda: pipeline, max_steps=100)
    assert estimator.global_step == steps


def test_chunks_are_the_batches_in_order():
    dataset = (
        tf.data.Dataset.range(2 * 150)
        .batch(2, drop_remainder=True)
        .map(lambda row: ({"x": row}, row[0]))
    )
    chunks, seen = StackedBatches(dataset), []
    for wanted in (1, 5, 200, 3, 1, 64):
        (features, _), first, count = chunks.take(wanted)
        assert 1 <= count <= min(wanted, MOST_STEPS)
        seen += features["x"].numpy()[first : first + count].tolist()
    assert int(chunks.get_next()[1]) == len(seen) * 2
    assert seen == [[2 * number, 2 * number + 1] for number in range(len(seen))]


def test_chunks_end():
    chunks = StackedBatches(tf.data.Dataset.range(3))
    assert [int(chunks.get_next()) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(tf.errors.OutOfRangeError):
        chunks.take(1)


def test_only_numbers_of_one_shape_make_chunks():
    numbers = tf.data.Dataset.range(5)
    assert have_one_shape(numbers.batch(2, drop_remainder=True))
    assert not have_one_shape(numbers.batch(2))
    assert not have_one_shape(tf.data.Dataset.from_tensor_slices(["a"]))
