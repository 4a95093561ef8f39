"""A regressor has an output for each label."""

import keras
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.errors import ComponentError


def build(outputs, labels):
    features = {"x": keras.Input([4], name="x")}
    graph = [{"Dense": {"units": 6}}, {"Reshape": {"target_shape": list(outputs)}}]
    model = plx.models.Regressor("train", graph=plx.Graph(layers=graph))
    return model(features, tf.TensorSpec([None, *labels], "float32"))


@pytest.mark.parametrize(
    ("outputs", "labels"), [([6], [6]), ([2, 3], [2, 3]), ([6, 1], [6]), ([6, 1], [6, 1])]
)
def test_shapes_that_fit(outputs, labels):
    spec = build(outputs, labels)
    values = tf.zeros([2, *outputs])
    loss = spec.loss_fn({}, tf.fill([2, *labels], 3.0), values)
    assert float(loss) == 9.0


@pytest.mark.parametrize(
    ("outputs", "labels"),
    [([6], []), ([6], [1]), ([6], [3]), ([2, 3], [2]), ([2, 3], [3]), ([6], [6, 1]), ([6, 1], [3])],
)
def test_shapes_that_keras_would_broadcast(outputs, labels):
    with pytest.raises(ComponentError, match="a Regressor needs an output for each label"):
        build(outputs, labels)
