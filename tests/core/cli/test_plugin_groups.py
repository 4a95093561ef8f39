"""Commands that plug-ins add to the command line."""

import os
import subprocess
import sys

import pytest

PARTS = """
import click
from plx_core import hookimpl

@click.command()
def hello():
    \"\"\"Greet.\"\"\"
    click.echo("hello")

@hookimpl
def provide_commands():
    return {commands}
"""
GOOD = {
    "hello": "parts:hello",
    "data hello": "parts:hello",
    "run": "parts:hello",
    "data missing": "parts:missing",
    "odd": "os:sep",
}


@pytest.fixture
def plx(tmp_path):
    """Runs `plx` in a folder whose project file allows the given modules."""

    def run(*arguments, modules=("parts",), commands=GOOD):
        (tmp_path / "pyproject.toml").write_text(f"[tool.plx]\nplugins = {list(modules)!r}\n")
        for module in modules:
            (tmp_path / f"{module}.py").write_text(PARTS.format(commands=commands))
        paths = [str(tmp_path), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        return subprocess.run(
            [sys.executable, "-m", "plx_core", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    "words",
    [("hello",), ("data", "hello"), ("parts/hello",), ("data", "parts/hello")],
    ids=" ".join,
)
def test_a_command_of_a_plugin_runs(plx, words):
    answer = plx(*words)
    assert (answer.returncode, answer.stdout) == (0, "hello\n"), answer.stderr


def test_help_lists_them_without_importing_them(plx):
    commands = {"heavy": "there_is_no_such_module:command", "run": "parts:hello"}
    answer = plx("--help", commands=commands)
    assert answer.returncode == 0
    lines = [
        line.split() for line in answer.stdout.split("Commands from plug-ins:\n")[1].splitlines()
    ]
    assert ["heavy", "from", "parts"] in lines
    assert not any(line[0] == "run" for line in lines)


def test_our_own_commands_stay_ours(plx):
    answer = plx("run")
    assert answer.returncode == 2
    assert "Missing argument 'FILE'" in answer.stderr


def test_what_is_no_command_is_named(plx):
    answer = plx("data", "missing")
    assert answer.returncode == 2
    assert answer.stderr.startswith(
        "command data missing of plug-in parts (parts) cannot be loaded from parts:missing: AttributeError"
    )
    answer = plx("odd")
    assert answer.returncode == 2
    assert "command odd of plug-in parts: os:sep is not" in answer.stderr


def test_two_plugins_with_one_command(plx):
    answer = plx("hello", modules=("parts", "others"))
    assert answer.returncode == 2
    assert (
        answer.stderr
        == "command hello is offered by others/hello (others) and parts/hello (parts); write one of these in full\n"
    )
    assert plx("others/hello", modules=("parts", "others")).stdout == "hello\n"


def test_help_survives_a_plugin_that_cannot_be_imported(plx, tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0")
    (tmp_path / "pyproject.toml").write_text('[tool.plx]\nplugins = ["broken.py"]\n')
    for words in ((), ("data",)):
        answer = subprocess.run(
            [sys.executable, "-m", "plx_core", *words, "--help"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0
        assert "ZeroDivisionError" in answer.stdout


def test_commands_are_counted_among_what_a_plugin_offers(plx):
    line = next(line for line in plx("plugins").stdout.splitlines() if line.startswith("parts"))
    assert "5 commands" in line


def test_a_data_set_that_nobody_knows(plx):
    answer = plx("data", "helo")
    assert answer.returncode == 2
    assert answer.stderr.startswith("data: there is no dataset called helo")
