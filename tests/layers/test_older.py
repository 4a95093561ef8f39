"""The layers of polyaxon-lib's JSON dialect."""

import json

import keras
import numpy as np
import pytest

import plx_core as plx
from plx_core.checking import check
from plx_core.components import default_registry
from plx_core.shapes import check_shapes


@pytest.mark.parametrize(
    ("name", "params", "shape", "expected"),
    [
        ("FullyConnected", {"num_units": 7, "activation": "tanh", "regularizer": "l2_regularizer", "dropout": 0.5}, (2, 4, 3), (2, 7)),
        ("Conv1d", {"num_filter": 5, "filter_size": 3, "strides": 2}, (2, 8, 3), (2, 4, 5)),
        ("Conv2d", {"num_filter": 5, "filter_size": 3, "regularizer": "l2_regularizer"}, (2, 8, 8, 3), (2, 8, 8, 5)),
        ("Conv2d", {"num_filter": 5, "filter_size": [3, 5], "padding": "VALID"}, (2, 8, 8, 3), (2, 6, 4, 5)),
        ("Conv3d", {"num_filter": 2, "filter_size": 3}, (1, 4, 4, 4, 1), (1, 4, 4, 4, 2)),
        ("Conv2dTranspose", {"num_filter": 2, "filter_size": 3, "strides": 2}, (1, 4, 4, 1), (1, 8, 8, 2)),
        ("MaxPool1d", {"kernel_size": 2}, (1, 5, 1), (1, 3, 1)),
        ("MaxPool2d", {"kernel_size": 2}, (1, 4, 4, 1), (1, 2, 2, 1)),
        ("MaxPool3d", {"kernel_size": 2}, (1, 4, 4, 4, 1), (1, 2, 2, 2, 1)),
        ("AvgPool1d", {"kernel_size": 2, "strides": 1}, (1, 4, 1), (1, 4, 1)),
        ("AvgPool2d", {"kernel_size": 2}, (1, 4, 4, 1), (1, 2, 2, 1)),
        ("AvgPool3d", {"kernel_size": 2}, (1, 4, 4, 4, 1), (1, 2, 2, 2, 1)),
        ("Upsample2d", {"kernel_size": 2}, (1, 4, 4, 1), (1, 8, 8, 1)),
    ],
)
def test_shapes_and_a_saved_copy(name, params, shape, expected, tmp_path):
    inputs = keras.Input(shape[1:])
    network = keras.Model(inputs, plx.Component("layers", name, params).build(mode="train")(inputs))
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    assert tuple(network(x).shape) == expected
    network.save(tmp_path / "a.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "a.keras")(x), network(x), rtol=1e-5, atol=1e-6)


def test_the_mode_may_come_first():
    assert plx.layers.FullyConnected("train", num_units=3)(np.ones((2, 5), "float32")).shape == (2, 3)
    assert plx.layers.Conv2d("train", num_filter=3, filter_size=1)(np.ones((1, 2, 2, 1), "float32")).shape == (1, 2, 2, 3)


def test_the_penalty_is_tensorflow_1s():
    assert float(plx.regularizers.l2_regularizer(0.1)(np.array([3.0, 4.0], "float32"))) == pytest.approx(0.1 * 25 / 2)
    assert float(plx.regularizers.l1_regularizer(0.1)(np.array([-3.0, 4.0], "float32"))) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("kind", "name", "found"),
    [
        ("layers", "conv2d", "Conv2D"),
        ("layers", "Conv2d", "Conv2d"),
        ("layers", "max_pooling2d", "MaxPooling2D"),
        ("metrics", "streaming_true_positives", "TruePositives"),
        ("metrics", "streaming_auc", "AUC"),
        ("metrics", "streaming_root_mean_squared_error", "RootMeanSquaredError"),
        ("losses", "huber_loss", "Huber"),
        ("losses", "softmax_cross_entropy", "SoftmaxCrossEntropy"),
        ("losses", "mean_squared_error", "MeanSquaredError"),
        ("optimizers", "adadelta", "Adadelta"),
    ],
)
def test_older_names(kind, name, found):
    assert default_registry().find(kind, name).name == found


def test_the_seeds_json_is_correct(tmp_path, digits):
    files = {"data_files": f"{digits}/digits_train.tfrecord", "meta_data_file": f"{digits}/meta_data.json"}
    definition = [
        ["Conv2d", {"regularizer": "l2_regularizer", "num_filter": 32, "filter_size": 5, "strides": 1}],
        ["MaxPool2d", {"kernel_size": 2}],
        ["FullyConnected", {"num_units": 64, "activation": "tanh"}],
        ["FullyConnected", {"num_units": 10}],
    ]
    seed = {
        "name": "MyModel",
        "run_config": {"save_checkpoints_steps": 100},
        "train_input_data_config": {
            "pipeline_config": {"module": "TFRecordImagePipeline", "batch_size": 64, "dynamic_pad": False, "params": files}
        },
        "model_config": {
            "summaries": ["loss", "gradients", "activations"],
            "module": "Classifier",
            "loss_config": {"module": "softmax_cross_entropy"},
            "eval_metrics_config": [
                {"module": f"streaming_{name}"} for name in ("true_positives", "recall", "auc", "accuracy", "precision")
            ],
            "optimizer_config": {"module": "adam", "learning_rate": 0.007, "decay_type": "exponential_decay", "decay_rate": 0.2},
            "one_hot_encode": True,
            "n_classes": 10,
            "graph_config": {"name": "lenet", "features": ["image"], "definition": definition},
        },
    }
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    check_shapes(check(tmp_path / "seed.json"))
