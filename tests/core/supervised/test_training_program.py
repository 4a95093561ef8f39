"""The training program against hand-written loops: the same weights bit for bit, no retracing, metrics as scikit-learn counts them."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from attrs import evolve
from tests.core.small_estimators import Recorder, classify, feed, make_estimator

import plx_core as plx
from plx_core.engine.gradients import clip_gradients
from plx_core.engine.pacing import BlockSize, Clock
from plx_core.errors import ComponentError
from plx_core.runs.checkpoints import load

PLAIN = {"layers": [{"Dense": {"units": 8, "activation": "relu"}}, {"Dense": {"units": 2}}]}


def by_hand(data, steps, seed, optimizer):
    """The same training as a person would write it with Keras and TensorFlow."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    network = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(features, labels):
        with tf.GradientTape() as tape:
            loss = loss_fn(labels, network(features, training=True))
        optimizer.apply(
            tape.gradient(loss, network.trainable_variables), network.trainable_variables
        )
        return loss

    losses = [
        float(step(features["x"], labels))
        for features, labels in feed(data)().dataset().take(steps)
    ]
    return [variable.numpy() for variable in network.variables], losses


@pytest.mark.parametrize("name", ["Adam", "SGD", "RMSprop"])
def test_steps_equal_hand_written_ones_bit_for_bit(tmp_path, blobs, name):
    expected, losses = by_hand(blobs, 23, seed=5, optimizer=getattr(keras.optimizers, name)(0.01))
    recorder = Recorder()
    estimator = make_estimator(
        tmp_path,
        classify(PLAIN, optimizer={name: {"learning_rate": 0.01}}),
        log_step_count_steps=10,
    )
    estimator.train(feed(blobs), max_steps=23, callbacks=[recorder])
    found = load(estimator.latest_checkpoint())["program"]["variables"]
    assert list(found) == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    for value, variable in zip(found.values(), expected, strict=True):
        np.testing.assert_array_equal(value, variable)
    means = [np.mean(losses[start:stop]) for start, stop in ((0, 10), (10, 20), (20, 23))]
    assert [recorder.logged[step]["loss"] for step in (10, 20, 23)] == pytest.approx(
        means, rel=1e-6
    )


def test_nothing_is_traced_twice(tmp_path, blobs):
    estimator = make_estimator(
        tmp_path,
        classify(summaries="all"),
        trackers=[],
        save_checkpoints_steps=7,
        log_step_count_steps=5,
        save_summary_steps=3,
    )
    input_fn, held_out = feed(blobs), feed(blobs, batch_size=20, num_epochs=1, shuffle=False)
    for goal in (10, 37, 60):
        estimator.train(input_fn, max_steps=goal)
        estimator.evaluate(held_out)
        list(estimator.predict(held_out))
    program = estimator._running.program
    counts = [
        function.experimental_get_tracing_count()
        for function in (program._run, program._summarise, program._read)
    ]
    assert counts == [1, 1, 2]  # metrics are read with and without being reset
    evaluators = estimator._evaluators.values()
    assert [
        (one._run.experimental_get_tracing_count(), one._predict.experimental_get_tracing_count())
        for one in evaluators
    ] == [
        (1, 0),
        (0, 1),
    ]


def test_a_last_batch_that_is_short_is_no_reason_to_trace_again(tmp_path, blobs):
    estimator = make_estimator(tmp_path).train(feed(blobs, batch_size=20, num_epochs=3))
    assert estimator.global_step == 15  # 288 examples, 14 full batches and one of 8
    assert estimator._running.program._run.experimental_get_tracing_count() == 1


def test_metrics_of_training_are_those_since_they_were_last_logged(tmp_path, blobs):
    recorder = Recorder()
    estimator = make_estimator(
        tmp_path, classify(PLAIN, optimizer={"SGD": {"learning_rate": 0.0}}), log_step_count_steps=6
    )
    estimator.train(
        feed(blobs), max_steps=12, callbacks=[recorder]
    )  # weights that stand still, and an epoch between two logs
    whole = estimator.evaluate(feed(blobs, num_epochs=1, shuffle=False))
    for step in (6, 12):
        assert recorder.logged[step]["accuracy"] == pytest.approx(whole["accuracy"])
        assert recorder.logged[step]["loss"] == pytest.approx(whole["loss"], rel=1e-5)


