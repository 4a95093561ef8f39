"""Runs the examples: those in Python, and the experiment files."""

import importlib.util
import json
from pathlib import Path

from click.testing import CliRunner

from plx_core.cli.main import main

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_script(name, *args):
    """Return the result of the `main` function of an example in Python."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(*args)


def plx(*words):
    """Run a command that must succeed, in this process."""
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def run_file(name, *settings, folder=EXAMPLES):
    """Run an experiment file with some `--set`, and return its last evaluation."""
    words = [word for item in settings for word in ("--set", item)]
    plx("run", folder / f"{name}.yml", *words)
    return evaluations(name)[-1]


def evaluations(run):
    """Return the lines of metrics.jsonl that tell of evaluations."""
    lines = Path("runs", run, "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["split"] == "eval"]
