"""What `plx components` says of the plug-ins' parts, and the schema of the examples."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_core.config.yaml_tree import read_file, to_python

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples").glob("*.yml"))


def plx(*arguments):
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_every_example_fits_the_schema(validator, example):
    assert [error.message for error in validator.iter_errors(to_python(read_file(example)))] == []


def test_the_parameters_of_a_component():
    output = plx("components", "optimizers", "adam").output
    assert "optimizer Adam from plx_layers" in output
    assert "learning_rate" in output
    assert "one of exponential_decay" in output
    assert "- Adam" in output


def test_older_names_of_parameters_are_shown_and_fit_the_schema(validator):
    output = plx("components", "layers", "GaussianNoise").output
    assert "stddev (formerly scale)" in output
    assert output.endswith("- GaussianNoise: {stddev: 0.1}\n")
    layers = [
        {"Conv2D": {"filters": 1, "kernel_size": 3, "regularizer": {"L2": {"l": 0.1}}}},
        {"GaussianNoise": {"scale": 0.1}},
    ]
    assert not list(validator.iter_errors({"model": {"classifier": {"graph": {"layers": layers}}}}))
