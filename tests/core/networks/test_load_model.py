"""Saved networks are read again with the classes that plug-ins offer, without Keras's decorator."""

from types import ModuleType

import keras
import numpy as np
import pytest
from attrs import evolve

from plx_core import hookimpl
from plx_core.components.component import Component
from plx_core.errors import ComponentError, DataError
from plx_core.networks.load_model import custom_objects, load_model
from plx_core.plugins.discovery import Plugin, Plugins
from plx_core.plugins.registry import Registry


def shift_class():
    class Shift(keras.layers.Layer):
        """Adds a number; shapes stay."""

        def __init__(self, by=1.0, name=None):
            super().__init__(name=name)
            self.by = by

        def call(self, inputs):
            return inputs + self.by

        def get_config(self):
            return {"by": self.by, "name": self.name}

    return Shift


def registry(**layers):
    found = Plugins()
    for name, mapping in layers.items():
        module = ModuleType(name)
        module.provide_layers = hookimpl(lambda mapping=mapping: mapping)
        found.add(Plugin(name, name, name, "1.0"), module)
    return Registry(found)


def saved(layer, path):
    inputs = keras.Input((2,))
    keras.Model(inputs, layer(inputs)).save(path / "a.keras")
    return path / "a.keras"


def test_a_strangers_layer_is_read_again(tmp_path):
    shift = shift_class()
    found = registry(acme={"Shift": shift, "Broken": "no_such_module:Layer"})
    network = load_model(saved(shift(2.0), tmp_path), found)
    np.testing.assert_array_equal(network(np.zeros((1, 2))), [[2.0, 2.0]])


def test_a_class_that_no_plugin_offers_is_an_error(tmp_path):
    with pytest.raises(
        ComponentError, match=r"a.keras cannot be read with the installed plug-ins: .*Shift"
    ):
        load_model(saved(shift_class()(2.0), tmp_path), registry(acme={}))


def test_one_name_of_two_plugins_is_left_out():
    assert custom_objects(
        registry(acme={"A": shift_class()}, rival={"B": shift_class()})
    ) == custom_objects(registry())


def test_what_is_no_saved_network_is_said(tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        load_model(tmp_path / "none.keras")
    (tmp_path / "b.keras").write_text("no network")
    with pytest.raises(ComponentError, match="b.keras cannot be read"):
        load_model(tmp_path / "b.keras")


@pytest.mark.parametrize("layer", [{"Dense": {"units": 2}}, "Activation", {"LSTM": {"units": 2}}])
def test_an_activation_with_parameters_is_read_again(layer, tmp_path):
    component = Component.of("layers", layer)
    shape = (3, 2) if component.name == "LSTM" else (2,)
    params = {**component.params, "activation": {"leaky_relu": {"negative_slope": 0.5}}}
    inputs = keras.Input(shape)
    network = keras.Model(inputs, evolve(component, params=params).build()(inputs))
    network.save(tmp_path / "a.keras")
    x = np.linspace(-1, 1, np.prod(shape)).reshape(1, *shape).astype("float32")
    np.testing.assert_allclose(load_model(tmp_path / "a.keras")(x), network(x), rtol=1e-6)
