"""The layers of polyaxon-lib's JSON dialect."""

import operator

import keras
import numpy as np
import pytest

import plx_core as plx
from plx_core.components.component import default_registry, make


@pytest.mark.parametrize(
    ("name", "params", "shape", "expected"),
    [
        (
            "FullyConnected",
            {"num_units": 7, "activation": "tanh", "regularizer": "l2_regularizer", "dropout": 0.5},
            (2, 4, 3),
            (2, 7),
        ),
        ("Conv1d", {"num_filter": 5, "filter_size": 3, "strides": 2}, (2, 8, 3), (2, 4, 5)),
        (
            "Conv2d",
            {"num_filter": 5, "filter_size": 3, "regularizer": "l2_regularizer"},
            (2, 8, 8, 3),
            (2, 8, 8, 5),
        ),
        (
            "Conv2d",
            {"num_filter": 5, "filter_size": [3, 5], "padding": "VALID"},
            (2, 8, 8, 3),
            (2, 6, 4, 5),
        ),
        ("Conv3d", {"num_filter": 2, "filter_size": 3}, (1, 4, 4, 4, 1), (1, 4, 4, 4, 2)),
        (
            "Conv2dTranspose",
            {"num_filter": 2, "filter_size": 3, "strides": 2},
            (1, 4, 4, 1),
            (1, 8, 8, 2),
        ),
        ("MaxPool1d", {"kernel_size": 2}, (1, 5, 1), (1, 3, 1)),
        ("MaxPool2d", {"kernel_size": 2}, (1, 4, 4, 1), (1, 2, 2, 1)),
        ("MaxPool3d", {"kernel_size": 2}, (1, 4, 4, 4, 1), (1, 2, 2, 2, 1)),
        ("AvgPool1d", {"kernel_size": 2, "strides": 1}, (1, 4, 1), (1, 4, 1)),
        ("AvgPool2d", {"kernel_size": 2}, (1, 4, 4, 1), (1, 2, 2, 1)),
        ("AvgPool3d", {"kernel_size": 2}, (1, 4, 4, 4, 1), (1, 2, 2, 2, 1)),
        ("Upsample2d", {"kernel_size": 2}, (1, 4, 4, 1), (1, 8, 8, 1)),
        ("GlobalAvgPool", {}, (2, 4, 4, 3), (2, 3)),
        ("GlobalMaxPool", {}, (2, 4, 4, 3), (2, 3)),
        ("LocalResponseNormalization", {"depth_radius": 2}, (2, 4, 4, 3), (2, 4, 4, 3)),
        ("OneHotEncoding", {"n_classes": 4}, (2, 3), (2, 3, 4)),
        ("Slice", {"begin": [0, 1], "size": [-1, 2]}, (2, 4), (2, 2)),
        ("Highway", {"n_units": 6, "activation": "tanh"}, (2, 2, 3), (2, 6)),
    ],
)
def test_shapes_and_a_saved_copy(name, params, shape, expected, tmp_path):
    inputs = keras.Input(shape[1:])
    network = keras.Model(inputs, plx.Component("layers", name, params).build(mode="train")(inputs))
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    assert tuple(network(x).shape) == expected
    network.save(tmp_path / "a.keras")
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "a.keras")(x), network(x), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("merge_mode", "expected"),
    [
        ("concat", [[1, 2, 3, 4]]),
        ("elemwise_sum", [[4, 6]]),
        ("elemwise_mul", [[3, 8]]),
        ("sum", [10]),
        ("mean", [2.5]),
        ("prod", [24]),
        ("max", [4]),
        ("min", [1]),
    ],
)
def test_merge(merge_mode, expected):
    inputs = [np.array([[1.0, 2.0]], "float32"), np.array([[3.0, 4.0]], "float32")]
    np.testing.assert_allclose(plx.layers.Merge("train", merge_mode=merge_mode)(inputs), expected)


def test_the_values_of_further_layers():
    layers = plx.layers
    one_hot = layers.OneHotEncoding("train", n_classes=3, on_value=2.0, off_value=-1.0)
    np.testing.assert_array_equal(one_hot(np.array([2, 0])), [[-1, -1, 2], [2, -1, -1]])
    image = np.ones((1, 1, 1, 3), "float32")
    normalised = layers.LocalResponseNormalization("train", depth_radius=1, alpha=1.0, beta=1.0)
    np.testing.assert_allclose(normalised(image)[0, 0, 0], [1 / 3, 1 / 4, 1 / 3], rtol=1e-6)
    highway, x = layers.Highway("train", n_units=2), np.array([[1.0, -2.0]], "float32")
    highway.build(x.shape)
    highway.w.assign(np.eye(2) * 3.0)
    highway.w_t.assign(np.zeros((2, 2)))
    gate = 1 / (1 + np.e)  # the sigmoid of the gate's bias, -1
    np.testing.assert_allclose(highway(x), x * (3 * gate + 1 - gate), rtol=1e-6)
    with pytest.raises(ValueError, match="n_units has to be their number of features, 2; got 3"):
        layers.Highway("train", n_units=3)(x)


