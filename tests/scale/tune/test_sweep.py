"""Sweeps: their results, what ends trials, and going on after a kill."""

import json
import os
import signal
import subprocess
import sys
import time

import optuna
import pytest

import plx_core as plx
from plx_core.errors import RunDirectoryError, RunFailed
from plx_scale.tune import report
from plx_scale.tune.sweep import Sweep

RATE = "model.regressor.optimizer.SGD.learning_rate"
UNITS = "model.regressor.graph.layers[0].Dense.units"


def run(config, directory):
    lines = []
    sweep = Sweep(plx.check_config(config), directory, lines.append)
    return sweep, sweep.run(), lines


def results(study):
    return [(trial.params, trial.value, trial.state.name) for trial in study.trials]


def metrics_of(directory):
    lines = (directory / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["split"] == "eval"]


@pytest.mark.slow
def test_trials_are_runs_with_these_values(experiment, tmp_path):
    space = {RATE: [0.01, 0.1], UNITS: [1, 2]}
    config = experiment(trials=None, sampler="Grid", space=space, parallel=2)
    sweep, study, lines = run(config, tmp_path)
    assert {tuple(trial.params.values()) for trial in study.trials} == {
        (0.01, 1), (0.01, 2), (0.1, 1), (0.1, 2),
    }  # fmt: skip
    for trial in study.trials:
        directory = sweep.run_directory(trial.number)
        resolved = (directory / "resolved.yml").read_text()
        assert f"learning_rate: {trial.params[RATE]}" in resolved
        assert metrics_of(directory)[-1]["metrics"]["loss"] == pytest.approx(trial.value)
        assert list(trial.intermediate_values) == []  # nobody asked for pruning
    assert study.best_value == min(trial.value for trial in study.trials)
    assert len(lines) == 4 and "eval/loss" in lines[0]
    assert run(config, tmp_path)[2] == []  # nothing is left to do

    header, rows = report.table(sweep, study)
    assert header == ["trial", "eval/loss", "state", "learning_rate", "units"]
    assert [float(row[1]) for row in rows] == sorted(float(row[1]) for row in rows)
    report.draw(sweep, study, tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").stat().st_size > 10_000

    # The best config is an experiment of its own, with the same result.
    again = plx.create_experiment(sweep.data_of(study.best_trial), tmp_path / "again")
    assert again.train_and_evaluate()[0]["loss"] == pytest.approx(study.best_value)

    with pytest.raises(RunDirectoryError, match=r"differs in tune.goal, train"):
        config["train"]["train_steps"] = 6
        run(config | {"tune": config["tune"] | {"goal": "maximize"}}, tmp_path)


@pytest.mark.slow
def test_seeds_are_averaged_and_failures_are_told(experiment, tmp_path):
    config = experiment(trials=2, seeds=2, space={RATE: [0.05, 1e30]}, sampler="Grid")
    sweep, study, lines = run(config, tmp_path)
    good, bad = sorted(study.trials, key=lambda trial: trial.params[RATE])
    values = [
        metrics_of(sweep.run_directory(good.number, seed))[-1]["metrics"]["loss"] for seed in (0, 1)
    ]
    assert values[0] != values[1]
    assert good.value == pytest.approx(sum(values) / 2)
    assert bad.state.name == "FAIL" and "loss" in bad.user_attrs["error"]
    assert any("failed" in line for line in lines)


@pytest.mark.slow
def test_hopeless_trials_are_pruned(experiment, tmp_path):
    pruner = {"Threshold": {"upper": 0.05}}
    config = experiment(trials=2, space={RATE: [1e-4, 0.3]}, sampler="Grid", pruner=pruner)
    config["train"]["train_steps"] = 40
    _, study, lines = run(config, tmp_path)
    states = {trial.params[RATE]: trial.state.name for trial in study.trials}
    assert states[1e-4] == "PRUNED"
    pruned = next(trial for trial in study.trials if trial.state.name == "PRUNED")
    assert list(pruned.intermediate_values) == [2]
    assert any("pruned" in line for line in lines)


@pytest.mark.slow
def test_a_metric_that_is_not_there_ends_the_sweep(experiment, tmp_path):
    with pytest.raises(RunFailed, match="no metric lost; did you mean loss"):
        run(experiment(metric="eval/lost", trials=5), tmp_path)


def start(file, directory):
    """Start `plx tune`; its output goes to a file beside the directory."""
    with directory.with_suffix(".txt").open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "plx_core", "tune", str(file), "--output-dir", str(directory)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def wait_for(condition, process):
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_killed_sweep_goes_on_as_the_uninterrupted_one(file, tmp_path):
    path = file(trials=5)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(path, whole).wait(200) == 0
    for trial, number, code in (("0001", signal.SIGKILL, -9), ("0003", signal.SIGTERM, 143)):
        process = start(path, killed)
        wait_for(lambda trial=trial: (killed / "trials" / trial / "config.yml").exists(), process)
        os.kill(process.pid, number)
        assert process.wait(60) == code
    assert start(path, killed).wait(200) == 0
    storages = [f"sqlite:///{directory / 'study.db'}" for directory in (whole, killed)]
    first, second = (optuna.load_study(study_name="sweep", storage=storage) for storage in storages)
    assert results(first) == results(second)
    output = (tmp_path / "killed.txt").read_text()
    assert "picture:" in output and "best run:" in output
