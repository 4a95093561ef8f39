"""The estimator: model functions, steps, evaluation, prediction, export, names, and periods that are never late."""

import importlib.util
import json
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf
from tests.core.small_estimators import (
    ListTracker,
    Recorder,
    classify,
    endless_nan_after,
    feed,
    fingerprint,
    make_estimator,
)

import plx_core as plx
from plx_core.config.sections import EnvironmentConfig, RunConfig
from plx_core.data.arrays import numpy_input_fn
from plx_core.errors import CheckpointError, ComponentError, ConfigError, DataError, NonFiniteLoss
from plx_core.runs.checkpoints import Checkpoints, load


@pytest.fixture(scope="module")
def trained(tmp_path_factory, blobs):
    """An estimator after 60 steps."""
    estimator = make_estimator(tmp_path_factory.mktemp("trained") / "run")
    return estimator.train(feed(blobs), max_steps=60)


def test_a_model_fn_has_any_of_four_signatures(tmp_path, blobs):
    received = {}

    def features_labels(features, labels):
        received["2"] = (sorted(features), labels.shape[0])
        return classify()(features, labels, "train")

    def with_mode(features, labels, mode):
        received["3"] = mode
        return classify()(features, labels, mode)

    def with_params(features, labels, mode, params):
        received["4"] = params
        return classify()(features, labels, mode)

    def with_config(features, labels, mode, params, config):
        received["5"] = config
        return classify()(features, labels, mode)

    prints = set()
    for index, model_fn in enumerate((features_labels, with_mode, with_params, with_config)):
        config = RunConfig(save_checkpoints_steps=3, seed=5)
        params = {"units": 3} if index >= 2 else None  # refused where they are not taken
        estimator = plx.Estimator(model_fn, tmp_path / str(index), config, params, trackers=[])
        estimator.train(feed(blobs), steps=2)
        prints.add(fingerprint(estimator))
    assert received["2"] == (["x"], None)
    assert received["3"] == "train"
    assert received["4"] == {"units": 3}
    assert received["5"] == RunConfig(save_checkpoints_steps=3, seed=5)
    assert len(prints) == 1


def test_a_model_fn_without_features_is_refused_with_what_it_takes(tmp_path):
    with pytest.raises(ComponentError, match="x, y"):
        plx.Estimator(lambda x, y: None, tmp_path)


def test_a_model_fn_that_returns_something_else_is_refused(tmp_path, blobs):
    with pytest.raises(ComponentError, match=r"EstimatorSpec.*returned int"):
        plx.Estimator(lambda features, labels: 3, tmp_path).train(feed(blobs), steps=1)


def test_steps_are_more_steps_and_max_steps_is_where_to_stop(tmp_path, blobs):
    estimator = make_estimator(tmp_path)
    input_fn = feed(blobs)
    assert estimator.train(input_fn, steps=3).global_step == 3
    assert estimator.train(input_fn, steps=4).global_step == 7
    assert estimator.train(input_fn, max_steps=7).global_step == 7
    assert estimator.train(input_fn, max_steps=9).global_step == 9
    again = make_estimator(tmp_path)
    assert again.train(feed(blobs), max_steps=5).global_step == 9
    assert again.train(feed(blobs), steps=1).global_step == 10
    with pytest.raises(ComponentError, match="give either steps"):
        estimator.train(input_fn, steps=1, max_steps=20)


def test_training_ends_with_the_data(tmp_path, blobs, caplog):
    estimator = make_estimator(tmp_path)
    once = feed(blobs, batch_size=20, num_epochs=1)
    assert estimator.train(once).global_step == 5  # 96 examples: four full batches and one of 16
    assert estimator.train(once, steps=10).global_step == 5
    assert "used up at step 5" in caplog.text
    assert make_estimator(tmp_path).train(once, max_steps=10).global_step == 5


@pytest.mark.parametrize("known", [True, False])
def test_a_data_set_of_tensorflow_serves_too(tmp_path, blobs, known):
    x, y = blobs
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    if not known:
        data = data.filter(lambda features, labels: True)  # whose length nobody knows
    estimator = make_estimator(tmp_path).train(lambda: data)
    assert estimator.global_step == 6
    metrics = estimator.evaluate(lambda: data)
    assert len(list(estimator.predict(lambda: data))) == 96
    assert metrics["accuracy"] == pytest.approx(
        estimator.evaluate(lambda: data.unbatch().batch(96))["accuracy"]
    )


