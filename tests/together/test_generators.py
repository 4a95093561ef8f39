"""Generators of digits: trained, explained where they are wrong, and converted from the dialect of 2017."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

from plx_core.cli.main import main

VAE = {
    "version": 1,
    "project": {"name": "vae"},
    "environment": {
        "seed": 1,
        "run_config": {"save_checkpoints_steps": 100, "log_step_count_steps": 22},
    },
    "model": {
        "generator": {
            "encoder": {"layers": ["Flatten", {"Dense": {"units": 64, "activation": "relu"}}]},
            "bridge": {"LatentBridge": {"latent_dim": 3}},
            "decoder": {
                "layers": [
                    {"Dense": {"units": 64, "activation": "relu"}},
                    {"Dense": {"units": 784}},
                    {"Reshape": {"target_shape": [28, 28, 1]}},
                ]
            },
            "loss": "SigmoidCrossEntropy",
            "optimizer": {"Adam": {"learning_rate": 0.005}},
            "metrics": ["MeanAbsoluteError"],
        }
    },
    "train": {"train_steps": 110},
    "eval": {
        "callbacks": [
            {"ReconstructionImages": {"count": 5, "noise": 0.2}},
            {"GeneratedImages": {"rows": 2, "columns": 3}},
            "LatentTraversal",
        ]
    },
}


def vae_config(digits, tmp_path, **changes):
    config = json.loads(json.dumps(VAE))
    for split, section in (("train", "train"), ("eval", "eval")):
        config[section]["data_pipeline"] = {
            "TFRecordImagePipeline": {
                "data_files": [str(digits / f"digits_{split}.tfrecord")],
                "meta_data_file": str(digits / "meta_data.json"),
                "feature_processors": {
                    "image": {
                        "layers": [
                            {"Cast": {"dtype": "float32"}},
                            {"Rescaling": {"scale": 1 / 255}},
                        ]
                    }
                },
            }
        }
    config["eval"]["eval_every_n_steps"] = None
    config["model"]["generator"] |= changes
    path = tmp_path / "vae.json"
    path.write_text(json.dumps(config))
    return str(path)


def test_a_variational_autoencoder_of_digits_from_a_file(digits, tmp_path):
    file, run = vae_config(digits, tmp_path), tmp_path / "run"
    invoke = CliRunner().invoke
    result = invoke(main, ["run", file, "--output-dir", str(run)])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (metrics,) = [line["metrics"] for line in lines if line["split"] == "eval"]
    untrained = 784 * math.log(2)
    assert metrics["loss"] < 0.72 * untrained
    assert metrics["loss"] == pytest.approx(
        metrics["reconstruction"] + metrics["kl_divergence"], rel=1e-4
    )
    assert 0 < metrics["mean_absolute_error"] < 0.3
    sizes = {
        path.name: tf.io.decode_png(path.read_bytes()).shape for path in (run / "images").iterdir()
    }
    assert {name: tuple(size) for name, size in sizes.items()} == {
        "000000110_reconstructions.png": (3 * 58 - 2, 5 * 58 - 2, 1),
        "000000110_generated.png": (2 * 58 - 2, 3 * 58 - 2, 1),
        "000000110_traversal.png": (3 * 58 - 2, 15 * 58 - 2, 1),
    }
    latents, decoded = tmp_path / "latents.npz", tmp_path / "decoded.npz"
    common = ["--output-dir", str(run)]
    for arguments in (
        ["--mode", "encode", "--to", str(latents)],
        ["--mode", "decode", "--latents", str(latents), "--to", str(decoded)],
        ["--mode", "generate", "--count", "3", "--to", str(tmp_path / "generated.npz")],
    ):
        result = invoke(main, ["predict", file, *common, *arguments])
        assert result.exit_code == 0, result.output
    with np.load(decoded) as stored:
        assert stored["results"].shape == (355, 28, 28, 1)
    with np.load(tmp_path / "generated.npz") as stored:
        assert stored["latent"].shape == (3, 3)
    assert (
        "--mode decode and --latents go together"
        in invoke(main, ["predict", file, *common, "--mode", "decode"]).output
    )


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        ("GeneratedImages", "eval.callbacks[0].GeneratedImages: the model has no distribution of latents to draw from"),
        ("LatentTraversal", "eval.callbacks[0].LatentTraversal: the model has no distribution"),
        ({"ReconstructionImages": {"feature": "picture"}}, "ReconstructionImages: feature: picture holds no images, [batch, height, width, 1 or 3]; there are image (None, 28, 28, 1)"),
        ({"StopAtStep": {}}, "eval.callbacks[0].StopAtStep: StopAtStep takes either last_step or num_steps"),
    ],
)  # fmt: skip
def test_check_explains_a_hook_that_cannot_work(digits, tmp_path, hook, message):
    file = vae_config(digits, tmp_path, bridge="NoOpBridge")
    config = json.loads(Path(file).read_text())
    config["eval"]["callbacks"] = [hook]
    Path(file).write_text(json.dumps(config))
    for arguments in (["check", file], ["run", file, "--output-dir", str(tmp_path / "run")]):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 2
        assert message in result.output
        assert "vae.json:" in result.output
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bridge": {"LatentBridge": {"latent_dims": 2}}}, "LatentBridge.latent_dims: unknown parameter; did you mean latent_dim?"),
        ({"bridge": "LatntBridge"}, "there is no bridge called LatntBridge; did you mean LatentBridge"),
        ({"graph": {"layers": ["Flatten"]}}, "model.generator.graph: unknown parameter"),
        ({"target": "images"}, "model.generator: target: there is no feature or label called images; did you mean image"),
        ({"decoder": {"layers": [{"Dense": {"units": 10}}]}}, "end the decoder with Reshape: {target_shape: [28, 28, 1]}"),
        ({"decoder": {"layers": [{"Dense": {"units": 10, "inbound_nodes": "code"}}]}}, "there is no feature or earlier layer called code (there are latent"),
    ],
)  # fmt: skip
def test_check_explains_a_mistake_in_a_generator(digits, tmp_path, changes, message):
    result = CliRunner().invoke(main, ["check", vae_config(digits, tmp_path, **changes)])
    assert result.exit_code == 2
    assert message in result.output
    assert "vae.json:" in result.output


OLD = {
    "name": "old_vae",
    "run_config": {"save_checkpoints_steps": 100, "tf_random_seed": 3},
    "model_config": {
        "module": "Generator",
        "loss_config": {"module": "mean_squared_error"},
        "optimizer_config": {"module": "adadelta", "learning_rate": 0.9},
        "encoder_config": {
            "definition": [
                ["FullyConnected", {"num_units": 16}],
                ["FullyConnected", {"num_units": 8}],
            ]
        },
        "decoder_config": {
            "definition": [
                ["FullyConnected", {"num_units": 16}],
                ["FullyConnected", {"num_units": 784}],
            ]
        },
        "bridge_config": {"module": "LatentBridge", "latent_dim": 2},
    },
}


def test_a_generator_of_2017_and_what_it_is_converted_to_give_the_same_numbers(
    digits, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = dict(OLD)
    for split in ("train", "eval"):
        config[f"{split}_input_data_config"] = {
            "pipeline_config": {
                "module": "TFRecordImagePipeline",
                "batch_size": 32,
                "num_epochs": 1,
                "shuffle": True,
                "dynamic_pad": False,
                "params": {
                    "data_files": str(digits / f"digits_{split}.tfrecord"),
                    "meta_data_file": str(digits / "meta_data.json"),
                },
                "definition": {
                    "image": [["Standardization", {}], ["Reshape", {"target_shape": [784]}]]
                },
            }
        }
    Path("old.json").write_text(json.dumps(config))
    converted = CliRunner().invoke(main, ["convert", "old.json"])
    Path("new.yml").write_text(converted.output)
    metrics = []
    for file in ("old.json", "new.yml"):
        result = CliRunner().invoke(
            main, ["run", file, "--output-dir", f"run_{file}", "--set", "train.train_steps=3"]
        )
        assert result.exit_code == 0, result.output
        lines = [
            json.loads(line)
            for line in Path(f"run_{file}", "metrics.jsonl").read_text().splitlines()
        ]
        metrics.append([line["metrics"] for line in lines if line["split"] == "eval"])
    assert metrics[0] == metrics[1]
    assert set(metrics[0][0]) == {"loss", "reconstruction", "kl_divergence"}
