"""Losses, schedules, optimizers and layers of plx_layers against numbers worked out by hand."""

import functools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.components.component import make
from plx_layers import keras_parts
from plx_layers.optimizers.fused_adam import FUSED_SIZE
from plx_layers.schedules import Decay

LOGITS = np.array([[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]], "float32")
FIRST = -math.log(math.exp(2) / (math.exp(2) + math.exp(1) + 1))


@pytest.mark.parametrize(
    "labels",
    [np.array([0, 2]), np.array([[0], [2]]), np.array([[1.0, 0, 0], [0, 0, 1.0]], "float32")],
    ids=["indices", "column", "one-hot"],
)
def test_softmax_cross_entropy(labels):
    loss = plx.losses.SoftmaxCrossEntropy()
    assert float(loss(labels, LOGITS)) == pytest.approx((FIRST + math.log(3)) / 2)


def test_softmax_cross_entropy_with_smoothing():
    smooth = 0.3
    logs = np.array([2.0, 1.0, 0.0]) - math.log(math.exp(2) + math.exp(1) + 1)
    target = np.array([1 - smooth, 0, 0]) + smooth / 3
    assert float(
        plx.losses.SoftmaxCrossEntropy(label_smoothing=smooth)(np.array([0]), LOGITS[:1])
    ) == pytest.approx(-(target * logs).sum())


def test_sigmoid_cross_entropy():
    loss = plx.losses.SigmoidCrossEntropy()
    expected = np.mean([math.log(1 + math.exp(-2)), math.log(1 + math.exp(1))])
    assert float(loss(np.array([[1.0, 0.0]]), np.array([[2.0, 1.0]], "float32"))) == pytest.approx(
        expected
    )
    smooth = plx.losses.SigmoidCrossEntropy(label_smoothing=0.2)
    assert float(smooth(np.array([[1.0]]), np.array([[2.0]], "float32"))) == pytest.approx(
        0.9 * math.log(1 + math.exp(-2)) + 0.1 * math.log(1 + math.exp(2))
    )


@pytest.mark.parametrize(
    ("params", "step", "expected"),
    [
        ({"decay_type": "exponential_decay", "decay_rate": 0.5, "decay_steps": 10}, 20, 0.25),
        ({"decay_type": "exponential_decay", "decay_rate": 0.5, "decay_steps": 10}, 5, 0.5**0.5),
        ({"decay_type": "exponential_decay", "decay_rate": 0.5, "decay_steps": 10, "staircase": True}, 19, 0.5),
        ({"decay_type": "exponential_decay", "decay_rate": 0.5, "decay_steps": 10, "start_decay_at": 10}, 9, 1.0),
        ({"decay_type": "exponential_decay", "decay_rate": 0.5, "decay_steps": 10, "start_decay_at": 10}, 30, 0.25),
        ({"decay_type": "exponential_decay", "decay_rate": 0.5, "decay_steps": 10, "stop_decay_at": 20}, 90, 0.25),
        ({"decay_type": "exponential_decay", "decay_rate": 0.5, "decay_steps": 10, "min_learning_rate": 0.4}, 90, 0.4),
        ({"decay_type": "natural_exp_decay", "decay_rate": 0.5, "decay_steps": 10}, 20, math.exp(-1)),
        ({"decay_type": "inverse_time_decay", "decay_rate": 0.5, "decay_steps": 10}, 20, 0.5),
        ({"decay_type": "polynomial_decay", "decay_steps": 10, "end_learning_rate": 0.1}, 5, 0.55),
        ({"decay_type": "polynomial_decay", "decay_steps": 10, "end_learning_rate": 0.1, "power": 2.0}, 5, 0.9 * 0.25 + 0.1),
        ({"decay_type": "polynomial_decay", "decay_steps": 10, "end_learning_rate": 0.1}, 50, 0.1),
        ({"decay_type": "polynomial_decay", "decay_steps": 10}, 50, 0.0001),
        ({"decay_type": "cosine_decay", "decay_steps": 10}, 0, 1.0),
        ({"decay_type": "cosine_decay", "decay_steps": 9}, 3, 0.75),
        ({"decay_type": "cosine_decay", "decay_steps": 9}, 6, 0.25),
        ({"decay_type": "cosine_decay", "decay_steps": 9, "end_learning_rate": 0.2}, 6, 0.8 * 0.25 + 0.2),
        ({"decay_type": "cosine_decay", "decay_steps": 9, "end_learning_rate": 0.2}, 90, 0.2),
        ({"decay_type": "cosine_decay", "decay_steps": 9, "start_decay_at": 10, "stop_decay_at": 13}, 17, 0.75),
        ({"decay_type": "cosine_decay", "decay_steps": 3, "staircase": True}, 2, 1.0),
        ({"decay_type": "piecewise_constant", "boundaries": [10, 20], "values": [1.0, 0.5, 0.2]}, 10, 1.0),
        ({"decay_type": "piecewise_constant", "boundaries": [10, 20], "values": [1.0, 0.5, 0.2]}, 11, 0.5),
        ({"decay_type": "piecewise_constant", "boundaries": [10, 20], "values": [1.0, 0.5, 0.2]}, 21, 0.2),
    ],
)  # fmt: skip
def test_decay(params, step, expected):
    schedule = Decay(1.0, **params)
    assert float(schedule(step)) == pytest.approx(expected, rel=1e-6)
    assert float(Decay(**schedule.get_config())(step)) == pytest.approx(expected, rel=1e-6)