def test_a_data_set_of_triples_and_other_things_are_refused(tmp_path, blobs):
    x, y = blobs
    estimator = make_estimator(tmp_path)
    with pytest.raises(DataError, match="yields a tuple of 3"):
        estimator.train(lambda: tf.data.Dataset.from_tensor_slices((x, y, y)).batch(4), steps=1)
    with pytest.raises(DataError, match="not ndarray"):
        estimator.train(lambda: x, steps=1)


def test_evaluation_is_the_mean_over_examples_whatever_the_batches(trained, blobs):
    y = blobs[1]
    whole = trained.evaluate(feed(blobs, batch_size=96, num_epochs=1, shuffle=False))
    parts = trained.evaluate(feed(blobs, batch_size=7, num_epochs=1, shuffle=False))
    logits = np.stack(
        [row["logits"] for row in trained.predict(feed(blobs, num_epochs=1, shuffle=False))]
    ).astype(float)
    log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert whole["loss"] == pytest.approx(-log_probabilities[np.arange(96), y].mean(), rel=1e-5)
    assert whole["accuracy"] == pytest.approx((logits.argmax(1) == y).mean())
    assert parts == pytest.approx(whole, rel=1e-5)
    assert whole["global_step"] == 60 and whole["accuracy"] > 0.8


def test_evaluation_of_some_batches_of_an_older_checkpoint(tmp_path, blobs):
    estimator = make_estimator(tmp_path, save_checkpoints_steps=5)
    estimator.train(feed(blobs), max_steps=10)
    older = estimator.checkpoints.paths()[0]
    found = estimator.evaluate(
        feed(blobs, shuffle=False), steps=2, checkpoint_path=older, name="old"
    )
    assert found["global_step"] == 5
    line = estimator.run_directory.read_metrics()[-1]
    assert (line["step"], line["split"]) == (5, "eval_old")
    first = blobs[0][:32], blobs[1][:32]
    assert found["loss"] == pytest.approx(
        estimator.evaluate(feed(first, num_epochs=1, shuffle=False), checkpoint_path=older)["loss"]
    )


def test_evaluation_without_end_without_data_and_without_checkpoint(trained, tmp_path, blobs):
    with pytest.raises(ComponentError, match="never ends"):
        trained.evaluate(feed(blobs))
    with pytest.raises(DataError, match="no batch"):
        trained.evaluate(
            lambda: tf.data.Dataset.from_tensor_slices(({"x": blobs[0][:0]}, blobs[1][:0])).batch(4)
        )
    with pytest.raises(CheckpointError, match="train first"):
        make_estimator(tmp_path).evaluate(feed(blobs, num_epochs=1))
    with pytest.raises(CheckpointError, match=r"is not a checkpoint|cannot be read"):
        trained.evaluate(feed(blobs, num_epochs=1), checkpoint_path=tmp_path)


def test_predictions_come_one_by_one_with_the_keys_asked_for(trained, blobs):
    rows = trained.predict(
        feed(blobs, num_epochs=1, shuffle=False), predict_keys=["probabilities", "classes"]
    )
    first = next(rows)
    assert list(first) == ["probabilities", "classes"]
    assert first["probabilities"].shape == (2,) and first["classes"].shape == ()
    everything = [first, *rows]
    assert len(everything) == 96
    assert all(row["probabilities"].argmax() == row["classes"] for row in everything)
    with pytest.raises(
        ComponentError, match="called odds; there are logits, probabilities, classes"
    ):
        next(trained.predict(feed(blobs, num_epochs=1), predict_keys=["odds"]))


def test_predictions_need_no_labels_and_dropout_is_off(trained, blobs):
    unlabelled = numpy_input_fn({"x": blobs[0]}, num_epochs=1, shuffle=False)
    one, other = (
        np.stack([row["logits"] for row in trained.predict(unlabelled)]) for _ in range(2)
    )
    np.testing.assert_array_equal(one, other)


def test_a_saved_model_gives_what_predict_gives(trained, tmp_path, blobs):
    path = trained.export(tmp_path / "model", feed(blobs))
    loaded = tf.saved_model.load(str(path))
    served = loaded.serve({"x": blobs[0]})
    predicted = list(trained.predict(feed(blobs, num_epochs=1, shuffle=False)))
    for name in ("logits", "probabilities", "classes"):
        np.testing.assert_allclose(
            served[name].numpy(), np.stack([row[name] for row in predicted]), rtol=1e-6
        )
    with pytest.raises(ComponentError, match="exists; an export"):
        trained.export(tmp_path / "model", feed(blobs))


