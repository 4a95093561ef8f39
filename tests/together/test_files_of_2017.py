"""Files of polyaxon-lib's dialects on records of digits, and mistakes in them."""

import json

import pytest
import yaml
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.config.check import check_config
from plx_core.config.load import is_2017, load_tree
from plx_core.config.yaml_tree import from_python, to_python
from plx_core.errors import ConfigError
from plx_core.experiments.dry_run_cache import check_shapes

YAML_OF_2017 = """
version: 1
model:
  classifier:
    loss: {{SigmoidCrossEntropy: }}
    optimizer: {{Momentum: {{learning_rate: 0.001}}}}
    metrics: [Accuracy, Precision]
    one_hot_encode: true
    n_classes: 10
    graph:
      input_layers: image
      layers:
        - Conv2D: {{filters: 4, kernel_size: 3, activation: elu, regularizer: {{L2: {{l: 0.02}}}}}}
        - Flatten:
        - Dense: {{units: 8, activation: relu, dropout: 0.5}}
        - Dense: {{units: 10}}
train:
  train_steps: 2
  data_pipeline:
    TFRecordImagePipeline:
      data_files: ["{0}/digits_train.tfrecord"]
      meta_data_file: "{0}/meta_data.json"
      feature_processors:
        image:
          input_layers: [image]
          layers: [{{Cast: {{dtype: float32}}}}, Standardization, {{GaussianNoise: {{scale: 0.5}}}}, {{Reshape: {{target_shape: 784}}}}, {{Reshape: {{new_shape: [28, 28, 1]}}}}]
"""


def test_the_spellings_of_2017s_yaml_files_are_correct(tmp_path, digits):
    (tmp_path / "old.yml").write_text(YAML_OF_2017.format(digits))
    check_shapes(check_config(tmp_path / "old.yml"))


def test_a_message_of_keras_stands_without_its_frame(digits):
    text = YAML_OF_2017.format(digits).replace("target_shape: 784", "target_shape: 64")
    with pytest.raises(ConfigError) as caught:
        check_shapes(check_config(yaml.safe_load(text)))
    message = str(caught.value)
    assert (
        "cannot take gaussian_noise of shape (None, 28, 28, 1): The total size of the tensor must be unchanged"
        in message
    )
    assert "\x1b" not in message


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            ["Flatten", {"Dense": {"units": 10, "activation": "crelu"}}],
            r"the last layer declares the shape (None, 10) and computes (None, 20)",
        ),
        (
            ["Flatten", {"Dense": {"units": 4, "activation": "crelu"}}, {"Dense": {"units": 10}}],
            "the network cannot be computed: Input 0 with name 'None' of layer 'dense_1' is incompatible with the layer: expected axis -1",
        ),
    ],
)
def test_an_activation_that_doubles_the_features_of_a_layer_of_keras_is_refused(
    layers, message, digits
):
    config = yaml.safe_load(YAML_OF_2017.format(digits))
    config["model"]["classifier"]["graph"]["layers"] = layers
    with pytest.raises(ConfigError) as caught:
        check_shapes(check_config(config))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            {"SoftmaxCrossEntropy": {"class_weights": [1.0, 2.0]}},
            "class_weights: expected 10 numbers, one per class, got 2",
        ),
        ({"LogLoss": {"wieghts": 1.0}}, "unknown parameter; did you mean weights?"),
        ({"MeanSquaredError": {"weights": -1.0}}, "expected a number at least 0, got -1"),
        ({"LogLoss": {"weights": -1.0}}, "expected a number at least 0, got -1"),
    ],
)
def test_mistakes_in_a_loss_are_explained(loss, message, digits):
    config = yaml.safe_load(YAML_OF_2017.format(digits))
    config["model"]["classifier"] |= {
        "loss": loss,
        "graph": {"input_layers": "image", "layers": ["Flatten", {"Dense": {"units": 10}}]},
    }
    with pytest.raises(ConfigError) as caught:
        check_shapes(check_config(config))
    assert message in str(caught.value)


def seed(digits, definition):
    """The seed's JSON as data, on records of digits."""
    files = {
        "data_files": f"{digits}/digits_train.tfrecord",
        "meta_data_file": f"{digits}/meta_data.json",
    }
    return {
        "name": "MyModel",
        "run_config": {"save_checkpoints_steps": 100},
        "train_input_data_config": {
            "pipeline_config": {
                "module": "TFRecordImagePipeline",
                "batch_size": 64,
                "dynamic_pad": False,
                "params": files,
            }
        },
        "model_config": {
            "summaries": ["loss", "gradients", "activations"],
            "module": "Classifier",
            "loss_config": {"module": "softmax_cross_entropy"},
            "eval_metrics_config": [
                {"module": f"streaming_{name}"}
                for name in ("true_positives", "recall", "auc", "accuracy", "precision")
            ],
            "optimizer_config": {
                "module": "adam",
                "learning_rate": 0.007,
                "decay_type": "exponential_decay",
                "decay_rate": 0.2,
            },
            "one_hot_encode": True,
            "n_classes": 10,
            "graph_config": {"name": "lenet", "features": ["image"], "definition": definition},
        },
    }