def test_penalties_of_regularizers_are_part_of_the_loss(tmp_path, blobs):
    graph = {"layers": [{"Dense": {"units": 2, "kernel_regularizer": keras.regularizers.L2(0.5)}}]}
    estimator = make_estimator(tmp_path / "with", classify(graph)).train(feed(blobs), max_steps=2)
    found = estimator.evaluate(feed(blobs, num_epochs=1))["loss"]
    logits = np.stack(
        [row["logits"] for row in estimator.predict(feed(blobs, num_epochs=1, shuffle=False))]
    ).astype(float)
    plain = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(96), blobs[1]])
    assert found == pytest.approx(
        plain + 0.5 * np.sum(estimator.get_variable_value("dense/kernel") ** 2), rel=1e-4
    )


def test_embeddings_are_clipped_by_their_own_norm(tmp_path):
    embedding, dense = tf.Variable(tf.ones([5, 2])), tf.Variable(tf.ones([2]))

    class Weight:
        def __init__(self, path):
            self.path = path

    weights = [Weight("word_embedding/embeddings"), Weight("dense/kernel")]
    with tf.GradientTape() as tape:
        loss = 30 * tf.reduce_sum(tf.gather(embedding, [1, 3])) + 40 * tf.reduce_sum(dense)
    gradients = tape.gradient(loss, [embedding, dense])
    clipped = clip_gradients(gradients, weights, None, 1.5)
    assert isinstance(clipped[0], tf.IndexedSlices)
    assert float(tf.linalg.global_norm([clipped[0].values])) == pytest.approx(1.5)
    assert clipped[1] is gradients[1]
    both = clip_gradients(gradients, weights, 2.0, None)
    assert float(tf.linalg.global_norm(both)) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "option", [{"xla": True}, {"mixed_precision": "mixed_bfloat16"}, {"steps_per_call": 3}]
)
def test_ways_to_execute_train_alike(tmp_path, blobs, option):
    from attrs import evolve

    estimator = make_estimator(tmp_path, classify(PLAIN))
    estimator.config = evolve(estimator.config, **option)
    try:
        metrics = estimator.train(feed(blobs), max_steps=60).evaluate(feed(blobs, num_epochs=1))
    finally:
        keras.config.set_dtype_policy("float32")
    assert metrics["accuracy"] > 0.8
    if "mixed_precision" in option:
        assert estimator.training_model.layers[1].compute_dtype == "bfloat16"
        assert estimator.get_variable_value("dense/kernel").dtype == np.float32


def test_blocks_end_at_each_period_and_grow_while_they_are_quick():
    block = BlockSize()
    assert block.next(0, 100, [7, None, 5]) == 5
    assert block.next(5, 100, [7, 5]) == 2
    assert block.next(98, 99, [7]) == 1
    assert block.next(0, None, []) == 8
    for _ in range(3):
        block.took(block.next(0, None, []), 0.01)
    assert block.next(0, None, []) == 64
    block.took(64, 2.0)
    assert block.next(0, None, []) == 16
    assert BlockSize(3).next(0, None, [10]) == 3


def test_a_clock_is_due_when_its_period_has_passed(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("plx_core.engine.pacing.time.monotonic", lambda: now[0])
    clock, never = Clock(10.0), Clock(None)
    due = []
    for now[0] in (100.0, 105.0, 110.0, 119.0, 125.0, 130.0):
        due.append(clock.is_due())
        assert not never.is_due()
    assert due == [False, False, True, False, True, False]


def test_a_specification_without_a_loss_cannot_be_trained(tmp_path, blobs):
    def model_fn(features, labels, mode):
        return plx.EstimatorSpec(
            mode=mode, network=keras.Model(features, keras.layers.Dense(1)(features["x"]))
        )

    with pytest.raises(plx.errors.ComponentError, match=r"a loss and an optimizer"):
        make_estimator(tmp_path, model_fn).train(feed(blobs), steps=1)


@pytest.mark.parametrize("batches", [3, 5, 8, 9])
def test_the_last_steps_are_logged_when_the_data_ends_without_a_warning(tmp_path, blobs, batches):
    x, y = (part[: 4 * batches] for part in blobs)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4).filter(lambda features, labels: True)
    recorder = Recorder()
    make_estimator(tmp_path, log_step_count_steps=5).train(lambda: data, callbacks=[recorder])
    assert recorder.at("log") == sorted({*range(5, batches + 1, 5), batches})
    assert recorder.at("save") == [batches]


def test_a_metric_that_cannot_take_the_outputs_is_named_before_training(tmp_path, blobs):
    def model_fn(features, labels, mode):
        spec = classify(metrics=["R2Score"])(features, labels, mode)
        return evolve(
            spec,
            update_metrics=lambda features, labels, outputs: spec.metrics["r2_score"].update_state(
                labels, outputs[:, None]
            ),
        )

    with pytest.raises(ComponentError, match=r"a metric cannot take outputs of shape \(None, 2\)"):
        make_estimator(tmp_path, model_fn).train(feed(blobs), steps=1)