def test_an_export_takes_features_as_they_lie_in_the_data(tmp_path, blobs):
    from plx_core.data.arrays import ArrayPipeline

    x, y = (blobs[0] * 100).astype("int32"), blobs[1]
    processors = {"x": {"input_layers": ["x"], "layers": [{"Rescaling": {"scale": 0.01}}]}}

    def input_fn(mode, seed):
        return ArrayPipeline(
            {"x": x},
            y,
            num_epochs=1,
            shuffle=False,
            feature_processors=processors,
            mode=mode,
            seed=seed,
        )

    estimator = make_estimator(tmp_path / "run").train(input_fn)
    loaded = tf.saved_model.load(str(estimator.export(tmp_path / "model", input_fn)))
    served = loaded.serve({"x": tf.constant(x)})
    predicted = np.stack([row["logits"] for row in estimator.predict(input_fn)])
    np.testing.assert_allclose(served["logits"].numpy(), predicted, rtol=1e-5)


def test_the_keras_format_is_loaded_by_keras(trained, tmp_path, blobs):
    path = trained.export(tmp_path / "model", feed(blobs), format="keras")
    logits = keras.models.load_model(path / "model.keras")({"x": blobs[0]}, training=False)
    predicted = np.stack(
        [row["logits"] for row in trained.predict(feed(blobs, num_epochs=1, shuffle=False))]
    )
    np.testing.assert_allclose(logits, predicted, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_an_export_to_onnx_works_or_names_the_package_that_it_needs(trained, tmp_path, blobs):
    if importlib.util.find_spec("onnx") and importlib.util.find_spec("tf2onnx"):
        path = trained.export(tmp_path / "model", feed(blobs), format="onnx")
        assert (path / "model.onnx").stat().st_size > 0
    else:
        with pytest.raises(ComponentError, match="as onnx: .*(No module named|requires)"):
            trained.export(tmp_path / "model", feed(blobs), format="onnx")
        assert not (tmp_path / "model").exists()


def test_variable_names_and_values(trained):
    assert trained.get_variable_names() == [
        "dense/kernel",
        "dense/bias",
        "seed_generator/seed_generator_state",
        "dense_1/kernel",
        "dense_1/bias",
    ]
    kernel = trained.get_variable_value("dense/kernel")
    np.testing.assert_array_equal(kernel, trained.training_model.trainable_variables[0].numpy())
    with pytest.raises(ComponentError, match="dense/kernle; there are dense/kernel"):
        trained.get_variable_value("dense/kernle")


def keras_graph_fn(mode, features):
    hidden = keras.layers.Dense(4)(features["x"])
    hidden = keras.layers.Dropout(0.1)(hidden)
    return keras.layers.Dense(2, name="logits")(
        keras.layers.concatenate([hidden, keras.layers.Dense(3)(features["x"])])
    )


def test_names_and_weights_do_not_depend_on_what_else_the_process_built(tmp_path, blobs):
    def model_fn(features, labels, mode):
        return plx.models.Regressor(mode, graph_fn=keras_graph_fn)(features, labels)

    data = blobs[0], np.stack([blobs[1], blobs[1]], 1).astype("float32")
    one = make_estimator(tmp_path / "one", model_fn).train(feed(data), max_steps=3)
    for _ in range(3):
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dropout(0.5)])
    np.random.default_rng().normal()
    other = make_estimator(tmp_path / "other", model_fn).train(feed(data), max_steps=3)
    assert {name.split("/")[0] for name in one.get_variable_names()} == {
        "dense",
        "dense_1",
        "seed_generator",
        "logits",
    }
    assert one.get_variable_value("dense/kernel").shape == (4, 4), (
        "the layer made first has the first name"
    )
    assert fingerprint(one) == fingerprint(other)


def test_another_seed_gives_other_weights(tmp_path, blobs):
    one, other = (
        make_estimator(tmp_path / str(seed), seed=seed).train(feed(blobs), max_steps=1)
        for seed in (1, 2)
    )
    assert fingerprint(one) != fingerprint(other)


def test_the_seed_of_a_run_config_counts_where_the_environment_has_none(tmp_path):
    config = EnvironmentConfig(run_config=RunConfig(seed=3))
    assert plx.Estimator(classify(), tmp_path, config).config.seed == 3
    assert plx.Estimator(classify(), tmp_path, RunConfig(seed=4)).config.seed == 4
    assert (
        plx.Estimator(
            classify(), tmp_path, EnvironmentConfig(seed=9, run_config=RunConfig(seed=3))
        ).config.seed
        == 9
    )


