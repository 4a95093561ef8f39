"""Saved networks with parts of plx_layers are read again."""

import sys

import keras
import numpy as np
import pytest
from attrs import evolve

import plx_core as plx
from plx_core.components.component import Component
from plx_core.networks.load_model import custom_objects, load_model


def saved_path(layer, path):
    inputs = keras.Input((2,))
    keras.Model(inputs, layer(inputs)).save(path / "a.keras")
    return path / "a.keras"


@pytest.mark.parametrize("layer", ["Activation", {"FullyConnected": {"num_units": 2}}])
def test_an_activation_with_parameters_is_read_again(layer, tmp_path):
    component = Component.of("layers", layer)
    params = {**component.params, "activation": {"leaky_relu": {"negative_slope": 0.5}}}
    inputs = keras.Input((2,))
    network = keras.Model(inputs, evolve(component, params=params).build()(inputs))
    network.save(tmp_path / "a.keras")
    x = np.array([[-1, 1]]).astype("float32")
    np.testing.assert_allclose(load_model(tmp_path / "a.keras")(x), network(x), rtol=1e-6)


def test_the_installed_plugins_offer_theirs(tmp_path):
    names = custom_objects()
    assert {
        "plx_layers>Cast",
        "plx_layers>Weighted",
        "plx_layers>StreamingAUC",
        "plx_layers>Decay",
        "plx_layers>crelu",
    } <= set(names)
    assert not any(name in names for name in ("Dense", "Adam"))
    network = plx.load_model(saved_path(plx.layers.ThresholdedReLU(0.5), tmp_path))
    np.testing.assert_array_equal(
        network(np.array([[0.4, 0.6]], "float32")), np.array([[0.0, 0.6]], "float32")
    )
    assert "plx_core.networks.load_model" in sys.modules
