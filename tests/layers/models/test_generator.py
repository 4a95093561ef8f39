"""Generators: the numbers of their losses, bridges, modes, targets, exact resume, and pictures."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn
from plx_core.errors import ComponentError, ConfigError
from plx_core.runs.checkpoints import load
from plx_layers.bridges.latent import normal_divergence
from plx_layers.callbacks import add_noise, tile, traversal

SHAPE = (4, 4, 1)
numbers = st.floats(-3, 3)


def autoencoder(mode="train", **params):
    """A generator of images of 4 × 4 pixels."""
    params = {
        "encoder": plx.Graph(layers=["Flatten", {"Dense": {"units": 8, "activation": "relu"}}]),
        "decoder": plx.Graph(
            layers=[{"Dense": {"units": 16}}, {"Reshape": {"target_shape": SHAPE}}]
        ),
        **params,
    }
    return plx.models.Generator(mode, **params)


def model_fn_of(**params):
    return lambda features, labels, mode: autoencoder(mode, **params)(features, labels)


def images(count=64, seed=0):
    return np.random.default_rng(seed).random((count, *SHAPE), np.float32)


def estimator_of(path, **params):
    run = plx.RunConfig(
        save_summary_steps=None, log_step_count_steps=None, save_checkpoints_steps=1000, seed=3
    )
    return plx.Estimator(model_fn_of(**params), path, run, trackers=())


def input_fn_of(x, **params):
    return numpy_input_fn(
        {"image": x}, **{"batch_size": 16, "num_epochs": None, "shuffle": True, "seed": 1, **params}
    )


def symbolic():
    return {"image": keras.Input(SHAPE, name="image")}


@pytest.mark.parametrize(
    ("mean", "log_variance", "expected"),
    [
        ([0.0, 0.0], [0.0, 0.0], 0.0),
        ([1.0, 2.0], [0.0, 0.0], 2.5),
        ([0.0], [math.log(4.0)], 0.5 * (4 - 1 - math.log(4.0))),
    ],
)
def test_divergence_from_the_prior_by_hand(mean, log_variance, expected):
    assert float(normal_divergence(np.array([mean]), np.array([log_variance]))[0]) == pytest.approx(
        expected
    )


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4))
def test_divergence_equals_a_naive_sum_and_is_never_negative(pairs):
    means, log_variances = (np.array([row]) for row in zip(*pairs, strict=True))
    naive = sum(
        0.5 * (mean**2 + math.exp(log_variance) - 1 - log_variance) for mean, log_variance in pairs
    )
    result = float(normal_divergence(means, log_variances)[0])
    assert result == pytest.approx(naive, abs=1e-5)
    assert result >= -1e-6


def test_the_divergence_is_the_mean_of_the_difference_of_log_densities():
    mean, deviation, count = 0.7, 0.5, 200_000
    draws = mean + deviation * np.random.default_rng(0).standard_normal(count)
    difference = -np.log(deviation) - 0.5 * ((draws - mean) / deviation) ** 2 + 0.5 * draws**2
    result = float(normal_divergence(np.array([[mean]]), np.array([[2 * math.log(deviation)]]))[0])
    assert result == pytest.approx(difference.mean(), abs=0.01)


def test_without_a_latent_bridge_the_loss_is_the_mean_over_pixels():
    spec = autoencoder()(symbolic())
    outputs = {"outputs": tf.fill([2, *SHAPE], 0.5), "latent": tf.zeros([2, 8])}
    features = {"image": tf.zeros([2, *SHAPE])}
    assert {
        name: float(value) for name, value in spec.loss_fn(features, None, outputs).items()
    } == {"reconstruction": 0.25}
    assert dict(spec.metrics) == {}


def test_with_a_latent_bridge_the_loss_is_the_lower_bound_of_an_example():
    spec = autoencoder(bridge={"LatentBridge": {"latent_dim": 2}}, loss="SigmoidCrossEntropy")(
        symbolic()
    )
    outputs = {
        "outputs": tf.zeros([2, *SHAPE]),
        "latent": tf.zeros([2, 2]),
        "kl_divergence": tf.constant([1.0, 3.0]),
    }
    loss = spec.loss_fn({"image": tf.ones([2, *SHAPE])}, None, outputs)
    assert {name: float(value) for name, value in loss.items()} == pytest.approx(
        {"reconstruction": 16 * math.log(2), "kl_divergence": 2.0}
    )
    spec.update_metrics({"image": tf.ones([2, *SHAPE])}, None, outputs)
    assert float(spec.metrics["kl_divergence"].result()) == pytest.approx(2.0)
    assert float(spec.metrics["reconstruction"].result()) == pytest.approx(16 * math.log(2))
    averaged = autoencoder(
        bridge={"LatentBridge": {"latent_dim": 2}},
        loss="SigmoidCrossEntropy",
        reconstruction="mean",
    )(symbolic())
    assert float(
        averaged.loss_fn({"image": tf.ones([2, *SHAPE])}, None, outputs)["reconstruction"]
    ) == pytest.approx(math.log(2))


def test_the_weight_of_the_divergence_multiplies_it():
    x = {"image": tf.constant(images(4))}
    outputs = []
    for weight in (1.0, 0.25):
        keras.utils.set_random_seed(0)
        outputs.append(
            autoencoder(bridge={"LatentBridge": {"latent_dim": 2, "kl_weight": weight}})(
                symbolic()
            ).network(x)
        )
    np.testing.assert_allclose(
        outputs[1]["kl_divergence"], 0.25 * outputs[0]["kl_divergence"], rtol=1e-5
    )


def test_draws_in_training_and_evaluation_and_the_mean_in_prediction():
    x = {"image": tf.constant(images(4))}
    for mode, is_random in (("train", True), ("eval", True), ("predict", False), ("encode", False)):
        network = autoencoder(mode, bridge={"LatentBridge": {"latent_dim": 2}})(symbolic()).network
        first, second = (network(x, training=mode == "train")["outputs"].numpy() for _ in range(2))
        assert np.array_equal(first, second) is not is_random


def test_noise_follows_its_mean_and_deviation():
    for mean, stddev in ((0.0, 1.0), (2.0, 0.5)):
        bridge = plx.bridges.LatentBridge("train", latent_dim=50, mean=mean, stddev=stddev, seed=1)
        zeros = [keras.initializers.Zeros()] * 2
        encoding = keras.Input((3,))
        crossing = bridge.cross(encoding)
        network = keras.Model(encoding, crossing.code)
        for weight in network.trainable_variables:
            weight.assign(zeros[0](weight.shape))
        draws = network(np.ones((200, 3), "float32")).numpy()
        assert draws.mean() == pytest.approx(mean, abs=0.05)
        assert draws.std() == pytest.approx(stddev, abs=0.03)


def test_variables_are_named_after_the_part_and_alike_in_every_mode():
    from plx_core.networks.variable_names import variables_by_name

    names = [
        list(
            variables_by_name(
                autoencoder(mode, bridge={"LatentBridge": {"latent_dim": 2}})(symbolic()).network
            )
        )
        for mode in ("train", "eval", "predict", "encode", "generate")
    ]
    assert all(other == names[0] for other in names)
    assert {
        "encoder_dense/kernel",
        "decoder_dense/kernel",
        "z_mean/kernel",
        "z_log_variance/bias",
    } < set(names[0])


def test_functions_take_the_tensor_and_polyaxons_bridge_function_its_six_arguments():
    def encoder_fn(mode, features):
        return plx.layers.Dense(units=3)(plx.layers.Flatten()(features))

    def decoder_fn(mode, features):
        return plx.layers.Reshape(target_shape=SHAPE)(plx.layers.Dense(units=16)(features))

    def bridge_fn(mode, features, labels, loss, encoder_fn, decoder_fn):
        return plx.bridges.LatentBridge(mode, latent_dim=2)(
            features, labels, loss, encoder_fn, decoder_fn
        )

    model = plx.models.Generator(
        "train",
        encoder_fn=encoder_fn,
        decoder_fn=decoder_fn,
        bridge_fn=bridge_fn,
        loss_config=plx.configs.MeanSquaredErrorConfig(),
        optimizer_config=plx.configs.AdamConfig(learning_rate=9e-5),
    )
    outputs = model(symbolic()).network({"image": images(3)})
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "outputs": (3, *SHAPE),
        "latent": (3, 2),
        "kl_divergence": (3,),
    }


def test_the_target_is_the_input_or_what_is_named():
    x, clean = tf.zeros([2, *SHAPE]), tf.ones([2, *SHAPE])
    features = {
        "image": keras.Input(SHAPE, name="image"),
        "clean": keras.Input(SHAPE, name="clean"),
    }
    encoder = plx.Graph(layers=["Flatten", {"Dense": {"units": 2}}], input_layers="image")
    outputs = {"outputs": tf.zeros([2, *SHAPE])}
    for target, labels, expected in (
        (None, None, 0.0),
        ("clean", None, 1.0),
        ("label", clean, 1.0),
    ):
        spec = autoencoder(encoder=encoder, target=target)(
            features, None if labels is None else tf.TensorSpec([None, *SHAPE])
        )
        assert (
            float(spec.loss_fn({"image": x, "clean": clean}, labels, outputs)["reconstruction"])
            == expected
        )


def test_noise_in_the_encoder_is_for_training_and_the_target_stays_clean():
    encoder = plx.Graph(layers=[{"GaussianNoise": {"stddev": 0.5}}])
    identity = plx.Graph(layers=[{"Activation": {"activation": "linear"}}])
    spec = autoencoder(encoder=encoder, decoder=identity)(symbolic())
    x = {"image": tf.constant(images(4))}
    noisy, clean = (spec.network(x, training=training) for training in (True, False))
    assert float(spec.loss_fn(x, None, noisy)["reconstruction"]) == pytest.approx(0.25, rel=0.5)
    assert float(spec.loss_fn(x, None, clean)["reconstruction"]) == 0.0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"encoder": None}, "takes an encoder or encoder_fn, and got neither"),
        (
            {"decoder_fn": lambda mode, features: features},
            "takes a decoder or decoder_fn, and got both",
        ),
        ({"target": "imge"}, "there is no feature or label called imge; did you mean image"),
        (
            {"decoder": plx.Graph(layers=[{"Dense": {"units": 16}}])},
            r"output has shape \(None, 16\), and the target image has shape \(None, 4, 4, 1\); end the decoder with Reshape: {target_shape: \[4, 4, 1\]}",
        ),
        ({"bridge_fn": lambda **given: given["features"]}, "a bridge returns a BridgeSpec"),
    ],
)
def test_what_does_not_fit_is_refused(params, message):
    with pytest.raises(ComponentError, match=message):
        autoencoder(**params)(symbolic())


def test_several_features_need_a_target():
    features = {name: keras.Input(SHAPE, name=name) for name in ("left", "right")}
    with pytest.raises(ComponentError, match="the encoder reads left, right; set `target`"):
        autoencoder(encoder=plx.Graph(layers=["Add", "Flatten"]))(features)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    estimator = estimator_of(
        tmp_path_factory.mktemp("vae"),
        bridge={"LatentBridge": {"latent_dim": 2}},
        loss="SigmoidCrossEntropy",
    )
    estimator.train(input_fn_of(images()), max_steps=6)
    return estimator


def test_encode_then_decode_is_predict(trained):
    x = input_fn_of(images(20), num_epochs=1, shuffle=False)
    latents = np.stack([row["latent"] for row in trained.predict(x, mode="encode")])
    assert latents.shape == (20, 2)
    predicted = np.stack([row["results"] for row in trained.predict(x)])
    decoded = list(trained.decode(x, latents))
    np.testing.assert_allclose(np.stack([row["results"] for row in decoded]), predicted, rtol=1e-5)
    np.testing.assert_array_equal(np.stack([row["latent"] for row in decoded]), latents)
    assert predicted.min() > 0
    assert predicted.max() < 1


def test_generated_latents_are_standard_normal_and_follow_a_seed(trained):
    x = input_fn_of(images(1))
    latents = np.stack([row["latent"] for row in trained.generate(x, count=500, seed=4)])
    assert abs(latents.mean()) < 0.1
    assert latents.std() == pytest.approx(1, abs=0.1)
    again = np.stack([row["latent"] for row in trained.generate(x, count=500, seed=4)])
    np.testing.assert_array_equal(again, latents)
    (row,) = trained.generate(x, count=1, seed=4, predict_keys=["results"])
    assert row["results"].shape == SHAPE


def test_only_what_can_generate_does(tmp_path, trained):
    plain = estimator_of(tmp_path / "plain").train(input_fn_of(images()), max_steps=1)
    with pytest.raises(
        ComponentError,
        match="has no distribution of latents to draw from; a Generator with a LatentBridge has",
    ):
        next(plain.generate(input_fn_of(images(1))))
    assert next(plain.decode(input_fn_of(images(1)), np.zeros((1, 8))))["results"].shape == SHAPE


def test_a_saved_model_gives_the_reconstructions_of_the_mean(trained, tmp_path):
    x = images(3)
    path = trained.export(tmp_path / "saved", input_fn_of(x, num_epochs=1, shuffle=False))
    module = tf.saved_model.load(str(path))
    served = module.serve({"image": tf.constant(x)})
    predicted = np.stack(
        [row["results"] for row in trained.predict(input_fn_of(x, num_epochs=1, shuffle=False))]
    )
    np.testing.assert_allclose(served["results"], predicted, rtol=1e-5)


def test_a_keras_file_brings_the_bridge_with_it(trained, tmp_path):
    path = trained.export(
        tmp_path / "kept", input_fn_of(images(3), num_epochs=1, shuffle=False), format="keras"
    )
    network = keras.models.load_model(path / "model.keras")
    x = images(3)
    latents = np.stack(
        [
            row["latent"]
            for row in trained.predict(input_fn_of(x, num_epochs=1, shuffle=False), mode="encode")
        ]
    )
    np.testing.assert_allclose(network({"image": x})["latent"], latents, rtol=1e-5)


def test_the_bridges_noise_goes_on_where_a_run_stopped(tmp_path):
    def weights(path, *stops):
        for stop in stops:
            estimator = estimator_of(path, bridge={"LatentBridge": {"latent_dim": 2}})
            estimator.train(input_fn_of(images()), max_steps=stop)
        return load(estimator.latest_checkpoint())["program"]["variables"]

    whole, parts = weights(tmp_path / "whole", 4), weights(tmp_path / "parts", 2, 4)
    assert all(np.array_equal(value, parts[name]) for name, value in whole.items())


def test_an_evaluation_of_the_same_checkpoint_gives_the_same_numbers(trained):
    x = input_fn_of(images(20), num_epochs=1, shuffle=False)
    first, second = trained.evaluate(x), trained.evaluate(x)
    assert first == second
    assert first["loss"] == pytest.approx(first["reconstruction"] + first["kl_divergence"])


def test_tiles_are_scaled_enlarged_and_parted_by_white_lines():
    picture = tile(np.array([[[[[0.0]]], [[[0.5]]]], [[[[1.0]]], [[[2.0]]]]]), 0.0, 1.0)
    assert picture.shape == (2 * 56 + 2, 2 * 56 + 2, 1)
    assert [picture[row, column, 0] for row in (0, 60) for column in (0, 60)] == [0, 128, 255, 255]
    assert picture[56, 0, 0] == 255
    assert picture[0, 57, 0] == 255


def test_noise_stays_within_the_bounds_of_whole_numbers():
    grey = np.full((1, 50, 50, 1), 250, np.uint8)
    noisy = add_noise(grey, 20.0, 0)
    assert noisy.dtype == np.uint8
    assert noisy.max() == 255
    assert noisy.min() > 100
    floats = add_noise(np.zeros((1, 50, 50, 1), np.float32), 0.5, 0)
    assert floats.dtype == np.float32
    assert floats.std() == pytest.approx(0.5, abs=0.02)


def test_images_of_any_size_may_be_given_back_and_the_loss_is_still_their_sum():
    same = plx.Graph(layers=[{"Conv2D": {"filters": 1, "kernel_size": 3, "padding": "same"}}])
    spec = autoencoder(encoder=same, decoder=same, reconstruction="sum")(
        {"image": keras.Input((None, None, 1), name="image")}
    )
    outputs = {"outputs": tf.ones([2, 5, 3, 1])}
    assert (
        float(spec.loss_fn({"image": tf.zeros([2, 5, 3, 1])}, None, outputs)["reconstruction"])
        == 15.0
    )


def test_a_traversal_spans_the_quantiles():
    plane = traversal(2, 3)
    assert plane.shape == (3, 3, 2)
    np.testing.assert_allclose(plane[0, :, 0], [-0.967422, 0, 0.967422], atol=1e-5)
    np.testing.assert_allclose(plane[:, 0, 1], [0.967422, 0, -0.967422], atol=1e-5)
    lines = traversal(12, 5)
    assert lines.shape == (10, 5, 12)
    assert np.count_nonzero(lines[3].any(axis=0)) == 1
    assert (np.diff(lines[3, :, 3]) > 0).all()


def test_pictures_need_a_generator(tmp_path):
    from plx_layers.callbacks import GeneratedImages, ReconstructionImages

    estimator = estimator_of(tmp_path / "run").train(input_fn_of(images()), max_steps=1)
    with pytest.raises(ComponentError, match="this run has no such data"):
        ReconstructionImages().on_evaluate(estimator, 1, {})
    with pytest.raises(ComponentError, match="has no distribution"):
        estimator.evaluate(
            input_fn_of(images(), num_epochs=1, shuffle=False), callbacks=[GeneratedImages()]
        )
    estimator.evaluate(
        input_fn_of(images(), num_epochs=1, shuffle=False), callbacks=["ReconstructionImages"]
    )
    assert [path.name for path in (Path(estimator.model_dir) / "images").iterdir()] == [
        "000000001_reconstructions.png"
    ]


def test_an_experiment_asks_its_hooks_before_it_trains(tmp_path):
    estimator = estimator_of(tmp_path / "run")
    experiment = plx.Experiment(
        estimator=estimator,
        train_input_fn=input_fn_of(images()),
        eval_input_fn=input_fn_of(images(), num_epochs=1, shuffle=False),
        train_steps=1,
        eval_callbacks=["GeneratedImages"],
    )
    with pytest.raises(ComponentError, match="has no distribution"):
        experiment.train_and_evaluate()
    assert estimator.global_step == 0


def test_a_mistake_of_config_kind_is_not_swallowed():
    with pytest.raises(ConfigError, match="Dense"):
        autoencoder(encoder=plx.Graph(layers=[{"Dense": {"units": -1}}]))(symbolic())


@pytest.mark.parametrize("environment", [{"mixed_precision": "mixed_bfloat16"}, {"xla": True}])
def test_lower_precision_and_xla(tmp_path, environment):
    config = plx.configs.EnvironmentConfig(seed=3, **environment)
    params = {"bridge": {"LatentBridge": {"latent_dim": 2}}, "loss": "SigmoidCrossEntropy"}
    try:
        estimator = plx.Estimator(model_fn_of(**params), tmp_path, config, trackers=())
        metrics = estimator.train(input_fn_of(images()), max_steps=3).evaluate(
            input_fn_of(images(), num_epochs=1, shuffle=False)
        )
    finally:
        keras.config.set_dtype_policy("float32")
    assert 5 < metrics["reconstruction"] < 20
    assert metrics["loss"] == pytest.approx(
        metrics["reconstruction"] + metrics["kl_divergence"], rel=1e-2
    )


def test_a_decoder_may_call_its_input_as_it_likes():
    decoder = plx.Graph(
        layers=[
            {"Dense": {"units": 16, "inbound_nodes": "encoded"}},
            {"Reshape": {"target_shape": SHAPE}},
        ],
        input_layers="encoded",
    )
    assert autoencoder(decoder=decoder)(symbolic()).network.output["outputs"].shape == (
        None,
        *SHAPE,
    )
