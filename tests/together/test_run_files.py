"""The files of a run, at the command line: one writer for the whole command, and none of them blocks a resume."""

import json

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.engine.evaluation_program import EvaluationProgram
from plx_core.runs.checkpoints import Checkpoints, load

pytest.importorskip("plx_pipelines")

TABLE = {"data_files": "t.csv", "features": {"x": ["a", "b"]}, "labels": "y", "batch_size": 4}
CONFIG = {
    "version": 1,
    "project": {"name": "files"},
    "environment": {
        "run_config": {
            "save_summary_steps": None,
            "save_checkpoints_steps": 4,
            "log_step_count_steps": 4,
        }
    },
    "model": {"Regressor": {"graph": {"layers": [{"Dense": {"units": 1}}]}}},
    "train": {"train_steps": 8, "data_pipeline": {"TablePipeline": TABLE}},
    "eval": {"data_pipeline": {"TablePipeline": {**TABLE, "num_epochs": 1}}},
}


def write_table(path, scale=2.0):
    rows = "".join(f"{x},{x},{scale * x}\n" for x in np.linspace(0, 1, 8))
    path.write_text("a,b,y\n" + rows)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The run directory of files.yml in the current folder."""
    write_table(tmp_path / "t.csv")
    (tmp_path / "files.yml").write_text(yaml.safe_dump(CONFIG))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "runs/files"


def plx_command(*arguments, code=0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result


def lines(run, split):
    parsed = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["metrics"]) for line in parsed if line["split"] == split]


def variables(run):
    return load(Checkpoints(run / "checkpoints").latest())["program"]["variables"]


def test_a_second_run_cannot_take_over_between_training_and_evaluation(run, monkeypatch):
    evaluate, seconds = EvaluationProgram.evaluate, []

    def meanwhile(*arguments):
        if not seconds:
            seconds.append(CliRunner().invoke(main, ["run", "files.yml"]))
        return evaluate(*arguments)

    monkeypatch.setattr(EvaluationProgram, "evaluate", meanwhile)
    plx_command("run", "files.yml")
    assert seconds[0].exit_code == 2
    assert seconds[0].stderr.startswith("another process is writing to the run runs/files (process")
    assert [step for step, _ in lines(run, "eval")] == [4, 8]
    assert not (run / ".writer.json").exists()


def test_the_same_evaluation_is_logged_once(run):
    plx_command("run", "files.yml")
    for _ in range(2):
        plx_command("evaluate", "files.yml")
    assert [step for step, _ in lines(run, "eval")] == [4, 8]
    plx_command("evaluate", "files.yml", "--set", "eval.eval_steps=1")
    assert [step for step, _ in lines(run, "eval")] == [4, 8, 8]


@pytest.mark.parametrize("content", [b"model: [", b"\xff\xfe\x00", b"- 1"])
@pytest.mark.parametrize("name", ["resolved.yml", "manifest.json"])
def test_a_corrupt_file_beside_the_checkpoints_does_not_block_a_resume(run, name, content, caplog):
    plx_command("run", "files.yml", "--set", "train.train_steps=4")
    (run / name).write_bytes(content)
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": "4", "split": "eval", "metrics": 1}\n')
    plx_command("run", "files.yml")
    assert f"{name} is corrupt and is ignored" in caplog.text
    assert Checkpoints(run / "checkpoints").latest().name == "000000008"
    assert yaml.safe_load((run / name).read_text())
    plx_command("compare", "runs/files", "runs/files")


def test_what_the_system_refuses_is_a_message_with_the_file(run, monkeypatch):
    (run / "metrics.jsonl").mkdir(parents=True)
    result = plx_command("run", "files.yml", code=1)
    assert result.stderr.splitlines()[-1] == (
        "runs/files/metrics.jsonl cannot be read: Is a directory"
    )
    (run / "metrics.jsonl").rmdir()
    plx_command("run", "files.yml")


def test_changed_data_under_the_same_name_is_said_and_refused_when_strict(run, caplog):
    short = ["--set", "train.train_steps=4"]
    plx_command("run", "files.yml", *short)
    record = json.loads((run / "manifest.json").read_text())["data_files"]
    (train,) = record["train.data_pipeline.TablePipeline.data_files"].items()
    data = run.parents[1] / "t.csv"
    assert train[0] == "t.csv"
    assert (train[1]["bytes"], train[1]["modified"]) == (
        data.stat().st_size,
        data.stat().st_mtime_ns,
    )
    data.touch()
    plx_command("run", "files.yml", *short)
    assert "has read before" not in caplog.text, "the same content, written again"

    write_table(data, 3.0)
    saved = {path: path.read_bytes() for path in run.glob("*.*")}
    result = plx_command("run", "files.yml", "--set", "environment.strict=true", code=2)
    assert result.stderr.splitlines()[-1] == (
        "the data is not what the run runs/files has read before: t.csv has other content (of the "
        f"same size, {data.stat().st_size} bytes). Restore it, give another --output-dir, or set "
        "environment.strict: false"
    )
    assert {path: path.read_bytes() for path in run.glob("*.*")} == saved
    plx_command("run", "files.yml")
    assert "t.csv has other content" in caplog.text
    assert Checkpoints(run / "checkpoints").latest().name == "000000008"
    caplog.clear()
    plx_command("run", "files.yml", "--set", "environment.strict=true")
    assert "has read before" not in caplog.text, "it is said once"
