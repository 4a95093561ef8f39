"""Packages of strangers, installed: one that works, one that breaks on import, one that claims a name of Keras's."""

import json
from pathlib import Path

import pytest
from tests.environments import Environment

import plx_core

TESTS = Path(__file__).resolve().parents[1]

CONFIG = """
version: 1
project: {name: acme}
model:
  regressor:
    loss: {Quartic: {scale: 0.5}}
    metrics: [LargestError]
    optimizer: {SGD: {learning_rate: {Halving: {start: 0.01, every: 20}}}}
    graph:
      input_layers: x
      layers:
        - Shift: {by: 0.5}
        - Dense: {units: 1}
train: {train_steps: 60, data_pipeline: {Line: {points: 32}}}
eval: {data_pipeline: {Line: {points: 8, batch_size: 8}}}
"""


@pytest.fixture(scope="module")
def with_demo(tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp("demo"))
    environment.install(TESTS / "demo_plugin")
    return environment


@pytest.fixture(scope="module")
def with_all(tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp("all"))
    environment.install(*(TESTS / f"{name}_plugin" for name in ("demo", "broken", "rival")))
    return environment


def test_a_config_uses_every_part_of_a_strangers_package(with_demo, tmp_path):
    (tmp_path / "acme.yml").write_text(CONFIG)
    answer = with_demo.plx("run", "acme.yml", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    lines = [
        json.loads(line) for line in (tmp_path / "runs/acme/metrics.jsonl").read_text().splitlines()
    ]
    assert lines[-1]["split"] == "eval"
    assert lines[-1]["metrics"]["largest_error"] < 1.5
    assert lines[-1]["metrics"]["loss"] < lines[0]["metrics"]["loss"]
    assert lines[-2]["metrics"]["learning_rate"] == pytest.approx(0.01 * 0.5**3)
    manifest = json.loads((tmp_path / "runs/acme/manifest.json").read_text())
    assert manifest["plugins"]["acme"] == "1.2.3"


def test_a_strangers_signature_is_the_schema(with_demo, tmp_path):
    (tmp_path / "acme.yml").write_text(
        CONFIG.replace("scale: 0.5", "scal: 0.5")
        .replace("every: 20", "every: 0")
        .replace("points: 32", "points: many")
    )
    answer = with_demo.plx("check", "acme.yml", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.splitlines() == [
        "acme.yml:6:22 model.regressor.loss.Quartic.scal: unknown parameter; did you mean scale?",
        "acme.yml:8:69 model.regressor.optimizer.SGD.learning_rate.Halving.every: expected an integer at least 1, got 0",
        "acme.yml:14:57 train.data_pipeline.Line.points: expected an integer at least 1, got many",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("weigh",),
        ("data", "weigh"),
        ("shelf", "weigh"),
        ("acme/weigh",),
        ("data", "acme-plx/weigh"),
    ],
)
def test_a_strangers_commands(with_demo, tmp_path, words):
    answer = with_demo.plx(*words, "2.5", cwd=tmp_path)
    assert (answer.returncode, answer.stdout) == (0, "it weighs 2.5\n")
    answer = with_demo.plx(*words, "--", "-1", cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (2, "nothing weighs -1.0\n")
    assert (
        "from acme-plx 1.2.3" in with_demo.plx(*words[:-1], "--help", cwd=tmp_path).stdout
        or words[0] == "shelf"
    )


def test_plugins_that_cannot_be_used_are_named_and_harm_nobody(with_all, tmp_path):
    listing = with_all.plx("plugins", cwd=tmp_path)
    assert listing.returncode == 0
    broken = next(line for line in listing.stdout.splitlines() if line.startswith("broken"))
    assert "1.2.3" in broken
    assert "broken: cannot be imported: ModuleNotFoundError" in broken
    (tmp_path / "acme.yml").write_text(
        CONFIG.replace("- Dense: {units: 1}", "- keras_free/Dense: {units: 1}")
    )
    answer = with_all.plx("check", "acme.yml", cwd=tmp_path)
    assert answer.returncode == 2
    assert "there is no layer called keras_free/Dense" in answer.stderr
    assert "plug-in broken (broken-plx 1.2.3) is broken: cannot be imported" in answer.stderr


def test_a_name_that_two_claim_must_be_written_in_full(with_all, tmp_path):
    (tmp_path / "acme.yml").write_text(CONFIG)
    answer = with_all.plx("check", "acme.yml", cwd=tmp_path)
    assert answer.returncode == 2
    ours = f"plx_layers/Dense (plx-layers {plx_core.__version__})"
    assert (
        f"layer Dense is offered by {ours} and rival/Dense (rival-plx 1.2.3); "
        "write one of these in full" in answer.stderr
    )
    for plugin in ("plx_layers", "rival"):
        answer = with_all.plx("components", "layers", f"{plugin}/Dense", cwd=tmp_path)
        assert answer.stdout.startswith(f"layer Dense from {plugin} ")
    (tmp_path / "acme.yml").write_text(CONFIG.replace("- Dense:", "- rival/Dense:"))
    answer = with_all.plx("check", "acme.yml", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr


def test_plugins_can_be_turned_off(with_all, tmp_path, monkeypatch):
    words = ("components", "layers", "Dense")
    assert with_all.plx(*words, cwd=tmp_path).returncode == 2
    monkeypatch.setitem(with_all.variables, "PLX_DISABLE_PLUGINS", "rival,broken")
    answer = with_all.plx(*words, cwd=tmp_path)
    assert answer.stdout.startswith("layer Dense from plx_layers ")
