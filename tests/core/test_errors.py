"""Errors of Keras and TensorFlow, told in one line."""

import keras
import pytest
import tensorflow as tf

from plx_core.errors import reason_of


def raised(function, *arguments):
    with pytest.raises(Exception) as caught:
        function(*arguments)
    return reason_of(caught.value)


def test_of_a_layer_that_cannot_take_its_input():
    expected = "The total size of the tensor must be unchanged. Received: input_shape=(4,), target_shape=(3,)"
    assert raised(keras.layers.Reshape((3,)), keras.Input((4,))) == expected


def test_of_a_network_inside_a_function():
    inputs = keras.Input((4,))
    network = keras.Model(inputs, keras.layers.Dense(2, name="last")(inputs))
    reason = raised(tf.function(lambda x: network(x)), tf.zeros((1, 3)))
    assert "incompatible" in reason
    assert "(1, 3)" in reason
    assert not any(
        frame in reason
        for frame in ("in user code", "Exception encountered", "Arguments received", "\x1b", "\n")
    )


def test_of_ones_own_code_inside_a_function():
    def refuse(x):
        raise ValueError("class_weights: expected 3 numbers")

    assert raised(tf.function(refuse), tf.zeros(1)) == "class_weights: expected 3 numbers"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("one\ntwo"), "one two"),
        (ValueError(), "ValueError"),
        (KeyError("name"), "'name'"),
    ],
)
def test_of_plain_errors(error, expected):
    assert reason_of(error) == expected
