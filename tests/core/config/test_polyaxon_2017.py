"""polyaxon-lib's dialect of 2017, in JSON and in YAML of nested lists, is version 1 in other words."""

import sys

import pytest
import yaml
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.config.load import load_tree
from plx_core.config.yaml_tree import to_python
from plx_core.errors import ConfigError


def seed(data="data"):
    """The example of polyaxon-lib's documentation."""
    pipeline = {
        "module": "TFRecordImagePipeline",
        "num_epochs": 5,
        "shuffle": True,
        "dynamic_pad": False,
    }
    files = {
        "data_files": f"{data}/mnist_train.tfrecord",
        "meta_data_file": f"{data}/meta_data.json",
    }
    return {
        "name": "MyModel",
        "output_dir": "runs/seed",
        "eval_every_n_steps": 10,
        "train_steps_per_iteration": 1000,
        "run_config": {"save_checkpoints_steps": 100},
        "train_input_data_config": {"pipeline_config": {**pipeline, "batch_size": 64, "params": files}},
        "eval_input_data_config": {"pipeline_config": {**pipeline, "batch_size": 32, "params": files, "definition": {"image": [["Standardization", {}]]}}},
        "estimator_config": {"output_dir": "runs/seed"},
        "model_config": {
            "summaries": ["loss"],
            "module": "Classifier",
            "loss_config": {"module": "softmax_cross_entropy", "collect": True},
            "eval_metrics_config": [{"module": "streaming_accuracy"}],
            "optimizer_config": {"module": "adam", "learning_rate": 0.007, "decay_type": "exponential_decay", "decay_rate": 0.2},
            "one_hot_encode": True,
            "n_classes": 10,
            "graph_config": {"name": "lenet", "features": ["image"], "definition": [["Conv2d", {"num_filter": 32}], ["FullyConnected", {"num_units": 10}]]},
        },
    }  # fmt: skip


def test_the_seed_in_version_1():
    files = {"data_files": "data/mnist_train.tfrecord", "meta_data_file": "data/meta_data.json"}
    pipeline = {"num_epochs": 5, "shuffle": True, "dynamic_pad": False}
    cast = {"Cast": {"dtype": "float32"}}
    assert to_python(load_tree(seed())) == {
        "version": 1,
        "project": {"name": "MyModel"},
        "settings": {"output_dir": "runs/seed"},
        "environment": {"run_config": {"save_checkpoints_steps": 100}},
        "model": {
            "Classifier": {
                "summaries": ["loss"],
                "loss": {"softmax_cross_entropy": {}},
                "metrics": [{"streaming_accuracy": {}}],
                "optimizer": {
                    "adam": {
                        "learning_rate": 0.007,
                        "decay_type": "exponential_decay",
                        "decay_rate": 0.2,
                    }
                },
                "one_hot_encode": True,
                "n_classes": 10,
                "graph": {
                    "input_layers": ["image"],
                    "layers": [
                        {"Conv2d": {"num_filter": 32}},
                        {"FullyConnected": {"num_units": 10}},
                    ],
                },
                "name": "lenet",
            }
        },
        "train": {
            "train_steps_per_iteration": 1000,
            "data_pipeline": {
                "TFRecordImagePipeline": {
                    **pipeline,
                    "batch_size": 64,
                    **files,
                    "feature_processors": {"image": {"input_layers": ["image"], "layers": [cast]}},
                }
            },
        },
        "eval": {
            "eval_every_n_steps": 10,
            "data_pipeline": {
                "TFRecordImagePipeline": {
                    **pipeline,
                    "batch_size": 32,
                    **files,
                    "feature_processors": {
                        "image": {
                            "input_layers": ["image"],
                            "layers": [cast, {"Standardization": {}}],
                        }
                    },
                }
            },
        },
    }


def test_a_generator_and_its_bridge():
    old = {
        "model_config": {
            "module": "Generator",
            "loss": {"module": "mean_squared_error"},
            "encoder_config": {"definition": [["Dense", {"units": 8}]]},
            "decoder_config": {"definition": [["Dense", {"units": 784}]]},
            "bridge_config": {"module": "LatentBridge", "latent_dim": 2},
        }
    }
    assert to_python(load_tree(old))["model"] == {
        "Generator": {
            "loss": {"mean_squared_error": {}},
            "encoder": {"layers": [{"Dense": {"units": 8}}]},
            "decoder": {"layers": [{"Dense": {"units": 784}}]},
            "bridge": {"LatentBridge": {"latent_dim": 2}},
        }
    }


@pytest.mark.parametrize("settings", [False, True])
def test_a_matrix_is_refused_with_the_way_to_a_sweep(settings, tmp_path):
    matrix = {"matrix": {"lr": {"values": [0.1, 0.2]}}}
    (tmp_path / "a.yml").write_text(
        yaml.safe_dump(seed() | ({"settings": matrix} if settings else matrix))
    )
    for command in ("check", "convert"):
        result = CliRunner().invoke(main, [command, str(tmp_path / "a.yml")])
        assert result.exit_code == 2
        assert "matrix: plx does not expand a matrix" in result.output
        assert "section tune, for plx tune" in result.output


def test_the_share_that_a_dropout_keeps_becomes_its_rate():
    def layers(keep_prob):
        definition = [["Dropout", {"keep_prob": keep_prob, "seed": 1}]]
        model = {"module": "Classifier", "graph_config": {"definition": definition}}
        return to_python(load_tree({"model_config": model}))["model"]["Classifier"]["graph"][
            "layers"
        ]

    assert layers(0.8) == [{"Dropout": {"rate": 0.2, "seed": 1}}]
    with pytest.raises(ConfigError, match="keep_prob: expected a number"):
        layers("much")


def test_mistakes_keep_their_place(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(
        '{"model_config": {"loss_config": {}},\n "nmae": "x",\n "train_input_data_config": {}}'
    )
    with pytest.raises(ConfigError) as caught:
        load_tree(path)
    assert [
        str(problem).split(" ", 1)[0].rsplit("/", 1)[-1] for problem in caught.value.problems
    ] == [
        "old.json:1:18",
        "old.json:2:2",
        "old.json:3:29",
    ]
    assert "unknown key of the dialect of 2017; did you mean name?" in str(caught.value)


def test_the_translator_is_imported_for_files_of_2017_only(monkeypatch):
    name = "plx_core.config.polyaxon_2017"
    monkeypatch.delitem(sys.modules, name, raising=False)
    load_tree({"version": 1, "model": {"Classifier": {"graph": {"layers": ["Flatten"]}}}})
    assert name not in sys.modules
    load_tree(seed())
    assert name in sys.modules


def test_a_dense_layer_of_2017_with_a_dropout_is_two_layers(tmp_path):
    text = """
model:
  classifier:
    graph:
      layers:
        - &big
          Dense: {units: 4, dropout: 0.5}
        - *big
        - Dense: {units: 3}
        - LSTM: {units: 2, dropout: 0.1}
"""
    (tmp_path / "old.yml").write_text(text)
    tree = load_tree(tmp_path / "old.yml")
    two = [{"Dense": {"units": 4}}, {"Dropout": {"rate": 0.5}}]
    layers = [*two, *two, {"Dense": {"units": 3}}, {"LSTM": {"units": 2, "dropout": 0.1}}]
    assert to_python(tree)["model"]["classifier"]["graph"]["layers"] == layers
    dropout = tree.items["model"].items["classifier"].items["graph"].items["layers"].items[1]
    assert (dropout.place.line, dropout.place.column) == (7, 29)
