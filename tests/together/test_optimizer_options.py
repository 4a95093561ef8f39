"""What the options of an optimizer do to `plx run`, `evaluate`, `predict` and `export`."""

import json

import numpy as np
import pytest
import tensorflow as tf
import yaml
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.runs.checkpoints import Checkpoints, load

pytest.importorskip("plx_layers")
pytest.importorskip("plx_pipelines")

TABLE = {"data_files": "t.csv", "features": {"x": ["a", "b"]}, "labels": "y", "batch_size": 4}
MODEL = {"graph": {"layers": [{"Dense": {"units": 1}}]}, "loss": "MeanSquaredError"}
X = np.array([(a, (a * 7) % 5) for a in range(8)], "float32") / 8


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    rows = "".join(f"{a},{b},{a - 2 * b + 1}\n" for a, b in X)
    (tmp_path / "t.csv").write_text("a,b,y\n" + rows)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))


def command(*arguments, code=0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result.stdout


def write(name, optimizer, **train):
    """Write an experiment whose run directory is runs/NAME."""
    config = {
        "version": 1,
        "project": {"name": name},
        "environment": {"run_config": {"log_step_count_steps": 5, "save_summary_steps": None}},
        "model": {"Regressor": {**MODEL, "optimizer": optimizer}},
        "train": {"data_pipeline": {"TablePipeline": {**TABLE, "shuffle": True}}, **train},
        "eval": {"data_pipeline": {"TablePipeline": {**TABLE, "num_epochs": 1}}},
    }
    with open(f"{name}.yml", "w") as file:
        yaml.safe_dump(config, file)
    return f"{name}.yml"


def newest(name):
    return load(Checkpoints(f"runs/{name}/checkpoints").latest())


def lines_of(name, split):
    with open(f"runs/{name}/metrics.jsonl") as file:
        return [line for line in map(json.loads, file) if line["split"] == split]


def predictions(name):
    lines = command("predict", f"{name}.yml").splitlines()
    return np.array([json.loads(line)["results"] for line in lines]).ravel()


def test_a_run_is_evaluated_and_used_with_the_averages_of_its_weights():
    adam = {"learning_rate": 0.1}
    command("run", write("plain", {"Adam": adam}, train_steps=20))
    command("run", write("averaged", {"Adam": {**adam, "use_ema": True}}, train_steps=20))
    plain, averaged = newest("plain")["program"], newest("averaged")["program"]
    for name, value in plain["variables"].items():
        np.testing.assert_array_equal(averaged["variables"][name], value)
    by_hand = {
        name: (X @ weights["dense/kernel"] + weights["dense/bias"]).ravel()
        for name, weights in (("plain", plain["variables"]), ("averaged", averaged["averages"]))
    }
    y = X[:, 0] - 2 * X[:, 1] + 1
    for name, expected in by_hand.items():
        np.testing.assert_allclose(np.sort(predictions(name)), np.sort(expected), rtol=1e-4)
        loss = lines_of(name, "eval")[-1]["metrics"]["loss"]
        assert loss == pytest.approx(float(np.mean((expected - y) ** 2)), rel=1e-4)
    assert not np.allclose(by_hand["plain"], by_hand["averaged"], rtol=0.01)
    export = tf.saved_model.load(command("export", "averaged.yml").strip())
    served = np.ravel(export.serve({"x": X})["results"])
    np.testing.assert_allclose(served, by_hand["averaged"], rtol=1e-4)


@pytest.mark.parametrize("averages", [True, False])
def test_a_run_starts_from_averages_or_from_the_weights_themselves(averages):
    write("first", {"Adam": {"learning_rate": 0.1, "use_ema": True}}, train_steps=10)
    command("train", "first.yml")
    start = {"path": "runs/first", "averages": averages}
    still = {"SGD": {"learning_rate": 0.0}}
    command("train", write("second", still, train_steps=1, warm_start=start))
    group = newest("first")["program"]["averages" if averages else "variables"]
    for name, value in newest("second")["program"]["variables"].items():
        np.testing.assert_array_equal(value, group[name])


def test_steps_schedule_data_and_checkpoint_of_accumulated_gradients_have_one_clock():
    decay = {"CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 20}}
    optimizer = {"SGD": {"learning_rate": decay, "gradient_accumulation_steps": 4}}
    command("train", write("whole", optimizer, train_steps=20))
    write("parts", optimizer, train_steps=10)
    for steps in (10, 20):
        command("train", "parts.yml", "--set", f"train.train_steps={steps}")
        state = newest("parts")
        assert (state["global_step"], state["input"]["batch"]) == (steps, steps)
    whole = newest("whole")["program"]
    for group, variables in newest("parts")["program"].items():
        for name, value in variables.items():
            np.testing.assert_array_equal(value, whole[group][name], err_msg=name)
    rates = {line["step"]: line["metrics"]["learning_rate"] for line in lines_of("whole", "train")}
    assert rates == pytest.approx({5: 0.0853553, 10: 0.05, 15: 0.0146447, 20: 0.0}, abs=1e-6)
