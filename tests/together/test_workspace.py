"""Imports run one way, starting is light, and what is pinned is what is needed."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("plx_layers", "plx_rl", "plx_pipelines")
PACKAGES = ("plx_core", *PLUGINS)
HEAVY = {"keras", "tensorflow"}

LIGHT = (
    "plx_core",
    "plx_core.annotations",
    "plx_core.config.check",
    "plx_core.cli.main",
    "plx_core.runs.compare",
    "plx_core.components.component",
    "plx_core.config.sections",
    "plx_core.config.polyaxon_2017",
    "plx_core.config.editor_schema",
    "plx_core.errors",
    "plx_core.networks.graph",
    "plx_core.hookspecs",
    "plx_core.reinforcement.interfaces",
    "plx_core.cli.tables",
    "plx_core.config.load",
    "plx_core.networks.variable_names",
    "plx_core.config.yaml_tree",
    "plx_core.plugin",
    "plx_core.plugins.discovery",
    "plx_core.cli.progress_bar",
    "plx_core.config.validate",
    "plx_core.plugins.registry",
    "plx_core.runs.run_directory",
    "plx_core.callbacks.standard",
    "plx_core.components.json_schema",
    "plx_core.components.schema_cache",
    "plx_core.components.component",
    *(f"{plugin}.plugin" for plugin in PLUGINS),
)
"""What listing, finding and checking need: none of it may import TensorFlow or Keras, itself or through others."""


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package / "src" / package).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts[2:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def modules() -> dict[str, Path]:
    return {module_name(path): path for package in PACKAGES for path in sources(package)}


def imported(statement: ast.stmt, module: str) -> Iterator[str]:
    """The modules that an import statement names; for `from a import b` both a and a.b, as either may be a module."""
    if isinstance(statement, ast.Import):
        yield from (alias.name for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        package = module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]
        levels = (
            package.split(".")[: len(package.split(".")) - statement.level + 1]
            if statement.level
            else []
        )
        origin = ".".join([*levels, *([statement.module] if statement.module else [])])
        yield origin
        yield from (f"{origin}.{alias.name}" for alias in statement.names)


def executed_on_import(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported: not those in functions, nor for a type checker."""
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING"):
            yield from executed_on_import(statement.orelse)
            continue
        yield statement
        for block in ("body", "orelse", "finalbody"):
            yield from executed_on_import(getattr(statement, block, []))
        for handler in getattr(statement, "handlers", []):
            yield from executed_on_import(handler.body)


@cache
def imports_at_start(module: str) -> frozenset[str]:
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    return frozenset(
        name for statement in executed_on_import(tree.body) for name in imported(statement, module)
    )


def ways_to_heavy_modules(module: str) -> list[str]:
    """Each chain of imports that leads from a module of ours to TensorFlow or Keras."""
    chains, queue, seen = [], [(module,)], {module}
    while queue:
        chain = queue.pop()
        parents = {chain[-1].rpartition(".")[0]} if "." in chain[-1] else set()
        for name in sorted(imports_at_start(chain[-1]) | parents):
            if name.partition(".")[0] in HEAVY:
                chains.append(" -> ".join([*chain, name]))
            elif name in modules() and name not in seen:
                seen.add(name)
                queue.append((*chain, name))
    return chains


def packages_named(path: Path) -> Iterator[tuple[int, str]]:
    """Line and package of each import, anywhere in the file, and of each text such as "package.module:attribute"."""
    module = module_name(path)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, name.partition(".")[0]) for name in imported(node, module))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.fullmatch(r"\w+(\.\w+)+(:\w+)?", node.value)
        ):
            yield node.lineno, node.value.partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    forbidden = set(PLUGINS) - {package}
    found = [
        f"{path.relative_to(ROOT)}:{line} names {name}"
        for path in sources(package)
        for line, name in packages_named(path)
        if name in forbidden
    ]
    assert not found, "core names no plug-in, and a plug-in no other: " + "; ".join(found)


@pytest.mark.parametrize("module", LIGHT)
def test_light_modules_do_not_lead_to_tensorflow(module: str) -> None:
    assert ways_to_heavy_modules(module) == []


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


def test_the_walk_sees_what_runs_on_import_only() -> None:
    tree = ast.parse(
        "import a\n"
        "if TYPE_CHECKING:\n    import b\nelse:\n    import c\n"
        "try:\n    import d\nexcept ImportError:\n    import e\n"
        "def f():\n    import g\n"
        "class H:\n    import h\n    def m(self):\n        import i\n"
    )
    names = [
        alias.name
        for statement in executed_on_import(tree.body)
        if isinstance(statement, ast.Import)
        for alias in statement.names
    ]
    assert names == ["a", "c", "d", "e", "h"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_is_described_alike(package: str) -> None:
    described = tomllib.loads((ROOT / package / "pyproject.toml").read_text(encoding="utf-8"))
    core = tomllib.loads((ROOT / "plx_core" / "pyproject.toml").read_text(encoding="utf-8"))
    project = described["project"]
    assert project["name"] == package.replace("_", "-")
    for key in ("version", "requires-python", "license", "authors", "classifiers"):
        assert project[key] == core["project"][key]
    assert described["build-system"] == core["build-system"]
    assert project["entry-points"] == {"plx": {package: f"{package}.plugin"}}
    assert (ROOT / package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (ROOT / package / "src" / package / "py.typed").is_file()


def requirements() -> dict[str, Requirement]:
    """What `make` installs directly, by name: the packages' dependencies, their extras in use, and the tools."""
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    texts = [line for line in lines if line and not line.startswith(("#", "-e"))]
    for line in lines:
        if match := re.fullmatch(r"-e \./(\w+)(?:\[(.*)\])?", line):
            project = tomllib.loads(
                (ROOT / match[1] / "pyproject.toml").read_text(encoding="utf-8")
            )["project"]
            texts += project["dependencies"]
            texts += [
                text
                for extra in (match[2] or "").split(",")
                if extra
                for text in project["optional-dependencies"][extra]
            ]
    parsed = [Requirement(text) for text in texts]
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


def test_no_module_of_the_core_hides_a_kind() -> None:
    """`plx.layers` is the namespace of a kind: a submodule of that name would take its place once it is imported."""
    from plx_core import KINDS

    modules = {path.stem for path in (ROOT / "plx_core" / "src" / "plx_core").glob("*.py")}
    assert modules.isdisjoint(KINDS)
