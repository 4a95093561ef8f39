"""Faults of the file system at each file operation of a run: a message and an exit code, no traceback, and the run goes on."""

import contextlib
import errno
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.runs.checkpoints import Checkpoints, load
from plx_core.runs.run_directory import RunDirectory

pytest.importorskip("plx_pipelines")

TABLE = {"data_files": "t.csv", "features": {"x": ["a", "b"]}, "labels": "y", "batch_size": 4}
CONFIG = {
    "version": 1,
    "settings": {"output_dir": "run", "trackers": ["CSV"]},
    "environment": {
        "run_config": {
            "save_summary_steps": 2,
            "save_checkpoints_steps": 2,
            "log_step_count_steps": 2,
            "keep_checkpoint_max": 1,
        }
    },
    "model": {"Regressor": {"graph": {"layers": [{"Dense": {"units": 1}}]}}},
    "train": {"train_steps": 4, "data_pipeline": {"TablePipeline": TABLE}},
    "eval": {
        "eval_every_n_steps": 2,
        "export_strategies": [{"LatestExporter": {"format": "keras", "exports_to_keep": 1}}],
        "data_pipeline": {"TablePipeline": {**TABLE, "num_epochs": 1}},
    },
    "keep_best": {"metric": "loss"},
}
EVENTS = {"open", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir"}


class Faults:
    """Counts the file operations below a folder, and lets one of them fail.

    Python tells an audit hook of each operation before it takes place, and the hook may raise; it
    tells of opening a file, and not of writing to it, for which `os.fsync` stands here.
    """

    def __init__(self):
        self.folder, self.count, self.failing, self.failed = None, 0, None, ""
        sys.addaudithook(self.see)

    def see(self, event, arguments):
        if self.folder is not None and event in EVENTS:
            self.pass_or_fail(event, arguments[0])

    def pass_or_fail(self, event, path):
        if not isinstance(path, (str, os.PathLike)):
            return
        path = Path(path).absolute()
        if not path.is_relative_to(self.folder):
            return
        self.count += 1
        if self.count == self.failing:
            self.failed = f"{event} of {path.relative_to(self.folder)}"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    @contextlib.contextmanager
    def below(self, folder, failing=None):
        fsync = os.fsync

        def seen(descriptor):
            self.pass_or_fail("os.fsync", Path(f"/proc/self/fd/{descriptor}").readlink())
            fsync(descriptor)

        self.count, self.failing, self.failed = 0, failing, ""
        self.folder, os.fsync = folder, seen
        try:
            yield self
        finally:
            self.folder, os.fsync = None, fsync


@pytest.fixture(scope="module")
def faults():
    return Faults()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rows = "".join(f"{x},{x},{2 * x}\n" for x in np.linspace(0, 1, 8))
    (tmp_path / "t.csv").write_text("a,b,y\n" + rows)
    (tmp_path / "a.yml").write_text(yaml.safe_dump(CONFIG))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def plx_command(*arguments):
    return CliRunner().invoke(main, arguments)


def outcome(folder):
    """What a finished run must have: weights, evaluations, exports, and nothing half-written."""
    run = folder / "run"
    state = load(Checkpoints(run / "checkpoints").latest())
    weights = {name: value.tolist() for name, value in state["program"]["variables"].items()}
    evaluations = [line for line in RunDirectory(run).read_metrics() if line["split"] == "eval"]
    hidden = [path.name for path in run.glob("**/.*") if path.name != ".lock"]
    exports = [path.name for path in (run / "export/latest").iterdir()]
    steps = [line["step"] for line in evaluations]
    return weights, steps, [line["metrics"] for line in evaluations], exports, hidden


def is_clean(result):
    return (
        isinstance(result.exception, SystemExit)
        and result.exit_code in (1, 2)
        and "Traceback" not in result.output
        and os.strerror(errno.ENOSPC) in result.stderr
    )


def try_faults(folder, faults, stride):
    assert plx_command("run", "a.yml").exit_code == 0
    expected = outcome(folder)
    shutil.rmtree("run")
    with faults.below(folder / "run"):
        assert plx_command("run", "a.yml").exit_code == 0
    assert outcome(folder) == expected
    operations, harmless, wrong = faults.count, [], []
    assert operations > 100
    for failing in range(1, operations + 1, stride):
        shutil.rmtree("run")
        with faults.below(folder / "run", failing):
            result = plx_command("run", "a.yml")
        assert faults.failed
        if result.exit_code == 0:
            harmless.append(faults.failed)
        elif not is_clean(result):
            wrong.append((failing, faults.failed, result.exit_code, result.stderr[-500:]))
        again = plx_command("run", "a.yml")
        if again.exit_code or outcome(folder) != expected:
            wrong.append((failing, faults.failed, again.exit_code, again.stderr[-500:]))
    assert wrong == []
    return harmless, operations // stride


def test_a_fault_at_some_file_operations_of_a_run(folder, faults):
    try_faults(folder, faults, 19)


@pytest.mark.slow
def test_a_fault_at_every_fifth_file_operation_of_a_run(folder, faults):
    harmless, count = try_faults(folder, faults, 5)
    assert len(harmless) < count / 2, harmless


def test_a_fault_at_any_file_operation_of_an_export(folder, faults):
    assert plx_command("train", "a.yml").exit_code == 0
    with faults.below(folder / "run"):
        assert plx_command("export", "a.yml", "--to", "run/counted").exit_code == 0
    for failing in range(1, faults.count + 1):
        with faults.below(folder / "run", failing):
            result = plx_command("export", "a.yml", "--to", "run/tried")
        assert faults.failed
        assert is_clean(result) or result.exit_code == 0, (faults.failed, result.output)
        if result.exit_code:
            assert not (folder / "run/tried").exists(), faults.failed
            assert plx_command("export", "a.yml", "--to", "run/tried").exit_code == 0
        shutil.rmtree("run/tried")


@pytest.mark.parametrize("part", ["export", "tracker"])
def test_what_tensorflow_cannot_write_is_a_message_too(folder, monkeypatch, part):
    def full(*arguments, **options):
        raise tf.errors.ResourceExhaustedError(None, None, "run/x; No space left on device")

    if part == "export":
        assert plx_command("train", "a.yml").exit_code == 0
        monkeypatch.setattr(tf.saved_model, "save", full)
        result = plx_command("export", "a.yml")
        assert "the export run/export/000000004 cannot be written: " in result.stderr
    else:
        monkeypatch.setattr(tf.summary.experimental, "write_raw_pb", full)
        result = plx_command("train", "a.yml", "--set", "settings.trackers=[TensorBoard]")
        assert "the tracker TensorBoardTracker cannot be written: " in result.stderr
    assert is_clean(result), result.output
