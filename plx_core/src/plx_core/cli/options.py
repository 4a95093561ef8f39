"""What commands share: options, the user's project settings, and the experiment that is run."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import frozen

from plx_core.errors import ConfigError, Place, Problem, did_you_mean, printable

if TYPE_CHECKING:
    from plx_core.config.check import CheckedConfig
    from plx_core.experiments.reinforcement import RLExperiment
    from plx_core.experiments.supervised import Experiment
    from plx_core.plugins.registry import Registry

SETTINGS = ("env", "plugins")
"""The keys of `[tool.plx]`; each is a list of strings."""
FILE = click.argument("file", type=click.Path(dir_okay=False))
OUTPUT_DIR = click.option(
    "--output-dir",
    metavar="DIR",
    help="Run directory.  [default: the file's settings.output_dir, or runs/NAME]",
)
SETS = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="A.B=VALUE",
    help="Override a value of FILE. Repeatable.",
)
PLUGINS = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="MODULE_OR_FILE",
    help="Load a plug-in that is not installed; this runs its code. Repeatable.",
)
CHECKPOINT = click.option(
    "--checkpoint",
    metavar="best|latest|DIR",
    help="Checkpoint.  [default: best if the file has keep_best or EarlyStopping, else latest]",
)


@frozen
class Request:
    """An experiment file with the options that every command on experiments takes."""

    file: str
    output_dir: str | None
    sets: Sequence[str]
    plugins: Sequence[str]

    def check(self) -> CheckedConfig:
        """Load and check the file, and set up logging as it says.

        Raises:
            ConfigError: with every mistake in the file.
        """
        checked = check_file(self.file, self.sets, self.plugins)
        _configure_logging(checked.config.settings.logging.level)
        return checked

    def create_experiment(self, *, evaluates: bool = False) -> Experiment | RLExperiment:
        """Check the file and build its experiment.

        Args:
            evaluates: require data or an environment to evaluate on.

        Raises:
            ConfigError: with every mistake in the file.
        """
        from plx_core.experiments.from_config import create_experiment, require_source

        checked = self.check()
        if evaluates:
            require_source(checked, "eval")
        return create_experiment(checked, self.output_dir, keep=False)

    @contextmanager
    def training(self) -> Iterator[Experiment | RLExperiment]:
        """Yield the file's experiment, with the config in its run directory, which is locked.

        Raises:
            ConfigError: with every mistake in the file.
            RunDirectoryError: another process writes to the run, or it is another config's.
        """
        from plx_core.experiments.from_config import (
            create_experiment,
            keep_config,
            require_source,
        )

        checked = self.check()
        require_source(checked, "train")
        experiment = create_experiment(checked, self.output_dir, keep=False)
        with experiment.trainer.run_directory.writing():
            keep_config(checked, experiment, Path(self.file).read_text(encoding="utf-8"))
            yield experiment


def experiment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the arguments of every command on experiments; the command gets them as a `Request`."""

    @functools.wraps(command)
    def with_request(
        file: str,
        output_dir: str | None,
        sets: Sequence[str],
        plugins: Sequence[str],
        **options: object,
    ) -> None:
        command(Request(file, output_dir, sets, plugins), **options)

    for option in (PLUGINS, SETS, OUTPUT_DIR, FILE):
        with_request = option(with_request)
    return with_request


def check_file(file: str, sets: Sequence[str], plugins: Sequence[str]) -> CheckedConfig:
    """Load and check an experiment file.

    Raises:
        ConfigError: with every mistake in the file.
    """
    from plx_core.config.check import check_config
    from plx_core.config.load import Permissions

    allowed = Permissions(tuple(project_settings().get("env", ())), _allowed_plugins(plugins))
    return check_config(file, sets, allowed)


def create_registry(plugins: Sequence[str] = ()) -> Registry:
    """Return the components of the installed plug-ins, of the project's, and of these."""
    from plx_core.plugins.discovery import load_plugins
    from plx_core.plugins.registry import Registry

    return Registry(load_plugins(_allowed_plugins(plugins)))


def _allowed_plugins(plugins: Sequence[str]) -> tuple[str, ...]:
    return (*project_settings().get("plugins", ()), *plugins)


@functools.cache
def project_settings() -> dict[str, Any]:
    """Return the `[tool.plx]` table of the pyproject.toml in the current directory.

    It lists the plug-ins and environment variables that the user allows.

    Raises:
        ConfigError: the file is not TOML, or the table has unknown keys or wrong values.
    """
    import tomllib

    try:
        project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    except OSError:
        return {}
    except ValueError as error:
        problem = Problem("", f"is not TOML: {error}", Place("pyproject.toml"))
        raise ConfigError([problem]) from None
    tool = project.get("tool", {})
    table = tool.get("plx", {}) if isinstance(tool, dict) else {}
    problems = _settings_problems(table)
    if problems:
        raise ConfigError(problems)
    return dict(table)


def _settings_problems(table: object) -> list[Problem]:
    place = Place("pyproject.toml")
    if not isinstance(table, dict):
        return [Problem("tool.plx", "expected a table", place)]
    problems = []
    for key, value in table.items():
        path = f"tool.plx.{key}"
        if key not in SETTINGS:
            hint = did_you_mean(key, SETTINGS) or f"; the keys are {', '.join(SETTINGS)}"
            problems.append(Problem(path, f"unknown key{hint}", place))
        elif not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            message = f"expected a list of strings, got {json.dumps(value, default=str)}"
            if isinstance(value, str):
                message += f"; write {key} = [{json.dumps(value)}]"
            problems.append(Problem(path, message, place))
    return problems


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _configure_logging(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Printable("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler])
    for name in ("absl", "tensorflow", "h5py"):
        logging.getLogger(name).setLevel("ERROR")
