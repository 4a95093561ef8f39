"""The section `tune`: every mistake is found before the first trial, at its line."""

import pytest

import plx_core as plx
from plx_core.errors import ConfigError
from plx_scale.tune.section import describe, short_names

RATE = "model.regressor.optimizer.SGD.learning_rate"
UNITS = "model.regressor.graph.layers[0].Dense.units"


def problems_of(file):
    with pytest.raises(ConfigError) as caught:
        plx.check_config(file)
    return {problem.path: problem for problem in caught.value.problems}


def test_a_right_section(experiment):
    checked = plx.check_config(experiment())
    section = checked.sections["tune"]
    assert section.num_trials() == 3
    assert "tune" not in checked.data and "tune" not in checked.resolved
    assert section.metric_name == "loss"


def test_the_experiment_is_checked_at_each_corner(file):
    path = file(space={RATE: {"log": [1e-3, 1.0]}, UNITS: [1, "x"], "train.train_steps": [-1, 2]})
    problems = problems_of(path)
    assert problems["tune.space.train.train_steps"].message == (
        "with the value -1, train.train_steps: expected an integer at least 1, got -1"
    )
    lines = path.read_text().splitlines()
    for problem in problems.values():
        assert str(problem.place).startswith(f"{path}:")
        assert problem.path.split("space.")[1] in lines[problem.place.line - 2]


def test_all_mistakes_are_found_at_once(file):
    path = file(
        metric="train/loss",
        sampler="TPX",
        pruner={"Hyperband": {"min_resorce": 1}},
        space={RATE: {"logarithm": [1, 2]}, UNITS: []},
    )
    problems = problems_of(path)
    assert "write eval/loss" in problems["tune.metric"].message
    assert "did you mean TPE?" in problems["tune.sampler"].message
    assert "did you mean min_resource?" in problems["tune.pruner"].message
    assert "expected a list of values" in problems[f"tune.space.{RATE}"].message
    assert "is empty" in problems[f"tune.space.{UNITS}"].message
    places = [problem.place.line for problem in problems.values()]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("model.regressor.optimizer.SGD.rate", "unknown parameter"),
        ("model.regressor.graph.layers[7].Dense.units", "7 is not an index into a list of 2"),
        ("modell.regressor", "unknown key"),
    ],
)
def test_a_path_that_is_not_there(file, path, message):
    (problem,) = problems_of(file(space={path: [1, 2]})).values()
    assert message in problem.message and problem.path == f"tune.space.{path}"


def test_shapes_are_checked_at_each_corner(experiment):
    checked = plx.check_config(
        experiment(space={"model.regressor.graph.layers[1].Dense.units": [1, 3]})
    )
    with pytest.raises(ConfigError, match="with units 3: "):
        plx.check_shapes(checked)


def test_the_number_of_trials(file, experiment):
    problem = problems_of(file(trials=None))["tune"]
    assert "trials is missing" in problem.message
    grid = experiment(trials=None, space={RATE: [0.1, 0.2], UNITS: [1, 2, 3]})
    assert plx.check_config(grid).sections["tune"].num_trials() == 6
    grid["tune"] |= {"trials": 10, "sampler": "Grid"}
    assert plx.check_config(grid).sections["tune"].num_trials() == 6


def test_short_names():
    assert short_names(["a.b.c", "a.d"]) == ["c", "d"]
    assert short_names(["train.Dense.units", "eval.Dense.units", "x.units"]) == [
        "train.Dense.units", "eval.Dense.units", "x.units",
    ]  # fmt: skip
    assert describe({"a.rate": 0.00012345, "a.units": 3}) == "rate 0.0001234, units 3"