def test_decay_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="one more value than boundaries; got 2 and 2"):
        Decay(1.0, "piecewise_constant", boundaries=[1, 2], values=[1.0, 0.5])
    with pytest.raises(ValueError, match="decay_type: expected one of"):
        Decay(1.0, "cosine")
    with pytest.raises(ValueError, match="learning_rate: a decay starts at a number, got Decay"):
        Decay(Decay(1.0))


@pytest.mark.parametrize(
    ("rate", "step", "expected"),
    [(0.8, 0, 0.2), (0.8, 2, 0.6), (0.8, 3, 0.8), (0.8, 40, 0.8)]
    + [
        ({"Decay": {"learning_rate": 0.8, "decay_rate": 0.5, "decay_steps": 4}}, *case)
        for case in ((0, 0.1), (3, 0.4), (4, 0.4), (8, 0.2))
    ],
)
def test_warm_up(rate, step, expected):
    schedule = make("schedules", {"Warmup": {"learning_rate": rate, "warmup_steps": 4}})
    assert float(schedule(step)) == pytest.approx(expected, rel=1e-6)
    copy = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert float(copy(step)) == pytest.approx(expected, rel=1e-6)


def test_an_optimizer_warms_up_with_and_without_a_decay():
    plain = make("optimizers", {"Adam": {"learning_rate": 0.8, "warmup_steps": 4}})
    decays = {
        "decay_type": "inverse_time_decay",
        "decay_rate": 1.0,
        "decay_steps": 4,
        "start_decay_at": 4,
    }
    decaying = make("optimizers", {"SGD": {"learning_rate": 0.8, "warmup_steps": 4, **decays}})
    for step, flat, falling in ((1, 0.4, 0.4), (4, 0.8, 0.8), (8, 0.8, 0.4)):
        plain.iterations.assign(step)
        decaying.iterations.assign(step)
        assert (float(plain.learning_rate), float(decaying.learning_rate)) == (
            pytest.approx(flat),
            pytest.approx(falling),
        )


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("Momentum", [-0.1, -0.1 + (0.9 * -0.1 - 0.2)]),
        ("Nesterov", [0.9 * -0.1 - 0.1, -0.19 + 0.9 * (0.9 * -0.1 - 0.2) - 0.2]),
        ("Nestrov", [0.9 * -0.1 - 0.1, -0.19 + 0.9 * (0.9 * -0.1 - 0.2) - 0.2]),
        ("SGD", [-0.1, -0.3]),
    ],
)
def test_momentum_by_hand(name, weights):
    optimizer = make("optimizers", {name: {"learning_rate": 0.1}})
    variable = keras.Variable([0.0])
    for gradient, expected in zip((1.0, 2.0), weights, strict=True):
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [variable])
        assert float(variable[0]) == pytest.approx(expected, rel=1e-5)


OPTIMIZERS = [*keras_parts.classes("optimizers"), "Momentum", "Nesterov"]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_takes_a_decay(name):
    optimizer = make(
        "optimizers",
        {
            name: {
                "learning_rate": 1.0,
                "decay_type": "inverse_time_decay",
                "decay_rate": 1.0,
                "decay_steps": 1,
            }
        },
    )
    optimizer.build([keras.Variable([1.0, 2.0])])
    assert float(optimizer.learning_rate) == pytest.approx(1.0)
    optimizer.iterations.assign(3)
    assert float(optimizer.learning_rate) == pytest.approx(0.25)


