"""Graphs within graphs, layers used twice with one set of weights, and the gradients of embeddings."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tests.core.small_estimators import make_estimator

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn
from plx_core.engine.gradients import clip_gradients
from plx_core.errors import ConfigError

TOWER = {"SubGraph": {"name": "tower", "inbound_nodes": "left", "layers": [{"Dense": {"units": 3, "activation": "tanh"}}, {"Dense": {"units": 2, "name": "end"}}]}}  # fmt: skip
SIAMESE = {
    "layers": [
        TOWER,
        {"Shared": {"layer": "tower", "name": "right_tower", "inbound_nodes": "right"}},
        {"Subtract": {"inbound_nodes": ["tower", "right_tower"]}},
        {"Dense": {"units": 1}},
    ]
}


def network_of(graph, **shapes):
    features = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    return keras.Model(features, plx.Graph(**graph)("train", features))


def pairs(count=32):
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=(count, 4)).astype("float32") for name in ("left", "right")}


def test_a_tower_used_twice_has_one_set_of_weights():
    network = network_of(SIAMESE, left=(4,), right=(4,))
    assert [variable.path for variable in network.variables] == [
        "tower_dense/kernel", "tower_dense/bias", "tower_end/kernel", "tower_end/bias", "dense/kernel", "dense/bias",
    ]  # fmt: skip
    assert network.count_params() == (4 * 3 + 3) + (3 * 2 + 2) + (2 + 1)
    x = pairs()
    (kernel, bias, end, end_bias, last, last_bias) = (
        variable.numpy() for variable in network.variables
    )
    towers = [np.tanh(x[side] @ kernel + bias) @ end + end_bias for side in ("left", "right")]
    np.testing.assert_allclose(
        network(x), (towers[0] - towers[1]) @ last + last_bias, rtol=1e-4, atol=1e-5
    )


def test_both_uses_teach_the_tower(tmp_path):
    x = pairs()
    alike = np.abs(x["left"] - x["right"]).sum(axis=1)

    def model_fn(features, labels, mode):
        model = plx.models.Regressor(
            mode,
            graph=plx.Graph(**SIAMESE),
            optimizer={"SGD": {"learning_rate": 1.0}},
            summaries="all",
        )
        return model(features, labels)

    estimator = make_estimator(tmp_path / "run", model_fn, trackers=None, save_summary_steps=1)
    estimator.train(numpy_input_fn(x, alike, 32, num_epochs=1, shuffle=False), max_steps=1)
    fresh = model_fn({name: keras.Input((4,), name=name) for name in x}, None, "eval").network
    names = [variable.path for variable in fresh.variables]
    assert set(estimator.get_variable_names()) == set(names)
    path = estimator.export(
        tmp_path / "kept", numpy_input_fn(x, alike, 32, num_epochs=1, shuffle=False), format="keras"
    )
    reloaded = keras.models.load_model(path / "model.keras")
    assert reloaded.count_params() == fresh.count_params()
    rows = np.stack(
        [
            row["results"]
            for row in estimator.predict(numpy_input_fn(x, None, 32, num_epochs=1, shuffle=False))
        ]
    )
    np.testing.assert_allclose(reloaded(x), rows, rtol=1e-5)


def test_gradients_of_both_uses_add_up():
    network = network_of(SIAMESE, left=(4,), right=(4,))
    x = {name: tf.constant(value) for name, value in pairs(2).items()}
    kernel = network.variables[0]

    def slope(features):
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(network(features))
        return tape.gradient(total, kernel).numpy()

    same = {"left": x["left"], "right": x["left"]}
    np.testing.assert_allclose(slope(same), 0, atol=1e-6)
    assert np.abs(slope(x)).max() > 1e-3


def test_any_layer_can_be_shared_and_graphs_lie_within_graphs():
    graph = {
        "layers": [
            {
                "Embedding": {
                    "input_dim": 10,
                    "output_dim": 3,
                    "name": "words",
                    "inbound_nodes": "question",
                }
            },
            {"Shared": {"layer": "words", "inbound_nodes": "answer", "name": "answer_words"}},
            {
                "SubGraph": {
                    "name": "join",
                    "input_layers": ["a", "b"],
                    "inbound_nodes": ["words", "answer_words"],
                    "layers": [
                        {
                            "SubGraph": {
                                "name": "mean",
                                "inbound_nodes": "b",
                                "layers": ["GlobalAveragePooling1D", {"Dense": {"units": 3}}],
                            }
                        },
                        {"Shared": {"layer": "mean", "inbound_nodes": "a"}},
                        {"Concatenate": {"inbound_nodes": ["mean", "shared"]}},
                    ],
                }
            },
        ]
    }
    network = network_of(graph, question=(5,), answer=(7,))
    assert [variable.path for variable in network.variables] == [
        "words/embeddings",
        "join_mean_dense/kernel",
        "join_mean_dense/bias",
    ]
    assert network.output_shape == (None, 6)


def test_a_sub_graph_used_once_is_its_layers():
    flat = network_of({"layers": ["Flatten", {"Dense": {"units": 2}}]}, x=(2, 2))
    nested = network_of(
        {"layers": [{"SubGraph": {"layers": ["Flatten", {"Dense": {"units": 2}}]}}]}, x=(2, 2)
    )
    for source, target in zip(flat.variables, nested.variables, strict=True):
        target.assign(source)
    x = {"x": np.ones((3, 2, 2), "float32")}
    np.testing.assert_array_equal(nested(x), flat(x))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["Flatten", {"Shared": {"layer": "flaten"}}], r"layers\[1\].Shared.layer: there is no earlier layer called flaten; did you mean flatten"),
        ([{"Shared": {"layer": "dense"}}, {"Dense": {"units": 1}}], "there is no earlier layer called dense .there are none"),
        ([{"SubGraph": {"layers": [{"Dense": {"unit": 1}}]}}], "Dense"),
        ([{"SubGraph": {"layers": ["Flatten"], "input_layers": ["a", "b"]}}], "sub_graph takes a, b, and was given 1 tensors"),
        ([{"SubGraph": {"layers": [{"Flatten": {"inbound_nodes": "x"}}]}}], "there is no feature or earlier layer called x .there are input_0"),
    ],
)  # fmt: skip
def test_what_cannot_be_shared(layers, message):
    with pytest.raises((ConfigError, plx.errors.ComponentError), match=message):
        network_of({"layers": layers}, x=(2, 2))


def test_gradients_of_embeddings_are_clipped_each_by_its_own_norm():
    embedding, dense = (
        keras.layers.Embedding(4, 2, name="words"),
        keras.layers.Dense(1, name="dense"),
    )
    embedding.build((None, 3))
    dense.build((None, 2))
    weights = [embedding.embeddings, dense.kernel, dense.bias]
    gradients = [tf.fill([4, 2], 1.0), tf.fill([2, 1], 3.0), tf.constant([4.0])]
    clipped = clip_gradients(gradients, weights, None, 0.5)
    assert float(tf.norm(clipped[0])) == pytest.approx(0.5)
    np.testing.assert_allclose(clipped[0], np.full((4, 2), 0.5 / np.sqrt(8)), rtol=1e-6)
    np.testing.assert_array_equal(clipped[1], gradients[1])
    sparse = tf.IndexedSlices(tf.fill([2, 2], 1.0), tf.constant([0, 3]), tf.constant([4, 2]))
    np.testing.assert_allclose(
        clip_gradients([sparse], weights[:1], None, 1.0)[0].values, np.full((2, 2), 0.5), rtol=1e-6
    )
    np.testing.assert_array_equal(
        clip_gradients([sparse], weights[:1], None, 5.0)[0].values, np.ones((2, 2))
    )


def test_clip_embed_gradients_bounds_the_first_step_of_embeddings_alone(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, (16, 3)), 100.0 * rng.normal(size=16).astype("float32")
    moved = {}
    for name, extra in (("free", {}), ("clipped", {"clip_embed_gradients": 0.01})):

        def model_fn(features, labels, mode, extra=extra):
            graph = plx.Graph(
                layers=[
                    {"Embedding": {"input_dim": 6, "output_dim": 2}},
                    "Flatten",
                    {"Dense": {"units": 1}},
                ]
            )
            optimizer = {"SGD": {"learning_rate": 1e-3}}
            return plx.models.Regressor(mode, graph=graph, optimizer=optimizer, **extra)(
                features, labels
            )

        estimator = make_estimator(tmp_path / name, model_fn)
        estimator.train(numpy_input_fn({"x": x}, y, 16, num_epochs=1, shuffle=False))
        keras.utils.set_random_seed(5)
        before = model_fn({"x": keras.Input((3,), name="x")}, None, "eval").network
        moved[name] = [
            np.linalg.norm(estimator.get_variable_value(v.path) - v.numpy())
            for v in before.variables[:2]
        ]
    # A sparse gradient is clipped by the norm of its rows, of which an embedding that occurs several times adds up several.
    assert moved["clipped"][0] <= 1e-3 * 0.01 * np.sqrt(16 * 3)
    assert moved["clipped"][0] < 0.1 * moved["free"][0]
    assert moved["clipped"][1] == pytest.approx(moved["free"][1], rel=1e-5)