def test_the_mode_may_come_first():
    assert plx.layers.FullyConnected("train", num_units=3)(np.ones((2, 5), "float32")).shape == (
        2,
        3,
    )
    assert plx.layers.Conv2d("train", num_filter=3, filter_size=1)(
        np.ones((1, 2, 2, 1), "float32")
    ).shape == (1, 2, 2, 3)


def test_the_penalty_is_tensorflow_1s():
    assert float(
        plx.regularizers.l2_regularizer(0.1)(np.array([3.0, 4.0], "float32"))
    ) == pytest.approx(0.1 * 25 / 2)
    assert float(
        plx.regularizers.l1_regularizer(0.1)(np.array([-3.0, 4.0], "float32"))
    ) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("kind", "name", "result"),
    [
        ("layers", "conv2d", "Conv2D"),
        ("layers", "Conv2d", "Conv2d"),
        ("layers", "max_pooling2d", "MaxPooling2D"),
        ("metrics", "streaming_true_positives", "TruePositives"),
        ("metrics", "streaming_auc", "StreamingAUC"),
        ("metrics", "streaming_root_mean_squared_error", "RootMeanSquaredError"),
        ("losses", "huber_loss", "HuberLoss"),
        ("losses", "softmax_cross_entropy", "SoftmaxCrossEntropy"),
        ("losses", "mean_squared_error", "MeanSquaredError"),
        ("optimizers", "adadelta", "Adadelta"),
    ],
)
def test_older_names(kind, name, result):
    assert default_registry().find(kind, name).name == result


@pytest.mark.parametrize(
    ("kind", "old", "attribute", "expected"),
    [
        (
            "layers",
            {"Conv2D": {"filters": 1, "kernel_size": 1, "regularizer": {"L2": {"l": 0.02}}}},
            "kernel_regularizer.l2",
            0.02,
        ),
        (
            "layers",
            {"Dense": {"units": 1, "regularizer": {"L1": {"l": 0.5}}}},
            "kernel_regularizer.l1",
            0.5,
        ),
        ("layers", {"GaussianNoise": {"scale": 0.5}}, "stddev", 0.5),
        ("layers", {"LeakyReLU": {"alpha": 0.1}}, "negative_slope", 0.1),
        ("layers", {"Reshape": {"new_shape": [4]}}, "target_shape", (4,)),
        ("layers", {"Reshape": {"target_shape": 4}}, "target_shape", (4,)),
        ("optimizers", {"Adam": {"beta1": 0.5}}, "beta_1", 0.5),
        ("optimizers", {"RMSProp": {"decay": 0.5, "decay_type": "exponential_decay"}}, "rho", 0.5),
        ("initializers", {"Uniform": {"minval": -1.0, "maxval": 2.0}}, "maxval", 2.0),
        ("initializers", {"Normal": {"mean": 1.0}}, "mean", 1.0),
        ("initializers", {"VarianceScaling": {"mode": "fan_out"}}, "mode", "fan_out"),
        ("initializers", "VarianceScaling", "mode", "fan_in"),
        ("layers", {"RandomFlip": {"mode": "vertical"}}, "mode", "vertical"),
    ],
)
def test_parameters_by_the_names_of_2017(kind, old, attribute, expected):
    instance = make(kind, old, mode="train")
    assert operator.attrgetter(attribute)(instance) == expected


@pytest.mark.parametrize(
    ("config", "kind", "name"),
    [
        (plx.configs.L2RegularizerConfig(l=0.02), "regularizers", "L2"),
        (plx.configs.HuberLossConfig(clip=2.0), "losses", "HuberLoss"),
        (plx.configs.NestrovConfig(momentum=0.8), "optimizers", "Nesterov"),
        (plx.configs.UniformInitializerConfig(minval=-1), "initializers", "RandomUniform"),
        (plx.configs.MeanIOUConfig(num_classes=3), "metrics", "MeanIoU"),
        (plx.configs.ReshapeConfig(target_shape=[3]), "layers", "Reshape"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_config_objects_of_2017(config, kind, name):
    component = plx.Component.of(kind, config)
    assert component.entry.name == name
    component.build()


def test_an_activation_that_doubles_the_features(tmp_path):
    inputs = keras.Input((2, 3))
    activated = plx.Component("layers", "Activation", {"activation": "crelu"}).build()(inputs)
    outputs = plx.Component(
        "layers", "FullyConnected", {"num_units": 2, "activation": "crelu"}
    ).build()(activated)
    assert (activated.shape, outputs.shape) == ((None, 2, 6), (None, 4))
    network = keras.Model(inputs, [activated, outputs])
    x = np.array([[[1, -2, 0], [-3, 4, 5]]], "float32")
    np.testing.assert_array_equal(network(x)[0], [[[1, 0, 0, 0, 2, 0], [0, 4, 5, 3, 0, 0]]])
    network.save(tmp_path / "a.keras")
    for result, expected in zip(
        keras.models.load_model(tmp_path / "a.keras")(x), network(x), strict=True
    ):
        np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_reshape_takes_what_is_left():
    assert plx.layers.Reshape([-1, 2])(keras.Input((2, 3))).shape == (None, 3, 2)
    assert plx.layers.Reshape.from_config(plx.layers.Reshape(6).get_config())(
        np.ones((2, 2, 3))
    ).shape == (2, 6)
