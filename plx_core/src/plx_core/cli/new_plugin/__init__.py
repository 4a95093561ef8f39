"""Create a plug-in package, for `plx new plugin`.

The package installs, passes its own tests, and has a working part of each requested kind.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from plx_core.errors import PluginError, did_you_mean

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
RESERVED_NAMES = ("plx", "plx_core", "tests")
SUFFIX = ".txt"
"""Suffix of the template's files, so that tools do not mistake them for Python or YAML."""
PART = "part.py"
TEST = "test.py"
LINE = "line.yml"
"""A line of YAML that uses the part."""
NEEDS = "needs"
"""Distributions that a part imports besides plx-core, one a line. Most kinds need none."""
WITHOUT = {
    "agents": "no experiment file names one; how an agent acts and learns is up to its model: "
    "use models"
}
"""The kinds that have no template, and why."""


def kinds() -> tuple[str, ...]:
    """Return the kinds that have a template."""
    return tuple(sorted(folder.name for folder in _template("kinds").iterdir() if folder.is_dir()))


def needs(chosen: Sequence[str]) -> list[str]:
    """Return the distributions that the parts of these kinds import, plx-core first."""
    files = [_template(f"kinds/{kind}/{NEEDS}{SUFFIX}") for kind in chosen]
    distributions = {
        line
        for file in files
        if file.is_file()
        for line in file.read_text(encoding="utf-8").split()
    }
    return ["plx-core", *sorted(distributions)]


def write_plugin(name: str, chosen: Sequence[str], directory: Path) -> Path:
    """Write a package with one part of each kind.

    Args:
        name: the distribution's name, such as `plx-acme`; underscores replace the dashes in the
            package's name.
        chosen: the kinds.
        directory: the directory in which to create the package's directory.

    Returns:
        The package's directory.

    Raises:
        PluginError: the name is not valid, a kind is unknown or repeated, or the directory exists.
    """
    words = _words(name, chosen)
    folder = directory / name
    if folder.exists():
        raise PluginError(f"{folder} already exists; choose another name, or another --output-dir")
    package = f"src/{words['package']}"
    lines = {kind: _fill(f"kinds/{kind}/{LINE}", words).strip() for kind in chosen}
    requirements = ", ".join(f'"{distribution}"' for distribution in needs(chosen))
    examples = "\n".join(f"# {kind}\n{line}" for kind, line in lines.items())
    hooks = [_hook(kind, line, words) for kind, line in lines.items()]
    files = {
        "pyproject.toml": _fill("pyproject.toml", {**words, "needs": requirements}),
        "README.md": _fill("README.md", {**words, "lines": examples}),
        f"{package}/__init__.py": _fill("__init__.py", words),
        f"{package}/plugin.py": "".join([_fill("plugin.py", words), *hooks]),
        f"{package}/py.typed": "",
        "tests/test_plugin.py": _fill("test_plugin.py", words),
    }
    for kind in chosen:
        files[f"{package}/{kind}.py"] = _fill(f"kinds/{kind}/{PART}", words)
        files[f"tests/test_{kind}.py"] = _fill(f"kinds/{kind}/{TEST}", words)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


def _words(name: str, chosen: Sequence[str]) -> dict[str, str]:
    """Check a request, and return the values of the template's variables."""
    package = name.replace("-", "_")
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or package in RESERVED_NAMES:
        raise PluginError(
            f"{name} cannot be a package's name; use lower-case letters, digits and dashes, "
            "such as plx-acme"
        )
    templates = kinds()
    for kind in chosen:
        if kind in WITHOUT:
            raise PluginError(f"there is no template for {kind}: {WITHOUT[kind]}")
        if kind not in templates:
            raise PluginError(
                f"there is no template for {kind}{did_you_mean(kind, templates)}; "
                f"there is one for {', '.join(templates)}"
            )
    if not chosen or len(set(chosen)) != len(chosen):
        raise PluginError(f"name each kind once; got {', '.join(chosen) or 'none'}")
    stem = package.removeprefix("plx_")
    return {
        "name": name,
        "package": package,
        "stem": stem,
        "Prefix": "".join(word.capitalize() for word in stem.split("_")),
    }


def _hook(kind: str, line: str, words: Mapping[str, str]) -> str:
    part = re.split(r"[:\s]", line.removeprefix("- "))[0]
    return _fill("hook.py", {**words, "kind": kind, "part": part})


def _fill(path: str, words: Mapping[str, str]) -> str:
    return Template(_template(f"{path}{SUFFIX}").read_text(encoding="utf-8")).substitute(words)


def _template(path: str) -> Traversable:
    return resources.files(__name__).joinpath("template", path)
