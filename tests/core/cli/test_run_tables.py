"""What `plx components`, `plx schema`, `plx runs` and `plx compare` say."""

import sys

import pytest
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.runs.compare import sparkline
from plx_core.runs.plot import draw_run
from plx_core.runs.run_directory import RunDirectory


def plx(*arguments):
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(
    "change",
    [
        {"trian": {}},
        {"train": {"train_stpes": 1}},
        {"train": {"train_steps": 0}},
        {"environment": {"mixed_precision": "float8"}},
        {"model": {"clasifier": {}}},
        {"model": {"classifier": {"n_clases": 1}}},
        {"model": {"classifier": {"loss": {"Huber": {"dleta": 1}}}}},
        {"model": {"classifier": {"graph": {"layers": [{"Conv2D": {"filters": 3, "kernel": 3}}]}}}},
        {"model": {"classifier": {"graph": {"layers": [{"Dense": {}}]}}}},
    ],
    ids=str,
)
def test_the_schema_refuses_what_check_refuses(validator, change):
    assert not validator.is_valid(
        {"model": {"classifier": {"graph": {"layers": ["Flatten"]}}}, **change}
    )


def test_the_schema_knows_the_parameters_of_a_layer(validator):
    layer = validator.schema["definitions"]["layers"]["anyOf"][1]["properties"]["Conv2D"]["anyOf"][
        1
    ]
    assert {"filters", "kernel_size", "activation", "inbound_nodes", "name"} <= set(
        layer["properties"]
    )
    assert layer["properties"]["activation"]["anyOf"][0]["allOf"] == [
        {"$ref": "#/definitions/activations"}
    ]


def test_an_unknown_component_is_explained():
    answer = plx("components", "layers", "Conv")
    assert answer.exit_code == 2
    assert "there is no layer called Conv" in answer.output


def make_run(path, rate, losses):
    run = RunDirectory(path)
    run.write_config(
        "", {"model": {"classifier": {"optimizer": {"Adam": {"learning_rate": rate}}}}}
    )
    for step, loss in enumerate(losses, 1):
        run.append_metrics(step * 10, "eval", {"loss": loss})


def test_runs_and_their_comparison(tmp_path):
    make_run(tmp_path / "one", 0.1, [1.0, 0.5])
    make_run(tmp_path / "two", 0.2, [1.0, 0.25, 0.125])
    listing = plx("runs", str(tmp_path)).output
    assert "one" in listing
    assert "loss 0.125" in listing
    output = plx(
        "compare",
        str(tmp_path / "one"),
        str(tmp_path / "two"),
        "--png",
        str(tmp_path / "curves.png"),
    ).output
    assert [
        line.split() for line in output.splitlines() if line.startswith(("model.", "loss"))
    ] == [
        ["model.classifier.optimizer.Adam.learning_rate", "0.1", "0.2"],
        ["loss", "0.5", "0.125"],
    ]
    assert "█▄  one" in output
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    answer = plx("compare", str(tmp_path), str(tmp_path))
    assert answer.exit_code == 2
    assert "is not a run directory" in answer.output


@pytest.fixture
def without_matplotlib(monkeypatch):
    for name in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, name, None)


def test_a_picture_without_matplotlib_is_an_error_that_says_what_to_install(
    tmp_path, without_matplotlib
):
    make_run(tmp_path / "a", 0.01, [4, 2])
    make_run(tmp_path / "b", 0.01, [3, 1])
    answer = plx(
        "compare", str(tmp_path / "a"), str(tmp_path / "b"), "--png", str(tmp_path / "a.png")
    )
    assert answer.exit_code == 2
    assert answer.stderr == (
        "matplotlib is not installed; pip install plx-core[plots] installs it\n"
    )
    assert plx("compare", str(tmp_path / "a"), str(tmp_path / "b")).exit_code == 0


def test_a_run_without_matplotlib_has_no_picture_and_says_how_to_get_one(
    tmp_path, without_matplotlib, caplog
):
    caplog.set_level("INFO")
    make_run(tmp_path, 0.01, [4, 2])
    assert draw_run(RunDirectory(tmp_path)) is None
    (record,) = caplog.records
    assert "pip install plx-core[plots]" in record.message
    assert not (tmp_path / "curves.png").exists()


def test_a_sparkline_runs_from_low_to_high():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 0, 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([], 0, 1) == ""
    assert len(sparkline(list(range(1000)), 0, 1000)) == 40
