"""Runs from record files that are killed, or asked to stop, end as the one that was not."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import yaml
from tests import forking

from plx_core.runs.checkpoints import Checkpoints

CONFIG = {
    "version": 1,
    "project": {"name": "killed"},
    "environment": {
        "seed": 3,
        "run_config": {
            "save_checkpoints_steps": 20,
            "save_summary_steps": 50,
            "log_step_count_steps": 10,
        },
    },
    "model": {
        "classifier": {
            "graph": {
                "input_layers": "image",
                "layers": [
                    {"Flatten": None},
                    {"Dense": {"units": 64, "activation": "relu"}},
                    {"Dropout": {"rate": 0.2}},
                    {"Dense": {"units": 10}},
                ],
            },
            "loss": "SoftmaxCrossEntropy",
            "optimizer": {"Adam": {"learning_rate": 0.001}},
            "metrics": ["Accuracy"],
            "one_hot_encode": True,
            "n_classes": 10,
        }
    },
}


@pytest.fixture
def command(tmp_path, digits):
    """A config of a small network on the digits, and the arguments of the command that runs it."""

    def make(run, steps):
        pipeline = {
            "data_files": [str(digits / "digits_train.tfrecord")],
            "meta_data_file": str(digits / "meta_data.json"),
            "batch_size": 32,
            "feature_processors": {
                "image": {"input_layers": ["image"], "layers": [{"Rescaling": {"scale": 1 / 255}}]}
            },
        }
        train = {
            "train_steps": steps,
            "data_pipeline": {"TFRecordImagePipeline": {**pipeline, "shuffle": True}},
        }
        file = tmp_path / "killed.yml"
        file.write_text(yaml.safe_dump({**CONFIG, "train": train}))
        return ["run", str(file), "--output-dir", str(run)]

    return make


def start(command):
    """The command in a process that nothing has prepared, unlike those of `forking`."""
    command = [sys.executable, "-m", "plx_core", *command]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def wait_for(condition, is_over, seconds=60):
    until = time.monotonic() + seconds
    while not condition() and not is_over() and time.monotonic() < until:
        time.sleep(0.005)


def arrays_of(run):
    return (Checkpoints(run / "checkpoints").latest() / "state.safetensors").read_bytes()


@pytest.mark.slow
def test_kill_9_ten_times_changes_no_bit(tmp_path, command):
    rng = random.Random(int.from_bytes(os.urandom(4)))
    steps = 6000
    assert start(command(tmp_path / "whole", steps)).wait(200) == 0
    run, kills, seen = tmp_path / "killed", 0, []
    while kills < 10:
        before = Checkpoints(run / "checkpoints").latest()
        process = forking.start(*command(run, steps))
        if kills % 3:  # amid the steps; else while the program starts
            wait_for(
                lambda before=before: Checkpoints(run / "checkpoints").latest() != before,
                lambda process=process: not process.is_alive(),
            )
            time.sleep(rng.uniform(0, 0.15))
        else:
            time.sleep(rng.uniform(0.1, 1.2))
        assert process.is_alive(), (
            f"the run of {steps} steps ended before it was killed ten times; stopped at {seen}"
        )
        process.kill()
        process.join()
        kills += 1
        latest = Checkpoints(run / "checkpoints").latest()
        seen.append(int(latest.name) if latest else 0)
    assert seen == sorted(seen) and len(set(seen)) > 4, seen
    forking.finish(*command(run, steps))
    assert arrays_of(run) == arrays_of(tmp_path / "whole"), seen


def test_sigterm_writes_a_checkpoint_and_the_same_command_goes_on(tmp_path, command):
    steps, run = 1200, tmp_path / "stopped"
    process = start(command(run, steps))
    wait_for(
        lambda: Checkpoints(run / "checkpoints").latest() is not None,
        lambda: process.poll() is not None,
    )
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(60) == 143
    stopped_at = int(Checkpoints(run / "checkpoints").latest().name)
    assert 20 <= stopped_at < steps
    forking.finish(*command(run, steps))
    forking.finish(*command(tmp_path / "whole", steps))
    assert arrays_of(run) == arrays_of(tmp_path / "whole")