LENET = [
    ["Conv2d", {"regularizer": "l2_regularizer", "num_filter": 32, "filter_size": 5, "strides": 1}],
    ["MaxPool2d", {"kernel_size": 2}],
    ["FullyConnected", {"num_units": 64, "activation": "tanh"}],
    ["FullyConnected", {"num_units": 10}],
]
HIGHWAY = [
    ["HighwayConv2d", {"num_filter": 8, "filter_size": 3, "strides": 1, "activation": "elu"}],
    ["MaxPool2d", {"kernel_size": 2}],
    ["BatchNormalization", {}],
    ["FullyConnected", {"num_units": 10}],
]
RESIDUAL = [
    ["Conv2d", {"num_filter": 4, "filter_size": 3, "activation": "relu", "scale": 0.01,
                "regularizer": "l2_regularizer"}],
    ["LocalResponseNormalization", {}],
    ["ResidualBottleneck", {"num_blocks": 3, "bottleneck_size": 2, "out_channels": 4}],
    ["ResidualBlock", {"num_blocks": 1, "out_channels": 8, "downsample": True}],
    ["GlobalAvgPool", {}],
    ["Merge", {"merge_mode": "concat", "modules": [["FullyConnected", {"num_units": 4}],
                                                   ["Dropout", {"keep_prob": 0.7}]]}],
    ["L2Normalization", {"dim": 1}],
    ["Dropout", {"keep_prob": 0.75}],
    ["FullyConnected", {"num_units": 10}],
]  # fmt: skip


@pytest.mark.parametrize("definition", [LENET, HIGHWAY, RESIDUAL])
def test_the_seeds_json_is_correct_and_converted(tmp_path, digits, definition):
    (tmp_path / "seed.json").write_text(json.dumps(seed(digits, definition)))
    check_shapes(check_config(tmp_path / "seed.json"))
    result = CliRunner().invoke(main, ["convert", str(tmp_path / "seed.json")])
    assert result.exit_code == 0
    (tmp_path / "new.yml").write_text(result.stdout)
    check_shapes(check_config(tmp_path / "new.yml"))


def test_a_probability_to_keep_becomes_a_rate_to_drop(tmp_path):
    layers = to_python(load_tree(seed("nowhere", RESIDUAL)))["model"]["Classifier"]["graph"][
        "layers"
    ]
    assert layers[7] == {"Dropout": {"rate": 0.25}}
    assert layers[5]["Merge"]["modules"][1] == {"Dropout": {"rate": 0.3}}


def convert(tmp_path, definition):
    (tmp_path / "old.json").write_text(json.dumps(seed("nowhere", definition), indent=0))
    return CliRunner().invoke(main, ["convert", str(tmp_path / "old.json")])


def test_a_file_is_converted_where_its_data_is_not(tmp_path):
    result = convert(tmp_path, LENET)
    assert result.exit_code == 0
    assert "nowhere/digits_train.tfrecord" in result.stdout


def test_what_cannot_be_converted_is_explained(tmp_path):
    result = convert(
        tmp_path,
        [
            ["LocalResponseNormalisation", {}],
            ["Conv2d", {"num_filter": 4, "filter_size": 3, "restore": True}],
            ["FullyConnected", {"num_units": 10}],
        ],
    )
    assert result.exit_code == 2
    assert result.stdout == ""
    first, second = result.stderr.strip().splitlines()
    assert "old.json:59:1 model.Classifier.graph.layers[0]: there is no layer" in first
    assert "did you mean LocalResponseNormalization" in first
    assert "layers[1].Conv2d.restore: unknown parameter" in second


def test_convert_prints_what_is_then_read_alike(tmp_path, digits):
    (tmp_path / "old.json").write_text(json.dumps(seed(digits, LENET)))
    (tmp_path / "old.yml").write_text(yaml.safe_dump(seed(digits, LENET)))
    new = CliRunner().invoke(main, ["convert", str(tmp_path / "old.json")])
    (tmp_path / "new.yml").write_text(new.stdout)
    trees = [to_python(load_tree(tmp_path / name)) for name in ("old.json", "old.yml", "new.yml")]
    assert trees[0] == trees[1] == trees[2]
    assert not is_2017(from_python(trees[2]))


def test_layers_are_named_by_their_first_output(digits):
    config = yaml.safe_load(YAML_OF_2017.format(digits))
    graph = config["model"]["classifier"]["graph"]
    graph["input_layers"] = [["image", 0, 0]]
    graph["layers"][-1] = {"Dense": {"units": 10, "inbound_nodes": [["dense", 0, 0]]}}
    graph["output_layers"] = [["dense_1", 0, 0]]
    check_shapes(check_config(config))
    graph["input_layers"] = [["image", 1, 0]]
    with pytest.raises(ConfigError, match="expected a string"):
        check_config(config)