def test_without_a_decay_an_optimizer_is_keras_own():
    optimizer = plx.optimizers.adam(0.02, beta_1=0.8)
    assert (
        isinstance(optimizer, keras.optimizers.Adam)
        and type(plx.optimizers.SGD()) is keras.optimizers.SGD
    )
    assert (float(optimizer.learning_rate), optimizer.beta_1) == (pytest.approx(0.02), 0.8)
    with pytest.raises(ValueError, match="decay_rate: these have no effect without decay_type"):
        plx.optimizers.SGD(decay_rate=0.5)


def one_step(optimizer, weights, is_dense, large, small):
    rows = tf.IndexedSlices(tf.ones((3, 8)), tf.constant([1, 5, 7]), weights[0].shape)
    optimizer.apply([tf.convert_to_tensor(rows) if is_dense else rows, large, small], weights)


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"amsgrad": True},
        {"weight_decay": 0.1},
        {"clipnorm": 0.5, "use_ema": True},
        {"gradient_accumulation_steps": 2},
    ],
)
@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_updates_are_kerass_in_fewer_operations(name, params, xla):
    """The rows of an embedding, a large variable and a small one, for five steps."""
    rng = np.random.default_rng(0)
    shapes = [(FUSED_SIZE // 8, 8), (FUSED_SIZE,), (FUSED_SIZE - 1,)]
    begin = [rng.normal(size=shape).astype("float32") for shape in shapes]
    gradients = [
        [rng.normal(size=shape).astype("float32") for shape in shapes[1:]] for _ in range(5)
    ]
    result, operations = [], []
    for factory in (getattr(keras.optimizers, name), getattr(plx.optimizers, name)):
        optimizer, weights = (
            factory(learning_rate=0.1, **params),
            [keras.Variable(value) for value in begin],
        )
        optimizer.build(weights)

        step = tf.function(functools.partial(one_step, optimizer, weights, xla), jit_compile=xla)
        for each in gradients:
            step(*each)
        operations.append(
            [
                operation.type
                for operation in step.get_concrete_function(*gradients[0]).graph.get_operations()
            ]
        )
        result.append([np.asarray(weight) for weight in weights])
    for own, keras_own in zip(result[1], result[0], strict=True):
        # The operation takes 1 - beta_2 in float32, which is 5e-5 off; a step is 0.1.
        np.testing.assert_allclose(own, keras_own, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(result[1][2], result[0][2])  # the small one, bit for bit
    assert "ResourceApplyAdam" not in operations[0]
    is_inside, is_kerass = (
        "gradient_accumulation_steps" in params,
        "amsgrad" in params,
    )  # another function
    if not is_inside:
        assert operations[1].count("ResourceApplyAdam") == (0 if is_kerass else 1 + xla)
        assert (len(operations[1]) < len(operations[0])) is not is_kerass


def test_cast():
    layer = plx.layers.Cast("float32")
    assert layer(np.ones((2, 3), "uint8")).dtype == "float32"
    assert layer(keras.Input((3,), dtype="uint8")).dtype == "float32"
    assert plx.layers.Cast.from_config(layer.get_config())(np.ones(2, "int64")).dtype == "float32"


def test_all_of_keras_stock_is_there_without_importing_it():
    names = keras_parts.classes("layers")
    assert {
        "Dense",
        "Conv2D",
        "LSTM",
        "MultiHeadAttention",
        "BatchNormalization",
        "TimeDistributed",
    } <= set(names)
    assert names["Dense"] == "keras.layers:Dense"
    assert not {"Layer", "Lambda", "TFSMLayer", "Input"} & set(names)
    assert {"relu", "gelu", "softmax"} <= set(keras_parts.functions("activations"))


@pytest.mark.parametrize(
    "kind",
    [
        "layers",
        "losses",
        "optimizers",
        "metrics",
        "schedules",
        "initializers",
        "regularizers",
        "constraints",
        "activations",
        "models",
    ],
)
def test_every_component_loads_and_says_what_it_takes(kind):
    from plx_core.components.component import default_registry
    from plx_core.components.json_schema import factory_schema

    for entry in default_registry().entries(kind):
        schema = factory_schema(entry.load(), kind)
        assert set(schema["required"]) <= set(schema["properties"]), entry.name
