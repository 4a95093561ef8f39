"""Starting is light, plug-ins use the public names only, and what is pinned is what is needed."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from plx_core.components.namespaces import Namespace

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("plx_layers", "plx_rl", "plx_pipelines", "plx_scale")
PACKAGES = ("plx_core", *PLUGINS)
HEAVY = {"keras", "tensorflow"}

LIGHT = (
    "plx_core",
    "plx_core.annotations",
    "plx_core.callbacks.callback",
    "plx_core.callbacks.standard",
    "plx_core.cli.component_tables",
    "plx_core.cli.main",
    "plx_core.cli.progress_bar",
    "plx_core.cli.run_tables",
    "plx_core.components.component",
    "plx_core.components.json_schema",
    "plx_core.components.schema_cache",
    "plx_core.config.check",
    "plx_core.config.editor_schema",
    "plx_core.config.load",
    "plx_core.config.polyaxon_2017",
    "plx_core.config.sections",
    "plx_core.config.validate",
    "plx_core.config.yaml_tree",
    "plx_core.errors",
    "plx_core.experiments.dry_run_cache",
    "plx_core.hookspecs",
    "plx_core.networks.graph",
    "plx_core.networks.variable_names",
    "plx_core.plugin",
    "plx_core.plugins.discovery",
    "plx_core.plugins.registry",
    "plx_core.reinforcement.interfaces",
    "plx_core.runs.compare",
    "plx_core.runs.run_directory",
    "plx_core.types",
    *(f"{plugin}.plugin" for plugin in PLUGINS),
)
"""What listing, finding and checking need: importing it must not import TensorFlow or Keras."""


def test_light_modules_import_nothing_heavy_when_run() -> None:
    program = (
        "import importlib, json, sys\n"
        f"for name in {LIGHT!r}: importlib.import_module(name)\n"
        f"print(json.dumps(sorted({HEAVY!r} & set(sys.modules))))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout) == []


def description(package: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / package / "pyproject.toml").read_text(encoding="utf-8"))


def dependencies(package: str) -> list[str]:
    """Return the dependencies of a package; those of a plug-in stand in the table of its hook."""
    described = description(package)
    if "dependencies" in described["project"]["dynamic"]:
        return described["tool"]["hatch"]["metadata"]["hooks"]["custom"]["dependencies"]
    return described["project"]["dependencies"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_described_alike(package: str) -> None:
    described, core = description(package), description("plx_core")
    project = described["project"]
    assert project["name"] == package.replace("_", "-")
    for key in ("requires-python", "license", "authors", "classifiers"):
        assert project[key] == core["project"][key]
    assert described["build-system"] == core["build-system"]
    assert project["entry-points"] == {"plx": {package: f"{package}.plugin"}}
    assert (ROOT / package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (ROOT / package / "src" / package / "py.typed").is_file()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_the_version_that_plx_core_declares(package: str) -> None:
    described = description(package)
    assert "version" in described["project"]["dynamic"]
    path = ROOT / package / described["tool"]["hatch"]["version"]["path"]
    assert path.resolve() == ROOT / "plx_core" / "src" / "plx_core" / "__init__.py"


@pytest.mark.parametrize("package", PLUGINS)
def test_every_plugin_adds_the_requirement_on_core_by_the_same_code(package: str) -> None:
    code = (ROOT / package / "hatch_build.py").read_bytes()
    assert code == (ROOT / PLUGINS[0] / "hatch_build.py").read_bytes()


def requirements() -> dict[str, Requirement]:
    """Return what `make` installs directly, by name: dependencies, extras in use, and the tools."""
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    strings = [line for line in lines if line and not line.startswith(("#", "-e"))]
    for line in lines:
        if match := re.fullmatch(r"-e \./(\w+)(?:\[(.*)\])?", line):
            strings += dependencies(match[1])
            for extra in filter(None, (match[2] or "").split(",")):
                strings += description(match[1])["project"]["optional-dependencies"][extra]
    parsed = [Requirement(string) for string in strings]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def test_constraints_pin_what_is_needed() -> None:
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    )
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    ours = {canonicalize_name(package) for package in PACKAGES}
    wrong = {
        name: pinned.get(name, "not pinned")
        for name, requirement in requirements().items()
        if name not in ours
        and not (name in pinned and requirement.specifier.contains(pinned[name], prereleases=True))
    }
    assert not wrong


def test_workflows_call_what_people_call() -> None:
    """Each is valid YAML, runs targets of the Makefile, and pins actions to a major version."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    files = [*(ROOT / ".github").rglob("*.yml"), ROOT / ".readthedocs.yaml"]
    assert len(files) > 4
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert isinstance(yaml.safe_load(text), dict)
        assert set(re.findall(r"^ *- (?:run: )?make ([a-z-]+)$", text, re.MULTILINE)) <= targets
        for action in re.findall(r"uses: ([^.\s]\S+)", text):
            assert re.fullmatch(r"[\w/-]+@(release/)?v\d+", action)


def test_the_quick_tests_exist() -> None:
    files = (ROOT / "tests" / "quick.txt").read_text(encoding="utf-8").splitlines()
    assert [file for file in files if not (ROOT / file).is_file()] == []


PUBLIC = {
    "plx_core",
    "plx_core.annotations",
    "plx_core.errors",
    "plx_core.hookspecs",
    "plx_core.testing",
    "plx_core.types",
}
"""The modules that a plug-in may import from: the API that the version number promises."""


def imported_modules(path: Path) -> Iterator[str]:
    """Return each module of plx_core that a file imports, wherever the import stands."""
    import plx_core

    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            public = set(dir(plx_core)) if node.module == "plx_core" else None
            for alias in node.names:
                is_public = public is None or alias.name in public
                yield node.module if is_public else f"{node.module}.{alias.name}"


@pytest.mark.parametrize("package", [*PLUGINS, "examples"])
def test_plugins_import_only_what_is_public(package: str) -> None:
    private = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for module in imported_modules(path)
        if module.partition(".")[0] == "plx_core" and module not in PUBLIC
    ]
    assert not private


def test_each_public_name_exists_and_is_listed_once() -> None:
    import plx_core

    assert [name for name in plx_core.__all__ if not hasattr(plx_core, name)] == []
    assert len(set(plx_core.__all__)) == len(plx_core.__all__)


def test_a_namespace_of_a_kind_is_never_hidden_by_a_package() -> None:
    """`plx.callbacks` is a namespace of components and also a package: both give the components."""
    import importlib

    import plx_core

    for kind in plx_core.KINDS:
        if find_spec(f"plx_core.{kind}"):
            package = importlib.import_module(f"plx_core.{kind}")
            assert dir(package) == dir(Namespace(kind))
            name = dir(package)[0]
            assert getattr(package, name) is getattr(Namespace(kind), name)
