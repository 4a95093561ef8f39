"""Each distribution builds a wheel that installs by itself; core alone says what is missing."""

import functools
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("plx_layers", "plx_pipelines", "plx_rl")
PACKAGES = ("plx_core", *PLUGINS)
TESTS = {
    "plx_core": ("core", "test_components.py", "test_saving.py"),
    "plx_layers": ("layers", "test_examples.py"),
    "plx_pipelines": ("pipelines", "test_folders.py"),
    "plx_rl": ("rl", "test_seeds.py"),
}
"""The folder of each package's tests, and the files in it that are tried wherever `make test-alone` does not ask for all."""


def run(*command: str | Path) -> str:
    """The output of a command that must succeed, run outside the repository with nothing of it on the path."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "PIP_", "PLX_"))
    }
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=sys.prefix,
        env=environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert result.returncode == 0, (
        f"{command} gave {result.returncode}:\n{result.stdout}\n{result.stderr}"
    )
    return result.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each package, by the package's name."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
        "--wheel-dir",
        folder,
    ]
    run(*command, *(ROOT / package for package in PACKAGES))
    built = {path.name.partition("-")[0]: path for path in folder.iterdir()}
    assert sorted(built) == sorted(PACKAGES)
    return built


class Environment:
    """A fresh virtual environment that shares third-party packages with this one, and none of ours."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=os.name != "nt")
        paths = sysconfig.get_paths(vars={"base": str(folder), "platbase": str(folder)})
        self.python = Path(paths["scripts"]) / "python"
        self.scripts = Path(paths["scripts"])
        third_party = folder / "third_party"
        third_party.mkdir()
        # Links, and not the folder itself, so that our editable installs stay out of sight with their entry points.
        for site in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
            for entry in Path(site).iterdir():
                if (
                    not entry.name.startswith(("plx_", "_plx_", "__editable__", "__pycache__"))
                    and entry.suffix != ".pth"
                ):
                    (third_party / entry.name).symlink_to(entry)
        (Path(paths["purelib"]) / "third_party.pth").write_text(
            f"{third_party}\n", encoding="utf-8"
        )

    def install(self, *found: Path) -> None:
        """Install wheels; what they depend on must be there already."""
        run(
            sys.executable,
            "-m",
            "pip",
            "--python",
            self.python,
            "install",
            "--quiet",
            "--no-index",
            *found,
        )

    def evaluate(self, program: str) -> object:
        """What a program leaves in `result`."""
        return json.loads(
            run(
                self.python, "-I", "-c", f"import json\n{program}\nprint(json.dumps(result))"
            ).splitlines()[-1]
        )


@pytest.fixture(scope="module")
def core_alone(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("core"))
    environment.install(wheels["plx_core"])
    return environment


@pytest.fixture(scope="module")
def with_core(
    wheels: dict[str, Path], core_alone: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Environment]:
    """The environment with core and one package more, by the package's name."""

    @functools.cache
    def make(package: str) -> Environment:
        if package == "plx_core":
            return core_alone
        environment = Environment(tmp_path_factory.mktemp(package))
        environment.install(wheels["plx_core"], wheels[package])
        return environment

    return make


@pytest.fixture(scope="module")
def all_four(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("all"))
    environment.install(*wheels.values())
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
    info = f"{package}-{metadata(wheels[package])['Version']}.dist-info/"
    assert {name for name in names if not name.startswith(info)} == expected
    assert f"{package}/py.typed" in names
    assert f"{info}licenses/LICENSE" in names


@pytest.mark.parametrize("package", PLUGINS)
def test_a_plugin_requires_core_and_no_other_plugin(wheels: dict[str, Path], package: str) -> None:
    required = {
        Requirement(text).name for text in metadata(wheels[package]).get_all("Requires-Dist", [])
    }
    assert {name for name in required if name.startswith("plx")} == {"plx-core"}


def test_core_alone_imports_and_has_its_own_parts(core_alone: Environment) -> None:
    program = "import plx_core\nfrom plx_core.plugins.discovery import load_plugins\nresult = list(load_plugins().plugins)"
    assert core_alone.evaluate(program) == ["plx_core"]


def test_core_alone_says_what_to_install(core_alone: Environment) -> None:
    program = """
from plx_core.errors import UnknownComponent
from plx_core.plugins.discovery import load_plugins
from plx_core.plugins.registry import Registry
registry = Registry(load_plugins())
result = {}
for kind, name in (("layers", "Dense"), ("memories", "Memory"), ("pipelines", "TFRecordImagePipeline")):
    try:
        registry.find(kind, name)
    except UnknownComponent as error:
        result[kind] = str(error)
"""
    messages = core_alone.evaluate(program)
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
    program = "from plx_core.plugins.discovery import load_plugins\nresult = {name: plugin.error for name, plugin in load_plugins().plugins.items()}"
    assert with_core(package).evaluate(program) == {"plx_core": "", package: ""}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_passes_its_own_tests_where_only_core_is_installed_besides(
    with_core: Callable[[str], Environment], package: str
) -> None:
    folder, *files = TESTS[package]
    chosen = [""] if "PLX_TEST_ALONE" in os.environ else files
    settings = (
        "-c",
        ROOT / "pyproject.toml",
        "--rootdir",
        ROOT,
        "-p",
        "no:cacheprovider",
        "-q",
        "-m",
        "not slow",
    )
    run(
        with_core(package).python,
        "-I",
        "-m",
        "pytest",
        *settings,
        *(ROOT / "tests" / folder / file for file in chosen),
    )


def test_all_four_together_load_every_component(all_four: Environment) -> None:
    program = """
from plx_core.hookspecs import KINDS
from plx_core.plugins.discovery import load_plugins
from plx_core.plugins.registry import Registry
registry = Registry(load_plugins())
for kind in KINDS:
    for entry in registry.entries(kind):
        entry.load()
result = {name: [plugin.distribution, plugin.error] for name, plugin in registry.plugins.plugins.items()}
"""
    assert all_four.evaluate(program) == {
        package: [package.replace("_", "-"), ""] for package in PACKAGES
    }
