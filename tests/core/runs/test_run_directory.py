"""The run directory: one writer, metrics that survive a crash, a config that belongs to the run."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from plx_core.errors import RunDirectoryError
from plx_core.runs.compare import read_run
from plx_core.runs.run_directory import RunDirectory

HOLD = """
import sys, time
from plx_core.runs.compare import read_run
from plx_core.runs.run_directory import RunDirectory
with RunDirectory(sys.argv[1]).writing():
    print("holding", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that writes to the run."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "holding\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_second_writer_is_refused_and_told_who_the_first_is(tmp_path, holder):
    with (
        pytest.raises(
            RunDirectoryError, match=f"another process is writing.*process {holder.pid} on "
        ),
        RunDirectory(tmp_path).writing(),
    ):
        pass


def test_the_lock_does_not_survive_kill_9(tmp_path, holder):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with RunDirectory(tmp_path).writing():
        assert json.loads((tmp_path / ".writer.json").read_text())["pid"] == os.getpid()
    with RunDirectory(tmp_path).writing():
        pass
    assert not (tmp_path / ".writer.json").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(RunDirectoryError, match="file/run cannot be written"),
        RunDirectory(tmp_path / "file" / "run").writing(),
    ):
        pass


def test_a_torn_last_line_loses_itself_alone(tmp_path):
    run = RunDirectory(tmp_path)
    assert run.read_metrics() == []
    for step in (1, 2):
        run.append_metrics(step, "train", {"loss": 0.5})
    whole = run.metrics.read_bytes()
    for size in range(len(whole.splitlines(keepends=True)[0]), len(whole)):
        run.metrics.write_bytes(whole[:size])
        run.append_metrics(3, "train", {"loss": 0.25})
        steps = [line["step"] for line in run.read_metrics()]
        assert steps == ([1, 2, 3] if size == len(whole) - 1 else [1, 3]), size


def test_what_is_not_a_line_of_metrics_is_left_out(tmp_path):
    run = RunDirectory(tmp_path)
    run.append_metrics(1, "eval", {"loss": 0.5}, time=1.0)
    with run.metrics.open("ab") as file:
        file.write(b'12\n{"step": 3}\n\xff\xfe\x00\n[]\n\n')
    run.append_metrics(2, "eval", {"loss": float("nan"), "gain": float("inf")})
    assert run.read_metrics() == [
        {"step": 1, "split": "eval", "metrics": {"loss": 0.5}, "time": 1.0},
        {"step": 2, "split": "eval", "metrics": {"loss": "nan", "gain": "inf"}},
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"step": "7", "split": "eval", "metrics": {}}',
        '{"step": 7, "split": "eval", "metrics": [1]}',
        '{"step": 7, "split": null, "metrics": {}}',
        '{"step": 7, "split": "eval", "metrics": {"loss": null}}',
        '{"step": 7, "split": "eval", "metrics": {"loss": "low"}}',
        '{"step": 7, "split": "eval", "metrics": {"loss": ' + "1" + "0" * 400 + "}}",
        '{"step": ' + "1" * 5000 + ', "split": "eval", "metrics": {}}',
        "[" * 100_000,
    ],
    ids=lambda line: line[:60],
)
def test_an_odd_line_of_metrics_is_left_out_of_everything(tmp_path, line):
    run = RunDirectory(tmp_path)
    run.append_metrics(1, "eval", {"loss": 0.5})
    with run.metrics.open("a") as file:
        file.write(f"{line}\n")
    run.append_metrics(9, "eval", {"loss": 0.25})
    assert run.evaluations() == {
        9: {"loss": 0.25, "global_step": 9},
        1: {"loss": 0.5, "global_step": 1},
    }
    assert read_run(tmp_path).step == 9
    run.forget_after(3)
    assert [line["step"] for line in run.read_metrics()] == [1]


