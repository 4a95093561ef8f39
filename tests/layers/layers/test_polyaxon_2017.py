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


def layer(name, **params):
    return plx.Component("layers", name, params).build(mode="train")


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


X = np.random.default_rng(4).normal(size=(2, 6)).astype("float32")
IMAGES = np.random.default_rng(5).normal(size=(2, 5, 4, 3)).astype("float32")


def test_a_highway_carries_what_its_gate_does_not_transform():
    highway = layer("Highway", num_units=6, activation="tanh")
    result = highway(X)
    w, b, w_t, b_t = (variable.numpy() for variable in highway.weights)
    assert (b_t == -1.0).all()
    assert (w != w_t).any()
    gate = sigmoid(X @ w_t + b_t)
    np.testing.assert_allclose(
        result, gate * np.tanh(X @ w + b) + (1 - gate) * X, rtol=1e-5, atol=1e-6
    )
    with pytest.raises(ValueError, match="num_units is 3, and there are 6 inputs"):
        layer("Highway", num_units=3)(X)


def test_a_highway_convolution_gates_one_convolution():
    highway = layer("HighwayConv2d", num_filter=4, filter_size=3, activation="relu")
    result = highway(IMAGES)
    w, b, w_t, b_t = (variable.numpy() for variable in highway.weights)
    assert (b_t == -3.0).all()
    convolved = keras.ops.conv(IMAGES, w, 1, "same").numpy()
    gate = sigmoid(convolved * w_t + b_t)
    np.testing.assert_allclose(
        result,
        gate * np.maximum(convolved + b, 0) + (1 - gate) * convolved,
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("name", "params"),
    [("ResidualBlock", {}), ("ResidualBottleneck", {"bottleneck_size": 2})],
)
def test_a_residual_block_adds_to_its_padded_and_averaged_input(name, params):
    residual = layer(
        name, num_blocks=1, out_channels=6, downsample=True, batch_norm=False, bias=False, **params
    )
    images = IMAGES[:, :4]
    residual.build(images.shape)
    for variable in residual.weights:
        variable.assign(np.zeros(variable.shape))
    averaged = images.reshape(2, 2, 2, 2, 2, 3).mean((2, 4))
    expected = np.pad(averaged, [(0, 0), (0, 0), (0, 0), (1, 2)])
    if name == "ResidualBottleneck":
        expected = np.maximum(expected, 0)
    np.testing.assert_allclose(residual(images), expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="out_channels is 2, and the input has 3"):
        layer(name, num_blocks=1, out_channels=2, **params)(images)


def test_the_penalty_of_a_residual_block_is_that_of_2017():
    residual = layer("ResidualBlock", num_blocks=1, out_channels=3, batch_norm=False)
    residual(IMAGES)
    kernels = [variable for variable in residual.weights if len(variable.shape) == 4]
    expected = sum(0.0001 / 2 * np.sum(kernel.numpy() ** 2) for kernel in kernels)
    assert float(sum(residual.losses)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("regularizer", "penalty"),
    [("l1_regularizer", lambda w: np.abs(w).sum()), ("l2_regularizer", lambda w: (w**2).sum() / 2)],
)
def test_scale_is_the_strength_of_the_regularizer(regularizer, penalty):
    dense = layer("FullyConnected", num_units=2, regularizer=regularizer, scale=0.25)
    dense(X)
    assert float(sum(dense.losses)) == pytest.approx(0.25 * penalty(dense.kernel.numpy()), rel=1e-4)
    with pytest.raises(plx.errors.ConfigError, match="scale is the strength of l1_regularizer"):
        layer("Conv2d", num_filter=2, filter_size=1, regularizer="OrthogonalRegularizer", scale=1.0)


def test_normalizations():
    np.testing.assert_allclose(
        layer("L2Normalization", dim=1)(X),
        X / np.linalg.norm(X, axis=1, keepdims=True),
        rtol=1e-5,
    )
    squares = np.pad(IMAGES**2, [(0, 0)] * 3 + [(1, 1)])
    around = sum(squares[..., start : start + 3] for start in range(3))
    result = layer("LocalResponseNormalization", depth_radius=1, bias=2.0, alpha=0.5, beta=0.75)
    np.testing.assert_allclose(result(IMAGES), IMAGES / (2.0 + 0.5 * around) ** 0.75, rtol=1e-5)