@pytest.mark.parametrize("summaries", ["loss", "all"])
def test_nothing_is_late(tmp_path, blobs, summaries):
    tracker, recorder = ListTracker(), Recorder(every_n_steps=4)
    estimator = make_estimator(
        tmp_path,
        classify(summaries=summaries),
        trackers=[tracker],
        save_checkpoints_steps=7,
        log_step_count_steps=5,
        save_summary_steps=3,
        keep_checkpoint_max=None,
    )
    estimator.train(feed(blobs), max_steps=31, callbacks=[recorder])
    assert recorder.at("log") == [5, 10, 15, 20, 25, 30, 31]
    assert recorder.at("save") == [7, 14, 21, 28, 31]
    assert recorder.at("steps") == [4, 8, 12, 16, 20, 24, 28]
    assert [step for step, _, _ in tracker.rows] == list(range(3, 31, 3))
    lines = estimator.run_directory.read_metrics()
    assert [line["step"] for line in lines] == recorder.at("log")
    assert all(
        set(line["metrics"]) == {"loss", "accuracy", "learning_rate"}
        and line["steps_per_second"] > 0
        for line in lines
    )
    assert [int(path.name) for path in estimator.checkpoints.paths()] == [7, 14, 21, 28, 31]


def test_a_period_of_seconds_saves_by_the_clock(tmp_path, blobs):
    recorder = Recorder(every_n_steps=1)
    estimator = plx.Estimator(
        classify(),
        tmp_path,
        RunConfig(save_checkpoints_secs=1e-6, log_step_count_steps=None),
        trackers=[],
    )
    estimator.train(feed(blobs), max_steps=5, callbacks=[recorder])
    assert recorder.at("save") == [1, 2, 3, 4, 5]


def test_what_is_summarised_changes_nothing_that_is_learnt(tmp_path, blobs):
    graph = {
        "layers": [
            {"Dense": {"units": 8}},
            {"BatchNormalization": {}},
            {"Dropout": {"rate": 0.5}},
            {"Dense": {"units": 2}},
        ]
    }
    states = []
    for index, summaries in enumerate(("loss", "all")):
        estimator = make_estimator(
            tmp_path / str(index),
            classify(graph, summaries=summaries),
            trackers=[ListTracker()],
            save_summary_steps=2,
        )
        states.append(
            load(estimator.train(feed(blobs), max_steps=8).latest_checkpoint())["program"]
        )
    for name, value in states[0]["variables"].items():
        np.testing.assert_allclose(
            states[1]["variables"][name], value, rtol=1e-5, atol=1e-6, err_msg=name
        )


def test_every_summary_reaches_tensorboard(tmp_path, blobs):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    estimator = make_estimator(
        tmp_path, classify(summaries="all"), trackers=None, save_summary_steps=4
    )
    estimator.train(feed(blobs), max_steps=8)
    events = EventAccumulator(str(tmp_path / "events" / "train"), size_guidance={"tensors": 0})
    events.Reload()
    tags = {*events.Tags()["tensors"], *events.Tags()["scalars"]}
    wanted = "loss learning_rate accuracy variables/dense/kernel activations/dense_1 gradients/dense/kernel gradients/global_norm"
    assert set(wanted.split()) <= tags
    loss = events.Scalars("loss") if "loss" in events.Tags()["scalars"] else events.Tensors("loss")
    assert [event.step for event in loss] == [4, 8]


def test_features_by_name_layers_by_name_and_several_inputs(tmp_path, blobs):
    x, y = blobs
    graph = {
        "input_layers": ["left"],
        "layers": [
            {"Dense": {"units": 3, "name": "one"}},
            {"Dense": {"units": 5, "name": "two", "inbound_nodes": ["right"]}},
            {"Concatenate": {"inbound_nodes": ["one", "two"]}},
            {"Dense": {"units": 2}},
        ],
    }
    estimator = make_estimator(tmp_path, classify(graph))
    estimator.train(
        numpy_input_fn({"right": x[:, :1], "left": x[:, 1:]}, y, 16, num_epochs=1, shuffle=True)
    )
    shapes = {
        name: estimator.get_variable_value(name).shape
        for name in estimator.get_variable_names()
        if name.endswith("kernel")
    }
    assert shapes == {"one/kernel": (3, 3), "two/kernel": (1, 5), "dense/kernel": (8, 2)}