def test_what_a_killed_process_left_half_written_is_removed(tmp_path):
    for name in (".manifest.json-0123abcd", ".resolved.yml-89abcdef"):
        (tmp_path / name).write_text("half")
    (tmp_path / ".mine-0123").write_text("not of plx")
    with RunDirectory(tmp_path).writing():
        names = {path.name for path in tmp_path.iterdir()}
    assert names == {".lock", ".writer.json", ".mine-0123"}


def test_the_lock_can_be_taken_again_by_its_holder_alone(tmp_path):
    run = RunDirectory(tmp_path)
    with run.writing():
        with run.writing():
            pass
        with (
            pytest.raises(RunDirectoryError, match=f"process {os.getpid()} on "),
            RunDirectory(tmp_path).writing(),
        ):
            pass
    with RunDirectory(tmp_path).writing():
        pass


def test_metrics_after_the_step_that_a_run_resumes_from_are_forgotten(tmp_path):
    run = RunDirectory(tmp_path)
    run.forget_after(3)
    for step in range(1, 7):
        run.append_metrics(step, "train", {"loss": step / 2})
    run.forget_after(3)
    assert [line["step"] for line in run.read_metrics()] == [1, 2, 3]


RESOLVED = {
    "model": {
        "classifier": {"graph": {"layers": [{"Dense": {"units": 2}}, {"Dense": {"units": 3}}]}}
    },
    "environment": {"seed": 1, "run_config": {"save_summary_steps": 100}},
    "train": {"train_steps": 100, "data_pipeline": {"P": {"batch_size": 4}}},
    "eval": {"eval_steps": 3},
}


def changed(**sections):
    return {**RESOLVED, **sections}


@pytest.mark.parametrize(
    ("resolved", "where"),
    [
        (
            changed(
                model={
                    "classifier": {
                        "graph": {"layers": [{"Dense": {"units": 2}}, {"Dense": {"units": 4}}]}
                    }
                }
            ),
            r"model\.classifier\.graph\.layers\[1\]\.Dense\.units",
        ),
        (changed(model={"regressor": {}}), r"model\.classifier, model\.regressor"),
        (changed(environment={"seed": 2}), r"environment\.seed"),
        (
            changed(train={"data_pipeline": {"P": {"batch_size": 8}}}),
            r"train\.data_pipeline\.P\.batch_size",
        ),
    ],
)
def test_a_config_whose_weights_would_differ_is_refused_with_the_places(tmp_path, resolved, where):
    run = RunDirectory(tmp_path)
    run.write_config("first", RESOLVED)
    with pytest.raises(RunDirectoryError, match=f"differs at {where}; give another --output-dir"):
        run.write_config("second", resolved)
    assert (tmp_path / "config.yml").read_text() == "first"


def test_a_longer_run_with_other_logging_is_the_same_run(tmp_path):
    run = RunDirectory(tmp_path)
    run.write_config("first", RESOLVED)
    longer = changed(
        train={"train_steps": 900, "data_pipeline": {"P": {"batch_size": 4}}},
        environment={"seed": 1, "run_config": {"save_summary_steps": 7}},
        eval={"eval_steps": 9},
    )
    run.write_config("second", longer)
    assert (tmp_path / "config.yml").read_text() == "second"


def test_the_manifest_names_versions_and_machine(tmp_path):
    RunDirectory(tmp_path).write_manifest(7, {"plx-rl": "0.1", "acme": "2.0"})
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["seed"] == 7
    assert list(manifest["plugins"]) == ["acme", "plx-rl"]
    assert manifest["packages"]["numpy"].count(".") >= 1
    assert manifest["machine"]["processors"] == os.cpu_count()
    assert time.strftime("%Y", time.gmtime()) in manifest["created"]


def test_files_are_replaced_whole(tmp_path, monkeypatch):
    run = RunDirectory(tmp_path)
    run.write_config("first", RESOLVED)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunDirectoryError, match="config.yml cannot be written: No space left"):
        run.write_config("second", RESOLVED)
    monkeypatch.undo()
    assert (tmp_path / "config.yml").read_text() == "first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yml", "resolved.yml"]
