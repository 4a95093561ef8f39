"""What `plx new plugin` writes: it installs, passes its own tests and lints, and shows its parts; wrong requests are explained."""

import ast
import importlib
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from packaging.requirements import Requirement

from plx_core.cli.main import main
from plx_core.cli.new_plugin import WITHOUT, kinds, needs, write_plugin
from plx_core.config.validate import Reader
from plx_core.config.yaml_tree import parse
from plx_core.hookspecs import KINDS
from plx_core.plugins.discovery import Plugin, load_plugins
from plx_core.plugins.registry import Registry

pytest.importorskip("gymnasium")
PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "own-package.md"
QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A package with a part of every kind that there is a template of."""
    return write_plugin("plx-acme-parts", kinds(), tmp_path_factory.mktemp("new"))


def test_every_kind_has_a_template_or_a_reason():
    assert sorted([*kinds(), *WITHOUT]) == sorted(KINDS)


def test_the_page_on_packages_has_every_template():
    rows = re.findall(r"^\| (\w+) \| .+ \|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    needed = {kind: [Requirement(line).name for line in needs([kind])[1:]] for kind in kinds()}
    assert {
        kind: words.replace(",", "").split() for kind, words in rows if kind != "kind"
    } == needed


def test_its_own_tests_pass(package):
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "ignore"],
        cwd=package, env=QUIET, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-3000:]
    written = sum(path.read_text().count("\ndef test_") for path in (package / "tests").iterdir())
    assert f"\n{written} passed" in answer.stdout


@pytest.mark.parametrize("kind", kinds())
def test_it_depends_on_what_it_imports(kind, tmp_path):
    folder = write_plugin("acme", [kind], tmp_path)
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    needed = {Requirement(line).name for line in (*project["dependencies"], *requires("plx-core"))}
    imported = {
        word
        for node in ast.walk(ast.parse((folder / "src" / "acme" / f"{kind}.py").read_text()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for word in (
            [node.module]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    foreign = {word.partition(".")[0] for word in imported} - sys.stdlib_module_names
    assert {word.replace("_", "-") for word in foreign} <= needed


def test_the_lines_of_its_readme_are_those_that_a_config_takes(package, monkeypatch):
    monkeypatch.syspath_prepend(str(package / "src"))
    plugins = load_plugins()
    plugins.add(
        Plugin("plx_acme_parts", "plx_acme_parts.plugin"),
        importlib.import_module("plx_acme_parts.plugin"),
    )
    reader = Reader(Registry(plugins))
    block = (package / "README.md").read_text().split("```")[1].removeprefix("yaml\n")
    lines = dict(
        zip(
            (line[2:] for line in block.splitlines() if line.startswith("# ")),
            yaml.safe_load(block),
            strict=True,
        )
    )
    assert sorted(lines) == sorted(kinds())
    for kind, line in lines.items():
        reader.read(parse(yaml.safe_dump(line), kind), {"x-component": kind}, kind)
    assert reader.problems == []


def test_ruff_finds_nothing_in_it(package):
    pytest.importorskip("ruff")
    config = Path(__file__).parents[3] / "pyproject.toml"
    answer = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--config", str(config), "--no-cache", "src"],
        cwd=package, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout


def test_it_installs_and_shows_its_parts(tmp_path):
    folder = write_plugin("acme-tool", ["layers", "explorations"], tmp_path)
    venv.create(tmp_path / "env", symlinks=os.name != "nt")
    paths = sysconfig.get_paths(
        vars={"base": str(tmp_path / "env"), "platbase": str(tmp_path / "env")}
    )
    (Path(paths["purelib"]) / "outer.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    python = Path(paths["scripts"]) / "python"
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
    ]
    subprocess.run([*install, str(folder)], check=True, capture_output=True)
    environ = QUIET | {"PLX_CACHE_DIR": str(tmp_path / "cache")}

    def plx(*words):
        return subprocess.run(
            [str(python), "-m", "plx_core", *words],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    assert "acme_tool" in plx("components", "layers").stdout
    shown = plx("components", "explorations", "AcmeToolSecondBest").stdout
    assert "acme-tool 0.1.0" in shown
    assert "Takes the second best discrete action" in shown
    checked = plx("plugins", "--check", "acme_tool")
    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "3 passed"), (
        checked.stdout + checked.stderr
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["Acme"],
            "Acme cannot be a package's name; use lower-case letters, digits and dashes, such as plx-acme",
        ),
        (["plx-core"], "plx-core cannot be a package's name"),
        (["acme", "--kinds", "layer"], "there is no template for layer; did you mean layers?"),
        (
            ["acme", "--kinds", "layers,agents"],
            "there is no template for agents: no experiment file names one",
        ),
        (["acme", "--kinds", "layers,layers"], "name each kind once; got layers, layers"),
        (["acme", "--kinds", ""], "name each kind once; got none"),
    ],
)
def test_wrong_requests(words, message, tmp_path):
    answer = CliRunner().invoke(main, ["new", "plugin", *words, "--output-dir", str(tmp_path)])
    assert answer.exit_code == 2
    assert message in answer.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    words = ["new", "plugin", "acme", "--output-dir", str(tmp_path)]
    assert CliRunner().invoke(main, words).exit_code == 0
    (tmp_path / "acme" / "README.md").write_text("mine")
    answer = CliRunner().invoke(main, words)
    assert answer.exit_code == 2
    assert "already exists; choose another name, or another --output-dir" in answer.output
    assert (tmp_path / "acme" / "README.md").read_text() == "mine"
