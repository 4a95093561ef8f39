"""Layers whose state is computed from data are refused until they have it."""

import keras
import numpy as np
import pytest

from plx_core.errors import ComponentError, ConfigError
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.fitted_layers import require_fitted
from plx_core.networks.graph import Graph

layers = keras.layers
TEXTS = np.array(["a b", "b c"])
WITHOUT_STATE = [
    layers.Normalization,
    lambda: layers.Discretization(num_bins=3),
    layers.TextVectorization,
    layers.StringLookup,
    lambda: layers.StringLookup(mask_token="", num_oov_indices=2),
    lambda: layers.StringLookup(mask_token="", output_mode="multi_hot"),
    layers.IntegerLookup,
]
WITH_STATE = [
    lambda: layers.Normalization(mean=0.0, variance=1.0),
    lambda: layers.Discretization(bin_boundaries=[0.0]),
    lambda: layers.TextVectorization(vocabulary=["a"]),
    lambda: layers.StringLookup(vocabulary=["a"], mask_token=""),
    lambda: layers.IntegerLookup(vocabulary=[7], mask_token=0),
    lambda: layers.Rescaling(0.5),
]
DATA = [
    np.array([[1.0], [3.0]]),
    np.array([1.0, 2.0, 3.0]),
    TEXTS,
    TEXTS,
    TEXTS,
    TEXTS,
    np.array([3]),
]


class Whitening(layers.Layer):
    def adapt(self, data):
        self.is_adapted = True


class Silent(layers.Layer):
    def adapt(self, data):
        """Compute a state of which nothing tells."""


@pytest.mark.parametrize("make", WITHOUT_STATE)
def test_a_layer_without_its_state_is_refused(make):
    with pytest.raises(ComponentError, match="computes its state from data, and has none yet"):
        require_fitted(make())


@pytest.mark.parametrize("make", WITH_STATE)
def test_a_layer_that_is_given_its_state_is_taken(make):
    require_fitted(make())


@pytest.mark.parametrize(("make", "data"), list(zip(WITHOUT_STATE, DATA, strict=True)))
def test_a_layer_that_was_adapted_is_taken(make, data):
    layer = make()
    layer.adapt(data)
    require_fitted(layer)


def test_another_layer_says_whether_it_has_its_state():
    layer = Whitening()
    layer.is_adapted = False
    with pytest.raises(ComponentError, match="give it its state when it is built"):
        require_fitted(layer)
    layer.adapt(None)
    require_fitted(layer)
    with pytest.raises(ComponentError, match="no attribute `is_adapted`"):
        require_fitted(Silent())


def test_a_graph_names_the_layer():
    graph = Graph(layers=[{"Normalization": {}}, {"Dense": {"units": 1}}])
    with pytest.raises(ConfigError, match="normalization computes its state from data") as caught:
        graph("train", keras.Input([2]))
    assert "give it `mean` and `variance`" in str(caught.value)


def test_a_layer_within_another_of_a_network_is_found():
    inputs = keras.Input([5, 2], name="x")
    outputs = layers.TimeDistributed(layers.Normalization())(inputs)
    with pytest.raises(ComponentError, match="computes its state from data"):
        EstimatorSpec(mode="eval", network=keras.Model({"x": inputs}, outputs))
