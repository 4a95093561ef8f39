"""Locally connected layers against a twin that visits each position in turn."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plx_core as plx
from plx_core.components.component import Component
from plx_core.errors import ConfigError


def twin(x, kernel, bias, kernel_size, strides, padding):
    """Position by position; x is [batch, size…, channels]."""
    if padding == "same":
        margins = []
        for size, window, step in zip(x.shape[1:-1], kernel_size, strides, strict=True):
            total = max((-(-size // step) - 1) * step + window - size, 0)
            margins.append((total // 2, total - total // 2))
        x = np.pad(x, [(0, 0), *margins, (0, 0)])
    counts = [
        (size - window) // step + 1
        for size, window, step in zip(x.shape[1:-1], kernel_size, strides, strict=True)
    ]
    out = np.zeros((len(x), *counts, kernel.shape[-1]), "float32")
    for index, position in enumerate(itertools.product(*map(range, counts))):
        window = tuple(
            slice(p * s, p * s + k) for p, s, k in zip(position, strides, kernel_size, strict=True)
        )
        out[(slice(None), *position)] = (
            x[(slice(None), *window)].reshape(len(x), -1) @ kernel[index] + bias[position]
        )
    return out


@given(
    rank=st.integers(1, 2),
    size=st.integers(3, 7),
    window=st.integers(1, 3),
    stride=st.integers(1, 3),
    channels=st.integers(1, 3),
    padding=st.sampled_from(["valid", "same"]),
    data_format=st.sampled_from(["channels_last", "channels_first"]),
)
@settings(max_examples=25)
def test_equals_its_twin(rank, size, window, stride, channels, padding, data_format):
    sizes, kernel_size, strides = (
        (size, size + 2)[:rank],
        (window, max(window - 1, 1))[:rank],
        (stride, 1)[:rank],
    )
    name = f"LocallyConnected{rank}D"
    params = {
        "filters": 2,
        "kernel_size": list(kernel_size),
        "strides": list(strides),
        "padding": padding,
        "data_format": data_format,
    }
    layer = Component(
        "layers", name, params | {"bias_initializer": {"RandomNormal": {"seed": 1}}}
    ).build()
    x = np.random.default_rng(0).normal(size=(2, *sizes, channels)).astype("float32")
    given_x = np.moveaxis(x, -1, 1) if data_format == "channels_first" else x
    result = np.asarray(layer(given_x))
    assert result.shape == layer.compute_output_shape(given_x.shape)
    expected = twin(
        x, np.asarray(layer.kernel), np.asarray(layer.bias), kernel_size, strides, padding
    )
    np.testing.assert_allclose(
        np.moveaxis(result, 1, -1) if data_format == "channels_first" else result,
        expected,
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("name", "shape"), [("LocallyConnected1D", (6, 2)), ("LocallyConnected2D", (5, 4, 2))], ids=["1D", "2D"]
)  # fmt: skip
def test_a_saved_copy_gives_the_same(name, shape, tmp_path):
    params = {
        "filters": 3, "kernel_size": 2, "activation": "relu", "kernel_regularizer": {"L2": {"l2": 0.1}}, "activity_regularizer": "l1",
        "kernel_constraint": "NonNeg", "bias_initializer": "ones", "name": "local",
    }  # fmt: skip
    inputs = keras.Input(shape)
    network = keras.Model(inputs, Component("layers", name, params).build()(inputs))
    network.save(tmp_path / "a.keras")
    copy = keras.models.load_model(tmp_path / "a.keras")
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    np.testing.assert_allclose(copy(x), network(x))
    assert copy.get_layer("local").get_config() == network.get_layer("local").get_config()
    assert len(copy.losses) == len(network.losses) == 2


def test_each_position_has_weights_of_its_own_and_they_are_trained():
    layer = plx.layers.LocallyConnected1D(
        filters=1, kernel_size=1, use_bias=False, kernel_initializer="zeros"
    )
    model = keras.Sequential([keras.Input((3, 1)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.fit(
        np.ones((4, 3, 1)),
        np.tile(np.array([[[1.0], [2.0], [3.0]]]), (4, 1, 1)),
        epochs=1,
        verbose=0,
    )
    np.testing.assert_allclose(
        np.asarray(layer.kernel)[:, 0, 0], np.array([1, 2, 3]) * 2 / 3, rtol=1e-6
    )


def test_weights_are_as_large_as_those_of_a_dense_layer_at_each_position():
    layer = plx.layers.LocallyConnected1D(
        filters=50, kernel_size=2, kernel_initializer=keras.initializers.GlorotUniform(0)
    )
    layer.build((None, 101, 25))
    assert np.asarray(layer.kernel).std() == pytest.approx((2 / (50 + 50)) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kernel_size": [2, 2, 2]}, "kernel_size: expected a positive integer or 2 of them, got"),
        (
            {"kernel_size": 2, "strides": 0},
            "strides: expected a positive integer or 2 of them, got 0",
        ),
        ({"kernel_size": 2, "padding": "causal"}, "padding: expected valid or same, got causal"),
    ],
)
def test_what_does_not_fit_is_refused(params, message):
    with pytest.raises(ConfigError, match=message):
        Component("layers", "LocallyConnected2D", {"filters": 1, **params}).build()


def test_an_input_without_a_known_shape_is_refused():
    with pytest.raises(ValueError, match="the shape of its input must be known"):
        plx.layers.LocallyConnected1D(filters=1, kernel_size=2).build((None, None, 3))
    with pytest.raises(
        ValueError, match=r"a window of \(4,\) does not fit into an input of shape \(None, 3, 1\)"
    ):
        plx.layers.LocallyConnected1D(filters=1, kernel_size=4).build((None, 3, 1))


def test_a_rectifier_with_a_threshold():
    layer = Component("layers", "ThresholdedReLU", {"theta": 1.5}).build()
    np.testing.assert_array_equal(
        layer(np.array([[-2, 0, 1.5, 1.6, 4]], "float32")), np.array([[0, 0, 0, 1.6, 4]], "float32")
    )
    assert layer(keras.Input((3, 2))).shape == (None, 3, 2)