def test_tensors_are_encoded_cut_and_scaled():
    codes = layer("OneHotEncoding", n_classes=3, on_value=0.9, off_value=0.1)(np.array([2, 0]))
    np.testing.assert_allclose(codes, [[0.1, 0.1, 0.9], [0.9, 0.1, 0.1]], rtol=1e-6)
    np.testing.assert_array_equal(layer("Slice", begin=[0, 4], size=[-1, 1])(X), X[:, 4:5])
    line = layer("SingleUnit")
    numbers = np.array([1.0, 2.0, 5.0], "float32")
    result = line(numbers)
    (w,), (b,) = (variable.numpy() for variable in line.weights)
    np.testing.assert_allclose(result, w * numbers + b, rtol=1e-5)
    with pytest.raises(ValueError, match="SingleUnit takes one number of each example"):
        layer("SingleUnit")(X)


@pytest.mark.parametrize(
    ("mode", "joined"),
    [
        ("concat", lambda a, b: np.concatenate([a, b], 1)),
        ("elemwise_sum", np.add),
        ("elemwise_mul", np.multiply),
        ("sum", lambda a, b: np.concatenate([a, b], 1).sum(1)),
        ("mean", lambda a, b: np.concatenate([a, b], 1).mean(1)),
        ("prod", lambda a, b: np.concatenate([a, b], 1).prod(1)),
        ("max", lambda a, b: np.concatenate([a, b], 1).max(1)),
        ("min", lambda a, b: np.concatenate([a, b], 1).min(1)),
        ("and", lambda a, b: np.concatenate([a, b], 1).all(1)),
        ("or", lambda a, b: np.concatenate([a, b], 1).any(1)),
    ],
)
def test_outputs_are_merged(mode, joined):
    modules = ["Flatten", {"Activation": {"activation": "relu"}}]
    merged = layer("Merge", modules=modules, merge_mode=mode)
    result = merged(X)
    expected = joined(X, np.maximum(X, 0))
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert merged.compute_output_shape(X.shape) == expected.shape


def test_both_directions_give_their_last_output():
    cells = {f"rnncell_{way}": {"BasicLSTMCell": {"num_units": 3}} for way in ("fw", "bw")}
    sequences = np.random.default_rng(6).normal(size=(2, 5, 4)).astype("float32")
    both = layer("BidirectionalRNN", **cells, return_seq=True, dynamic=True)
    whole = both(sequences).numpy()
    assert whole.shape == (2, 5, 6)
    last = layer("BidirectionalRNN", **cells, dynamic=True)
    last.build(sequences.shape)
    last.set_weights(both.get_weights())
    np.testing.assert_allclose(
        last(sequences), np.concatenate([whole[:, -1, :3], whole[:, 0, 3:]], 1), rtol=1e-5
    )
    padded = np.pad(sequences, [(0, 0), (0, 3), (0, 0)])
    np.testing.assert_allclose(last(padded), last(sequences), rtol=1e-5)
    cells["rnncell_bw"] = {"BasicRNNCell": {"num_units": 2}}
    with pytest.raises(plx.errors.ConfigError, match="these have 3 and 2"):
        layer("BidirectionalRNN", **cells)


def test_scores_are_enlarged_bilinearly():
    scores = np.zeros((1, 3, 3, 2), "float32")
    scores[0, 1, 1] = [4.0, 8.0]
    enlarged = layer("Upscore", num_classes=1)(scores).numpy()
    assert enlarged.shape == (1, 5, 5, 1)
    weights = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(enlarged[0, 1:5, 1:5, 0], 4.0 * np.outer(weights, weights))
    assert layer("Upscore", num_classes=2, shape=[1, 6, 5])(scores).shape == (1, 6, 5, 2)
    with pytest.raises(ValueError, match="num_classes is 3, and there are 2 channels"):
        layer("Upscore", num_classes=3)(scores)