def test_a_graph_with_several_outputs_and_a_loss_of_several_parts(tmp_path, blobs):
    from plx_core.networks.graph import build_network

    y = blobs[1]

    def model_fn(features, labels, mode):
        graph = plx.Graph(
            layers=[{"Dense": {"units": 3, "name": "a"}}, {"Dense": {"units": 1, "name": "b"}}],
            output_layers=["a", "b"],
        )
        network = keras.Model(features, graph(mode, features))

        def loss_fn(features, labels, outputs):
            return {
                "a": tf.reduce_mean(outputs["a"] ** 2),
                "b": tf.reduce_mean((outputs["b"][:, 0] - tf.cast(labels, tf.float32)) ** 2),
            }

        return plx.EstimatorSpec(
            mode=mode, network=network, loss_fn=loss_fn, optimizer=keras.optimizers.SGD(0.1)
        )

    spec = {"x": tf.TensorSpec([None, 4])}
    outputs = build_network(
        plx.Graph(
            layers=[{"Dense": {"units": 3, "name": "a"}}, {"Dense": {"units": 1, "name": "b"}}],
            output_layers=["a", "b"],
        ),
        spec,
        "train",
    ).output
    assert {name: tensor.shape for name, tensor in outputs.items()} == {
        "a": (None, 3),
        "b": (None, 1),
    }
    estimator = make_estimator(tmp_path, model_fn)
    before = estimator.train(feed(blobs), steps=1).evaluate(feed(blobs, num_epochs=1))["loss"]
    after = estimator.train(feed(blobs), steps=60).evaluate(feed(blobs, num_epochs=1))["loss"]
    assert after < before
    rows = list(estimator.predict(feed(blobs, num_epochs=1, shuffle=False)))
    a, b = (np.stack([row[name] for row in rows]) for name in "ab")
    assert after == pytest.approx(np.mean(a**2) + np.mean((b[:, 0] - y) ** 2), rel=1e-4)


def test_wrong_names_in_a_graph_are_named(tmp_path, blobs):
    for graph in (
        {"layers": [{"Dense": {"units": 2}}], "input_layers": ["y"]},
        {"layers": [{"Dense": {"units": 2, "inbound_nodes": ["y"]}}]},
    ):
        with pytest.raises(ConfigError, match=r"called y.*there are x"):
            make_estimator(tmp_path, classify(graph)).train(feed(blobs), steps=1)


def diverging(**params):
    return classify({"layers": [{"Dense": {"units": 2}}]}, **params)


def test_a_loss_that_is_not_finite_stops_before_the_next_checkpoint(tmp_path, blobs):
    x, y = blobs[0].copy(), blobs[1]
    x[16 * 4 + 3] = np.nan  # the fifth batch
    estimator = make_estimator(tmp_path, diverging(), save_checkpoints_steps=3)
    with pytest.raises(
        NonFiniteLoss, match=r"at step 5 \(batch 4 .*last good checkpoint is .*000000003"
    ) as raised:
        estimator.train(feed((x, y), shuffle=False), max_steps=20)
    assert raised.value.exit_code == 1
    assert estimator.global_step == 3
    assert all(
        np.isfinite(estimator.get_variable_value(name)).all()
        for name in estimator.get_variable_names()
    )
    with pytest.raises(NonFiniteLoss, match="at step 5"):
        estimator.train(feed((x, y), shuffle=False), max_steps=20)


@pytest.mark.parametrize("summaries", ["loss", "all"])
def test_the_step_is_named_where_a_summary_is_made_of_it(tmp_path, blobs, summaries):
    x, y = blobs[0].copy(), blobs[1]
    x[16 * 3] = np.inf
    estimator = make_estimator(
        tmp_path, diverging(summaries=summaries), trackers=[ListTracker()], save_summary_steps=4
    )
    with pytest.raises(NonFiniteLoss, match=r"at step 4 \(batch 3 .*no checkpoint yet"):
        estimator.train(feed((x, y), shuffle=False), max_steps=20)


def test_a_loss_that_is_not_finite_just_before_the_data_ends_is_noticed(tmp_path):
    with pytest.raises(NonFiniteLoss, match=r"at step 6 \(batch 5 "):
        make_estimator(tmp_path, diverging()).train(lambda: endless_nan_after(5))
    assert Checkpoints(tmp_path / "checkpoints").latest() is None


