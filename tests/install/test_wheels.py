"""Each package builds a wheel that installs by itself; core alone says what is missing."""

import functools
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from tests.environments import Environment

import plx_core

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("plx_layers", "plx_pipelines", "plx_rl", "plx_scale")
PACKAGES = ("plx_core", *PLUGINS)
TESTS = {
    "plx_core": ("core", "components/test_component.py", "networks/test_load_model.py"),
    "plx_layers": ("layers", "test_examples.py"),
    "plx_pipelines": ("pipelines", "test_folders.py"),
    "plx_rl": ("rl", "test_seeds.py"),
    "plx_scale": ("scale", "tune/test_space.py"),
}
"""The folder of each package's tests, and the files in it that run without `make test-alone`."""


def build(folder: Path, *command: str | Path, cwd: Path = ROOT) -> None:
    subprocess.run(
        [sys.executable, "-m", *command, folder], cwd=cwd, check=True, capture_output=True
    )


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist and the wheel of each package."""
    folder = tmp_path_factory.mktemp("dist")
    for package in PACKAGES:
        build(folder, "hatchling", "build", "--directory", cwd=ROOT / package)
    return folder


@pytest.fixture(scope="module")
def wheels(dist: Path) -> dict[str, Path]:
    """Return the wheel of each package, by the package's name."""
    wheels = {path.name.partition("-")[0]: path for path in dist.glob("*.whl")}
    assert sorted(wheels) == sorted(PACKAGES)
    return wheels


def evaluate(environment: Environment, program: str) -> object:
    """Return what a program leaves in `result`."""
    program = f"import json\n{program}\nprint(json.dumps(result))"
    answer = environment.run("-I", "-c", program)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def with_core(
    wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Environment]:
    """Return a function that makes the environment with core and one package more, once."""

    @functools.cache
    def make(package: str) -> Environment:
        environment = Environment(tmp_path_factory.mktemp(package), with_plx=False)
        environment.install(*{wheels["plx_core"], wheels[package]})
        return environment

    return make


@pytest.fixture(scope="module")
def core_alone(with_core: Callable[[str], Environment]) -> Environment:
    return with_core("plx_core")


@pytest.fixture(scope="module")
def all_packages(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("all"), with_plx=False)
    environment.install(*wheels.values(), dependencies=True)
    return environment


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_its_own_files_and_no_others(wheels: dict[str, Path], package: str) -> None:
    with zipfile.ZipFile(wheels[package]) as archive:
        names = set(archive.namelist())
    source = ROOT / package / "src"
    expected = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    info = f"{package}-{plx_core.__version__}.dist-info/"
    assert {name for name in names if not name.startswith(info)} == expected
    assert f"{package}/py.typed" in names
    assert f"{info}licenses/LICENSE" in names


def test_a_source_distribution_builds_the_same_wheel(
    dist: Path, wheels: dict[str, Path], tmp_path: Path
) -> None:
    options = ("--no-build-isolation", "--no-deps", "--no-index")
    build(tmp_path, "pip", "wheel", *options, *dist.glob("*.tar.gz"), "--wheel-dir", cwd=tmp_path)
    for wheel in wheels.values():
        assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.mark.parametrize("package", PLUGINS)
def test_a_plugin_requires_core_of_its_version_and_no_other_plugin(
    wheels: dict[str, Path], package: str
) -> None:
    required = map(Requirement, metadata(wheels[package]).get_all("Requires-Dist", []))
    ours = {item.name: item.specifier for item in required if item.name.startswith("plx")}
    assert ours == {"plx-core": f"~={plx_core.__version__}"}


def test_core_alone_imports_and_has_its_own_parts(core_alone: Environment) -> None:
    program = """
import plx_core
from plx_core.plugins.discovery import load_plugins
result = list(load_plugins().plugins)
"""
    assert evaluate(core_alone, program) == ["plx_core"]


def test_core_alone_says_what_to_install(core_alone: Environment) -> None:
    program = """
from plx_core.errors import UnknownComponent
from plx_core.plugins.discovery import load_plugins
from plx_core.plugins.registry import Registry
registry = Registry(load_plugins())
result = {}
for kind, name in (
    ("layers", "Dense"), ("memories", "Memory"), ("pipelines", "TFRecordImagePipeline")
):
    try:
        registry.find(kind, name)
    except UnknownComponent as error:
        result[kind] = str(error)
"""
    messages = evaluate(core_alone, program)
    assert isinstance(messages, dict)
    for kind, package in (
        ("layers", "plx-layers"),
        ("memories", "plx-rl"),
        ("pipelines", "plx-pipelines"),
    ):
        assert "searched the plug-ins plx_core" in messages[kind]
        assert f"pip install {package}" in messages[kind]


@pytest.mark.parametrize("package", PLUGINS)
def test_core_with_one_plugin_works_without_the_others(
    with_core: Callable[[str], Environment], package: str
) -> None:
    program = """
from plx_core.plugins.discovery import load_plugins
result = {name: plugin.error for name, plugin in load_plugins().plugins.items()}
"""
    assert evaluate(with_core(package), program) == {"plx_core": "", package: ""}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_passes_its_own_tests_where_only_core_is_installed_besides(
    with_core: Callable[[str], Environment], package: str
) -> None:
    folder, *files = TESTS[package]
    paths = [ROOT / "tests" / folder]
    if "PLX_TEST_ALONE" not in os.environ:
        paths = [ROOT / "tests" / folder / file for file in files]
    options = ("-c", ROOT / "pyproject.toml", "--rootdir", ROOT, "-p", "no:cacheprovider")
    answer = with_core(package).run("-I", "-m", "pytest", *options, "-m", "not slow", *paths)
    assert answer.returncode == 0, answer.stdout[-5000:] + answer.stderr


def test_all_together_load_every_component(all_packages: Environment) -> None:
    program = """
from plx_core.hookspecs import KINDS
from plx_core.plugins.discovery import load_plugins
from plx_core.plugins.registry import Registry
registry = Registry(load_plugins())
for kind in KINDS:
    for entry in registry.entries(kind):
        entry.load()
plugins = registry.plugins.plugins.items()
result = {name: [plugin.distribution, plugin.version, plugin.error] for name, plugin in plugins}
"""
    assert evaluate(all_packages, program) == {
        package: [package.replace("_", "-"), plx_core.__version__, ""] for package in PACKAGES
    }


def test_the_installed_command_tells_the_version(all_packages: Environment) -> None:
    answer = subprocess.run(
        [all_packages.python.with_name("plx"), "--version"],
        env=all_packages.variables,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout == f"plx, version {plx_core.__version__}\n"
