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


def test_commands_that_cannot_be_called_are_listed(plx):
    commands = {"run": "parts:hello", "data verify": "parts:hello", "dta weigh": "parts:hello", "new thing": "parts:hello"}  # fmt: skip
    answer = plx("plugins", commands=commands)
    assert answer.returncode == 0, answer.stderr
    assert "command run of plug-in parts cannot be called: plx has a command of its own" in (
        answer.stdout
    )
    assert (
        "command dta weigh of plug-in parts cannot be called: there is no group dta; did you mean "
        "data? (plug-ins can add to plx and plx data)" in answer.stdout
    )
    assert "command new thing of plug-in parts cannot be called: there is no group new" in (
        answer.stdout
    )


def test_commands_that_clash_are_listed(plx):
    answer = plx("plugins", modules=("parts", "others"), commands={"hello": "parts:hello"})
    assert answer.returncode == 0, answer.stderr
    for text in ("command hello is offered by ", "parts/hello (parts)", "others/hello (others)"):
        assert text in answer.stdout


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('plugins = "parts.py"', 'pyproject.toml tool.plx.plugins: expected a list of strings, got "parts.py"; write plugins = ["parts.py"]'),
        ('plugin = ["parts.py"]', "pyproject.toml tool.plx.plugin: unknown key; did you mean plugins?"),
        ("env = [1]", "pyproject.toml tool.plx.env: expected a list of strings, got [1]"),
        ("plugins = [", "pyproject.toml: is not TOML: "),
    ],
)  # fmt: skip
def test_settings_of_the_project_that_are_wrong(tmp_path, settings, message):
    (tmp_path / "pyproject.toml").write_text(f"[tool.plx]\n{settings}\n")
    for words in (["plugins"], ["check", "a.yml"]):
        answer = subprocess.run(
            [sys.executable, "-m", "plx_core", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 2, answer.stderr
        assert answer.stderr.startswith(message), answer.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys; sys.exit(3)", "plug-in wrong.py cannot be imported: SystemExit: 3"),
        ("from plx_core import hookimpl\n@hookimpl\ndef provide_layers(config): return {}", "plug-in wrong.py: has a hook with arguments, provide_layers(config); a hook takes none"),
        ("def provide_layers(): return {}", "plug-in wrong.py: has a function provide_layers that plx does not call; write @hookimpl above it"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_plugin(tmp_path, text, message):
    (tmp_path / "wrong.py").write_text(text)
    answer = subprocess.run(
        [sys.executable, "-m", "plx_core", "components", "--plugin", "wrong.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith(message), answer.stderr


@pytest.fixture
def installed(tmp_path):
    """Runs `plx` where a distribution is installed whose plug-in has this text."""

    def run(text, *words, name="acme"):
        site = tmp_path / "site"
        info = site / f"{name}-1.0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[plx]\n{name} = {name}_parts\n")
        (site / f"{name}_parts.py").write_text(text)
        paths = [str(site), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        return subprocess.run(
            [sys.executable, "-m", "plx_core", *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


HOOK = "from plx_core import hookimpl\n@hookimpl\ndef provide_{}(): return {}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import sys\nsys.exit()", "broken: cannot be imported: SystemExit"),
        ("def provide_layers(): return {}", "broken: has a function provide_layers that plx does not call; write @hookimpl"),
        ("import math", "nothing: acme_parts has no function with @hookimpl"),
        (HOOK.format("aliases", {"layer": {"D": "Dense"}}), "broken: provide_aliases failed: ValueError: there is no kind layer; did you mean layers?"),
        (HOOK.format("aliases", {"layers": ["D"]}), "broken: provide_aliases failed: TypeError: layers has list, not a mapping"),
        (HOOK.format("layers", "sys_exit()").replace("from", "from sys import exit as sys_exit\nfrom", 1), "broken: provide_layers failed: SystemExit"),
        (HOOK.format("run_observers", {}), "provide_run_observers"),
        (HOOK.format("layers", {"Dense": "json:loads"}), "layer Dense is offered by acme/Dense (acme 1.0) and"),
    ],
)  # fmt: skip
def test_an_installed_plugin_that_is_wrong_is_listed_and_harms_no_command(installed, text, message):
    pytest.importorskip("plx_layers")
    answer = installed(text, "plugins")
    assert answer.returncode == 0, answer.stderr
    assert message in " ".join(answer.stdout.split()), answer.stdout
    if "sys.exit" in text:
        assert installed(text, "components", "losses").returncode == 0
