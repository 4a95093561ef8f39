"""The networks that act, computed with NumPy, give what Keras gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from plx_core.state import Modes
from plx_rl.environments.gym_environment import GymEnvironment
from plx_rl.models.heads import DuelingHead, GaussianHead
from plx_rl.policies.numpy_network import (
    OPERATIONS,
    HostFunction,
    TracedFunction,
    UnsupportedOperation,
    host_function,
)

from .agents import make_agent

BATCHES = (1, 7)
ACTIVATIONS = [
    "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear", "log_softmax", "mish", "relu", "relu6", "selu",
    "sigmoid", "silu", "softmax", "softplus", "softsign", "tanh",
]  # fmt: skip


def network(*layers, shape=(5,), dtype="float32", name="state"):
    keras.utils.set_random_seed(3)
    inputs = keras.Input(shape, name=name, dtype=dtype)
    outputs = inputs
    for layer in layers:
        outputs = layer(outputs)
    return keras.Model({name: inputs}, outputs)


def features(model, batch, seed=0):
    rng = np.random.default_rng(seed)
    found = {}
    for tensor in model.inputs:
        shape = (batch, *tensor.shape[1:])
        is_bytes = tensor.dtype == "uint8"
        found[tensor.name] = (
            rng.integers(0, 256, shape, np.uint8)
            if is_bytes
            else rng.normal(scale=3.0, size=shape).astype(np.float32)
        )
    return found


def assert_same(model, function=None, kind=HostFunction):
    """NumPy's outputs are TensorFlow's, in shape, type and number, and stay so when the weights change."""
    computed = host_function(model, function)
    assert type(computed) is kind
    reference = function or (lambda batch: model(batch, training=False))
    for seed in (0, 1):
        for batch in BATCHES:
            given = features(model, batch, seed)
            found, expected = (
                computed(given),
                reference({name: tf.constant(part) for name, part in given.items()}),
            )
            assert type(found) is dict or not isinstance(expected, dict)
            for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
                assert one.shape == other.shape
                assert one.dtype == other.dtype.as_numpy_dtype
                np.testing.assert_allclose(one, other.numpy(), rtol=1e-5, atol=1e-5)
        for variable in model.weights:
            variable.assign(variable * 0.5 + 0.3)
        computed.refresh()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense_layers_of_each_activation(activation):
    assert_same(
        network(
            keras.layers.Dense(8, activation),
            keras.layers.Dense(3, kernel_initializer="orthogonal"),
        )
    )


@pytest.mark.parametrize(
    "layers",
    [
        [],
        [keras.layers.Dense(4, use_bias=False)],
        [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.ReLU()],
        [keras.layers.Dense(4), keras.layers.LayerNormalization(), keras.layers.LeakyReLU(0.2)],
        [keras.layers.Dense(4), keras.layers.RMSNormalization()],
        [keras.layers.Dense(4), keras.layers.UnitNormalization()],
        [keras.layers.Dense(4), keras.layers.PReLU()],
        [keras.layers.Dense(4), keras.layers.Dropout(0.5), keras.layers.Activation("tanh")],
        [keras.layers.GaussianNoise(0.5), keras.layers.Dense(2)],
        [keras.layers.Rescaling(0.1, offset=-1.0), keras.layers.Dense(2)],
        [keras.layers.Normalization(mean=1.0, variance=4.0), keras.layers.Dense(2)],
        [keras.layers.RepeatVector(3), keras.layers.Flatten(), keras.layers.Dense(2)],
        [
            keras.layers.Reshape((5, 1)),
            keras.layers.Dense(3, "relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ],
        [keras.layers.Reshape((5, 1)), keras.layers.Permute((2, 1)), keras.layers.Flatten()],
        [
            keras.layers.Reshape((5, 1)),
            keras.layers.Dense(3, "relu"),
            keras.layers.GlobalAveragePooling1D(),
        ],
    ],
    ids=lambda layers: "-".join(type(layer).__name__ for layer in layers) or "none",
)
def test_layers_between(layers):
    assert_same(network(*layers))


@pytest.mark.parametrize("kind", ["mean", "max", "naive"])
def test_duelling_heads(kind):
    assert_same(network(keras.layers.Dense(8, "relu"), DuelingHead(4, kind)))


def test_gaussian_heads():
    model = network(keras.layers.Dense(8, "tanh"), GaussianHead(3, log_std=-0.5))
    assert_same(model)
    assert host_function(model)(features(model, 7)).shape == (7, 6)


def named_network():
    keras.utils.set_random_seed(3)
    inputs = {
        "place": keras.Input((4,), name="place"),
        "view": keras.Input((2, 3), name="view", dtype="uint8"),
        "a": keras.Input((1,), name="a"),
    }
    view = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs["view"]))
    place = keras.layers.Dense(4, "tanh")(inputs["place"])
    hidden = keras.layers.Concatenate()([place, view, inputs["a"]])
    sums = keras.layers.Add()(
        [place, keras.layers.Multiply()([place, keras.layers.Dense(4)(hidden)])]
    )
    outputs = {
        "policy": keras.layers.Dense(3)(sums),
        "value": keras.layers.Dense(1)(keras.layers.Maximum()([sums, place])),
    }
    return keras.Model(inputs, outputs)


def test_observations_and_outputs_by_name():
    model = named_network()
    assert_same(model)
    given = features(model, 7)
    computed = host_function(model)
    backwards = computed(dict(reversed(given.items())))
    assert backwards.keys() == {"policy", "value"}
    np.testing.assert_array_equal(backwards["policy"], computed(given)["policy"])


def test_a_function_of_the_network():
    model = named_network()
    assert_same(model, lambda batch: model(batch)["policy"])


def test_models_within_a_model():
    inner = network(keras.layers.Dense(6, "relu"))
    outer = keras.Input((5,), name="state")
    model = keras.Model(
        {"state": outer},
        {
            "policy": keras.layers.Dense(2)(inner({"state": outer})),
            "hidden": inner({"state": outer}),
        },
    )
    assert_same(model)


def test_a_convolution_is_left_to_tensorflow():
    layers = (
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(3, 2, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(2),
    )
    assert_same(network(*layers, shape=(6, 6, 1), dtype="uint8", name="image"), kind=TracedFunction)


def test_a_recurrent_layer_is_left_to_tensorflow():
    assert_same(
        network(keras.layers.Reshape((5, 1)), keras.layers.GRU(3), keras.layers.Dense(2)),
        kind=TracedFunction,
    )


def test_weights_are_copied_when_it_is_asked_for():
    model = network(keras.layers.Dense(3))
    computed, given = host_function(model), features(model, 2)
    before = computed(given)
    model.layers[-1].bias.assign([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(computed(given), before)
    computed.refresh()
    np.testing.assert_allclose(computed(given), before + np.array([1.0, 2.0, 3.0]), rtol=1e-6)


def test_what_was_given_is_not_changed_and_what_was_returned_stays():
    model = network()  # the features themselves
    computed, given = host_function(model), features(model, 3)
    found = computed(given)
    copy = found.copy()
    computed(features(model, 3, seed=1))
    np.testing.assert_array_equal(found, copy)
    np.testing.assert_array_equal(given["state"], features(model, 3)["state"])


@pytest.mark.parametrize("policy", ["mixed_float16", "float64"])
def test_other_types_of_numbers(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = network(keras.layers.Dense(8, "tanh"), keras.layers.Dense(3, dtype="float32"))
    finally:
        keras.config.set_dtype_policy("float32")
    given = features(model, 7)
    np.testing.assert_allclose(
        host_function(model)(given), model(given).numpy(), rtol=1e-2, atol=1e-2
    )


def test_large_numbers_do_not_overflow():
    for activation in ("sigmoid", "softplus", "elu", "softmax", "tanh"):
        model = network(keras.layers.Activation(activation))
        given = {"state": np.array([[-1e4, -200.0, 0.0, 200.0, 1e4]], np.float32)}
        np.testing.assert_allclose(
            host_function(model)(given), model(given).numpy(), rtol=1e-5, atol=1e-6
        )


def test_an_unknown_operation_is_named():
    model = network(keras.layers.Lambda(lambda values: tf.math.bessel_i0(values)))
    traced = tf.function(model).get_concrete_function({"state": tf.TensorSpec((None, 5))})
    with pytest.raises(UnsupportedOperation, match="BesselI0"):
        HostFunction(traced, [])
    assert "BesselI0" not in OPERATIONS


def test_the_models_of_plx_act_by_numpy(tmp_path):
    for model, env_id in [
        ("dqn", "CartPole-v1"),
        ("naf", "Pendulum-v1"),
        ("ppo", "CartPole-v1"),
        ("ppo", "Pendulum-v1"),
    ]:
        spec = make_agent(tmp_path, model).build(Modes.EVAL, GymEnvironment(env_id))
        assert isinstance(spec.policy._network, HostFunction), (model, env_id)
