"""Code from outside the installed plug-ins runs on the person's word, never on the config's."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.cli.options import project_settings
from plx_core.runs.trackers import JSONLTracker

PARTS = """
from plx_core import hookimpl

@hookimpl
def provide_layers():
    return {"Mine": "keras.layers:Flatten"}
"""

CONFIG = """
plugins: [my_parts.py]
model: {regressor: {graph: {layers: [Mine, {Dense: {units: 1}}]}}}
train: {data_pipeline: {Line: {}}}
"""

LINE = """
import numpy as np
from plx_core import hookimpl
from plx_core import ArrayPipeline

class Line(ArrayPipeline):
    def __init__(self, seed: int | None = None, mode: str = "train"):
        x = np.linspace(-1, 1, 8, dtype="float32")[:, None]
        super().__init__({"x": x}, 2 * x, 4, mode=mode)

@hookimpl
def provide_pipelines():
    return {"Line": Line}
"""


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    (tmp_path / "my_parts.py").write_text(PARTS)
    (tmp_path / "my_line.py").write_text(LINE)
    (tmp_path / "a.yml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))
    project_settings.cache_clear()
    yield
    project_settings.cache_clear()


def plx(*arguments):
    return CliRunner().invoke(main, list(arguments))


def test_the_configs_word_alone_loads_nothing(workplace):
    answer = plx("check", "a.yml", "--plugin", "my_line.py")
    assert answer.exit_code == 2
    assert (
        "a.yml:2:11 plugins: my_parts.py is code from outside the installed plug-ins"
        in answer.output
    )
    assert "there is no layer called Mine" in answer.output


def test_the_command_line_allows_it(workplace):
    answer = plx("check", "a.yml", "--plugin", "my_line.py", "--plugin", "my_parts.py")
    assert answer.exit_code == 0, answer.output


def test_the_project_allows_it(workplace):
    Path("pyproject.toml").write_text('[tool.plx]\nplugins = ["my_line.py", "my_parts.py"]\n')
    assert plx("check", "a.yml").exit_code == 0
    assert "my_parts" in plx("plugins").output


def test_what_is_asked_for_must_be_there(workplace):
    answer = plx("check", "a.yml", "--plugin", "nowhere.py")
    assert answer.exit_code == 2
    assert "plug-in nowhere.py cannot be imported: FileNotFoundError" in answer.output


def test_trackers_are_chosen_by_name(workplace):
    Path("a.yml").write_text(
        CONFIG.replace("train: {", "settings: {trackers: [CSV, JSONL]}\ntrain: {train_steps: 4, ")
    )
    answer = plx(
        "train",
        "a.yml",
        "--plugin",
        "my_line.py",
        "--plugin",
        "my_parts.py",
        "--set",
        "environment.run_config.save_summary_steps=2",
    )
    assert answer.exit_code == 0, answer.output
    lines = Path("runs/experiment/train.csv").read_text().splitlines()
    assert lines[0] == "step,learning_rate,loss"
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "4"]
    rows = [
        json.loads(line) for line in Path("runs/experiment/train.jsonl").read_text().splitlines()
    ]
    assert [row["step"] for row in rows] == [2, 4]
    assert rows[0].keys() == {"step", "learning_rate", "loss"}
    assert not Path("runs/experiment/events").exists()


def test_a_line_of_json_says_what_is_no_number_as_a_text(tmp_path):
    JSONLTracker(str(tmp_path)).log(3, "eval", {"loss": float("nan"), "accuracy": 0.5})
    assert (tmp_path / "eval.jsonl").read_text() == '{"step": 3, "loss": "nan", "accuracy": 0.5}\n'