def test_weights_that_are_not_finite_are_not_saved(tmp_path, blobs):
    def model_fn(features, labels, mode):
        spec = classify()(features, labels, mode)
        # The square root has a finite value and an infinite derivative at 0.
        return plx.EstimatorSpec(
            mode=mode,
            network=spec.network,
            optimizer=spec.optimizer,
            loss_fn=lambda f, y, o: tf.reduce_sum(tf.sqrt(o * 0)),
        )

    estimator = make_estimator(tmp_path, model_fn, save_checkpoints_steps=1)
    with pytest.raises(
        NonFiniteLoss, match=r"dense.* is not finite at step 1, .*no checkpoint yet"
    ):
        estimator.train(feed(blobs), max_steps=3)
    assert estimator.latest_checkpoint() is None


def test_a_call_that_failed_leaves_nothing_behind(tmp_path, blobs):
    class Failing(plx.Callback):
        every_n_steps = 5

        def on_steps(self, run, step, metrics):
            raise RuntimeError("stop")

    input_fn = feed(blobs)
    estimator = make_estimator(tmp_path / "one", save_checkpoints_steps=2)
    with pytest.raises(RuntimeError):
        estimator.train(input_fn, max_steps=10, callbacks=[Failing()])
    estimator.train(input_fn, max_steps=10)
    whole = make_estimator(tmp_path / "two", save_checkpoints_steps=2).train(input_fn, max_steps=10)
    assert fingerprint(estimator) == fingerprint(whole)


def test_gradients_are_clipped_by_their_global_norm(tmp_path, blobs):
    def kernel_change(clip):
        model_fn = diverging(clip_gradients=clip, optimizer={"SGD": {"learning_rate": 1.0}})
        estimator = make_estimator(tmp_path / f"{clip}", model_fn, save_checkpoints_steps=1).train(
            feed((blobs[0] * 50, blobs[1])), max_steps=2
        )
        first, second = (
            load(path)["program"]["variables"] for path in estimator.checkpoints.paths()
        )
        return np.sqrt(sum(np.sum((second[name] - first[name]) ** 2) for name in first))

    assert kernel_change(0.25) == pytest.approx(0.25, rel=1e-3)
    assert kernel_change(None) > 1


def test_metrics_json_lines_are_plain(trained, blobs):
    trained.evaluate(feed(blobs, num_epochs=1))
    for text in trained.run_directory.metrics.read_text().splitlines():
        line = json.loads(text)
        assert line["split"].startswith(("train", "eval")) and isinstance(line["step"], int)


def test_a_checkpoint_of_another_network_says_what_differs(tmp_path, blobs):
    make_estimator(tmp_path).train(feed(blobs), max_steps=1)
    other = make_estimator(tmp_path, diverging())
    with pytest.raises(
        CheckpointError,
        match=r"dense/kernel has shape \(4, 8\) in the checkpoint and \(4, 2\).*dense_1/kernel \(8, 2\) is in the checkpoint only",
    ):
        other.train(feed(blobs), max_steps=2)


def test_an_older_checkpoint_is_used_where_the_newest_is_torn(tmp_path, blobs, caplog):
    estimator = make_estimator(tmp_path, save_checkpoints_steps=4).train(feed(blobs), max_steps=8)
    expected = fingerprint(estimator)
    newest = estimator.latest_checkpoint()
    (newest / "state.safetensors").write_bytes(b"torn")
    again = make_estimator(tmp_path, save_checkpoints_steps=4)
    with caplog.at_level(logging.WARNING):
        assert again.global_step == 4
    assert "not whole" in caplog.text
    assert fingerprint(again.train(feed(blobs), max_steps=8)) == expected


def test_the_learning_rate_is_set_and_kept_unless_it_follows_a_schedule(tmp_path, blobs):
    estimator = make_estimator(tmp_path / "fixed")
    with pytest.raises(ComponentError, match="has not begun"):
        estimator.learning_rate = 1.0
    estimator.train(feed(blobs), steps=1)
    estimator.learning_rate = 0.125
    assert estimator.learning_rate == 0.125
    estimator.save_checkpoint()
    again = make_estimator(tmp_path / "fixed").train(feed(blobs), steps=1)
    assert again.learning_rate == 0.125
    decaying = classify(
        optimizer={
            "Adam": {
                "learning_rate": {
                    "ExponentialDecay": {
                        "initial_learning_rate": 0.1,
                        "decay_rate": 0.5,
                        "decay_steps": 2,
                    }
                }
            }
        }
    )
    scheduled = make_estimator(tmp_path / "decaying", decaying).train(feed(blobs), max_steps=4)
    assert scheduled.learning_rate == pytest.approx(0.025)
    with pytest.raises(ComponentError, match="follows a schedule"):
        scheduled.learning_rate = 0.1
