"""`plx new plugin`: a package that installs, passes its own tests, and offers a working part of each kind that is asked for."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from plx_core.errors import PluginError, did_you_mean

NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
SUFFIX = ".txt"
"""Of the template's files, so that no tool takes them for what they are not."""
PART, TEST, LINE, NEEDS = "part.py", "test.py", "line.yml", "needs"
"""What the template has for a kind: the part, its test, a line of YAML that uses it, and what it needs besides plx-core, if anything."""
WITHOUT = {
    "agents": "no experiment file names one; how an agent acts and learns is up to its model: take models"
}
"""Why a kind has no template."""


def kinds() -> tuple[str, ...]:
    """The kinds of which the template has a part."""
    return tuple(
        sorted(
            folder.name
            for folder in _template("kinds").iterdir()
            if folder.is_dir() and not folder.name.startswith("_")
        )
    )


def needs(chosen: Sequence[str]) -> list[str]:
    """The distributions that these kinds' parts import, plx-core first."""
    files = [_template(f"kinds/{kind}/{NEEDS}{SUFFIX}") for kind in chosen]
    found = {
        line
        for file in files
        if file.is_file()
        for line in file.read_text(encoding="utf-8").split()
    }
    return ["plx-core", *sorted(found)]


def write_plugin(name: str, chosen: Sequence[str], directory: Path) -> Path:
    """Write a package of one part a kind.

    Args:
        name: the distribution's name, such as `plx-acme`; the package's is the same with underscores.
        chosen: the kinds.
        directory: the folder in which the package's folder is made.

    Returns:
        The package's folder.

    Raises:
        PluginError: the name cannot be a package's, a kind is unknown or named twice, or the folder is there already.
    """
    words = _words(name, chosen)
    folder = directory / name
    if folder.exists():
        raise PluginError(f"{folder} is there already; give another name, or another --output-dir")
    package = f"src/{words['package']}"
    lines = {kind: _filled(f"kinds/{kind}/{LINE}", words).strip() for kind in chosen}
    files = {
        "pyproject.toml": _filled(
            "pyproject.toml", words | {"needs": ", ".join(f'"{each}"' for each in needs(chosen))}
        ),
        "README.md": _filled(
            "README.md",
            words | {"lines": "\n".join(f"# {kind}\n{line}" for kind, line in lines.items())},
        ),
        f"{package}/__init__.py": _filled("__init__.py", words),
        f"{package}/plugin.py": _filled("plugin.py", words)
        + "".join(_hook(kind, line, words) for kind, line in lines.items()),
        f"{package}/py.typed": "",
        "tests/test_plugin.py": _filled("test_plugin.py", words),
    }
    for kind in chosen:
        files[f"{package}/{kind}.py"] = _filled(f"kinds/{kind}/{PART}", words)
        files[f"tests/test_{kind}.py"] = _filled(f"kinds/{kind}/{TEST}", words)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


def _words(name: str, chosen: Sequence[str]) -> dict[str, str]:
    """What stands for the template's words."""
    if (
        not NAME.fullmatch(name)
        or keyword.iskeyword(name)
        or name.replace("-", "_") in ("plx", "plx_core", "tests")
    ):
        raise PluginError(
            f"{name} cannot be a package's name; give small letters, digits and dashes, such as plx-acme"
        )
    known = kinds()
    for kind in chosen:
        if kind in WITHOUT:
            raise PluginError(f"there is no template for {kind}: {WITHOUT[kind]}")
        if kind not in known:
            raise PluginError(
                f"there is no template for {kind}{did_you_mean(kind, known)}; there is one for {', '.join(known)}"
            )
    if not chosen or len(set(chosen)) != len(chosen):
        raise PluginError(f"name each kind once; got {', '.join(chosen) or 'none'}")
    package = name.replace("-", "_")
    stem = package.removeprefix("plx_")
    return {
        "name": name,
        "package": package,
        "stem": stem,
        "Prefix": "".join(word.capitalize() for word in stem.split("_")),
    }


def _hook(kind: str, line: str, words: dict[str, str]) -> str:
    part = re.split(r"[:\s]", line.removeprefix("- "))[0]
    return _filled("hook.py", words | {"kind": kind, "part": part})


def _filled(path: str, words: dict[str, str]) -> str:
    return Template(_template(f"{path}{SUFFIX}").read_text(encoding="utf-8")).substitute(words)


def _template(path: str) -> Traversable:
    return resources.files(__name__).joinpath("template", path)
