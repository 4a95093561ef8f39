"""Every layer that behaves differently in training does so where a network is trained, and never where it is used."""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.networks.graph import build_network

VECTOR, SEQUENCE, IMAGE = (8,), (6, 4), (8, 8, 3)
DROPOUT = {"dropout": 0.5}
DIFFERENT = {
    "AlphaDropout": ({"rate": 0.5}, VECTOR),
    "AugMix": ({}, IMAGE),
    "BatchNormalization": ({}, VECTOR),
    "Bidirectional": ({"layer": {"LSTM": {"units": 3, **DROPOUT}}}, SEQUENCE),
    "ConvLSTM1D": ({"filters": 2, "kernel_size": 2, **DROPOUT}, (3, 5, 2)),
    "ConvLSTM2D": ({"filters": 2, "kernel_size": 2, **DROPOUT}, (3, 5, 5, 2)),
    "ConvLSTM3D": ({"filters": 2, "kernel_size": 2, **DROPOUT}, (3, 4, 4, 4, 2)),
    "Dropout": ({"rate": 0.5}, VECTOR),
    "FullyConnected": ({"num_units": 3, **DROPOUT}, IMAGE),
    "GRU": ({"units": 3, **DROPOUT}, SEQUENCE),
    "GaussianDropout": ({"rate": 0.5}, VECTOR),
    "GaussianNoise": ({"stddev": 0.5}, VECTOR),
    "Highway": ({"num_units": 8, "transform_dropout": 0.5}, VECTOR),
    "LSTM": ({"units": 3, "recurrent_dropout": 0.5}, SEQUENCE),
    "Merge": (
        {"modules": ["Flatten", {"Dropout": {"rate": 0.5}}], "merge_mode": "concat"},
        VECTOR,
    ),
    "RandAugment": ({}, IMAGE),
    "RandomBrightness": ({"factor": 0.5, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomColorDegeneration": ({"factor": 1.0, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomColorJitter": ({"brightness_factor": 0.5, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomContrast": ({"factor": 0.5, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomElasticTransform": ({"factor": 1.0}, IMAGE),
    "RandomErasing": ({"factor": 1.0}, IMAGE),
    "RandomFlip": ({}, IMAGE),
    "RandomGaussianBlur": ({"factor": 1.0, "sigma": 0.9, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomGrayscale": ({"factor": 0.5}, IMAGE),
    "RandomHue": ({"factor": 0.5, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomInvert": ({"factor": 1.0, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomPerspective": ({"factor": 1.0}, IMAGE),
    "RandomPosterization": ({"factor": 1, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomRotation": ({"factor": 0.5}, IMAGE),
    "RandomSaturation": ({"factor": 1.0, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomSharpness": ({"factor": 1.0, "value_range": [0.0, 1.0]}, IMAGE),
    "RandomShear": ({"x_factor": 0.5, "y_factor": 0.5}, IMAGE),
    "RandomTranslation": ({"height_factor": 0.5, "width_factor": 0.5}, IMAGE),
    "RandomZoom": ({"height_factor": 0.5}, IMAGE),
    "ResidualBlock": ({"num_blocks": 1, "out_channels": 4}, IMAGE),
    "ResidualBottleneck": (
        {"num_blocks": 1, "bottleneck_size": 2, "out_channels": 4},
        IMAGE,
    ),
    "SimpleRNN": ({"units": 3, **DROPOUT}, SEQUENCE),
    "SpatialDropout1D": ({"rate": 0.5}, SEQUENCE),
    "SpatialDropout2D": ({"rate": 0.5}, IMAGE),
    "SpatialDropout3D": ({"rate": 0.5}, (4, 4, 4, 2)),
    "SpectralNormalization": ({"layer": {"Dense": {"units": 3}}}, VECTOR),
    "SubGraph": ({"layers": ["BatchNormalization", {"Dropout": {"rate": 0.5}}]}, VECTOR),
    "TimeDistributed": ({"layer": {"Dropout": {"rate": 0.5}}}, SEQUENCE),
}
"""The layers that behave differently in training: parameters with which they do, and the shape of an example."""
ELSEWHERE = {
    "the same in training": "AdjustBrightness AdjustContrast AdjustGamma AdjustHue AdjustSaturation AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization Dense EinsumDense Equalization Flip MaxNumBoundingBoxes Resizing Rotate90 Solarization",
    "of another shape in training": "RandomCrop",
    "of several inputs": "AdditiveAttention Attention GroupQueryAttention MultiHeadAttention",
    "of images with their labels or boxes": "CutMix MixUp RandomImageCrop",
    "of other layers in Python": "GRUCell LSTMCell Pipeline RNN SimpleRNNCell StackedRNNCells",
}
MOVING = (
    "BatchNormalization",
    "ResidualBlock",
    "ResidualBottleneck",
    "SpectralNormalization",
    "SubGraph",
)
"""Those with statistics, which move in training; the others draw new numbers."""


def built(name, shape):
    params, _ = DIFFERENT[name]
    keras.utils.set_random_seed(1)
    graph = plx.Graph([{name: params}, "Flatten", {"Dense": {"units": 1, "name": "last"}}])
    return build_network(graph, {"x": tf.TensorSpec((None, *shape), name="x")}, "train")


def numbers(network, x, training):
    """The outputs, and the values of all variables after the call but the states of generators.

    Recurrent layers draw numbers without using them.
    """
    outputs = network({"x": x}, training=training).numpy()
    return outputs, [
        variable.numpy() for variable in network.variables if "seed" not in variable.path
    ]


def test_the_table_has_each_layer_that_knows_of_training():
    knowing = {
        name
        for name in dir(plx.layers)
        if hasattr(getattr(plx.layers, name), "call")
        and "training" in inspect.signature(getattr(plx.layers, name).call).parameters
    }
    listed = {name for names in ELSEWHERE.values() for name in names.split()}
    assert knowing == (DIFFERENT.keys() - {"SubGraph"}) | listed


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_network_trains_the_layer_in_training_mode_and_is_used_without(name):
    shape = DIFFERENT[name][1]
    network = built(name, shape)
    x = np.random.default_rng(1).random((16, *shape), np.float32)
    used, before = numbers(network, x, training=False)
    again, after = numbers(network, x, training=False)
    np.testing.assert_array_equal(used, again)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    trained, changed = numbers(network, x, training=True)
    assert (trained != used).any()
    if name in MOVING:
        assert any((one != other).any() for one, other in zip(before, changed, strict=True))
    elif name != "RandomPosterization":  # whose factor is the number of bits
        assert (trained != numbers(network, x, training=True)[0]).any()
