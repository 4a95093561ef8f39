"""Each supervised example is written twice, as a file and in Python: both run, and give the same numbers."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from plx_core.cli import main

EXAMPLES = Path(__file__).parents[2] / "examples"
STEPS = 3
HEREDOC = re.compile(r"^#   (mkdir .*END'\n(?:#   .*\n)*?#   END)$", re.MULTILINE)
"""The lines of an example's head that make its data, where no `plx data` does."""


def run_file(name, *sets):
    """The metrics of the last evaluation of `plx run`."""
    arguments = [argument for item in (f"train.train_steps={STEPS}", *sets) for argument in ("--set", item)]
    result = CliRunner().invoke(main, ["run", str(EXAMPLES / f"{name}.yml"), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in Path("runs", name, "metrics.jsonl").read_text().splitlines()]
    return [line["metrics"] for line in lines if line["split"] == "eval"][-1]


def run_script(name, *args):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(f"python/{name}", *args)


def same(found, expected):
    names = set(expected) - {"global_step"}
    assert names == set(found) - {"global_step"}
    assert {name: found[name] for name in names} == pytest.approx({name: expected[name] for name in names}, rel=1e-5, abs=1e-6)


@pytest.fixture
def workplace(tmp_path, monkeypatch, digits):
    """A folder to run in, where data/digits is, and the digits also take MNIST's place, whose shape they have."""
    monkeypatch.chdir(tmp_path)
    mnist = tmp_path / "data" / "mnist"
    mnist.mkdir(parents=True)
    (tmp_path / "data" / "digits").symlink_to(digits)
    for path in digits.iterdir():
        (mnist / path.name.replace("digits", "mnist")).symlink_to(path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "data", "pictures"),
    [
        ("autoencoder", "digits", ["reconstructions"]),
        ("conv_autoencoder", "digits", ["reconstructions"]),
        ("denoising_autoencoder", "digits", ["reconstructions"]),
        ("variational_autoencoder", "mnist", ["generated", "reconstructions", "traversal"]),
    ],
)
def test_autoencoders(workplace, name, data, pictures):
    same(run_script(name, f"data/{data}", STEPS), run_file(name))
    for folder in ("runs", "python"):
        assert sorted(path.name for path in Path(folder, name, "images").iterdir()) == [f"{STEPS:09d}_{kind}.png" for kind in pictures]


@pytest.mark.parametrize("name", ["multi_head_iris"])
def test_tables(tmp_path, monkeypatch, name):
    pytest.importorskip("sklearn", reason="scikit-learn brings the data")
    monkeypatch.chdir(tmp_path)
    make_table(name)
    same(run_script(name, STEPS), run_file(name))


def make_table(name):
    """Do what the head of an example says."""
    (lines,) = HEREDOC.findall((EXAMPLES / f"{name}.yml").read_text())
    script = re.sub("^#   ", "", lines, flags=re.MULTILINE) + "\n"
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(["bash", "-e", "-c", script], check=True, env=environ)
