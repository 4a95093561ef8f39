"""The command line."""

from __future__ import annotations

import functools
import json
import logging
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from plx_core import __version__
from plx_core.cli import quiet_tensorflow as quiet
from plx_core.cli.plugin_groups import DataSets, PluginGroup
from plx_core.errors import PlxError

if TYPE_CHECKING:
    from plx_core.config.check import CheckedConfig
    from plx_core.config.load import Permissions
    from plx_core.plugins.registry import Registry

MOST_SHOWN = 5
"""A longer mapping of what a data set's preparation returns is not shown; it is in the meta data."""
FILE = click.argument("file", type=click.Path(dir_okay=False))
OUTPUT_DIR = click.option(
    "--output-dir",
    metavar="DIR",
    help="The run directory; the file's own, or runs/NAME, when left out.",
)
SETS = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="A.B=VALUE",
    help="Set a value of the file; may be given several times.",
)
PLUGINS = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="MODULE_OR_FILE",
    help="Load a plug-in that is not installed; its code runs.",
)
CHECKPOINT = click.option(
    "--checkpoint", metavar="DIR", help="A checkpoint folder; the newest when left out."
)


class Plx(PluginGroup):
    """Shows a person's mistake as one message."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; the exit code says how it ended."""
        try:
            return super().invoke(ctx)
        except PlxError as error:
            if ctx.params.get("traceback"):
                raise
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except (BrokenPipeError, KeyboardInterrupt) as error:
            sys.stderr.close()
            ctx.exit(130 if isinstance(error, KeyboardInterrupt) else 141)


@click.group(
    cls=Plx,
    registry=lambda: _registry(()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--traceback", is_flag=True, help="Show where in the code an error arose.")
@click.version_option(__version__, prog_name="plx")
def main(traceback: bool) -> None:
    """Deep-learning and reinforcement-learning experiments on TensorFlow, from a file.

    \b
    plx data digits                         prepare a data set
    plx check examples/lenet_digits.yml     find every mistake in a file
    plx run examples/lenet_digits.yml       train and evaluate; the same again resumes
    """  # noqa: D301 (click reads \b)
    quiet.install()


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments that every command on an experiment file takes."""
    for option in (PLUGINS, SETS, OUTPUT_DIR, FILE):
        command = option(command)
    return command


@main.command()
@run_options
def run(file: str, output_dir: str | None, sets: Sequence[str], plugins: Sequence[str]) -> None:
    """Train and evaluate; go on where the run stopped."""
    _run_experiment(file, output_dir, sets, plugins, "run")


@main.command()
@run_options
def train(file: str, output_dir: str | None, sets: Sequence[str], plugins: Sequence[str]) -> None:
    """Train only; go on where the run stopped."""
    _run_experiment(file, output_dir, sets, plugins, "train")


@main.command()
@run_options
@CHECKPOINT
def evaluate(
    file: str,
    output_dir: str | None,
    sets: Sequence[str],
    plugins: Sequence[str],
    checkpoint: str | None,
) -> None:
    """Evaluate a checkpoint."""
    from plx_core.cli.progress_bar import print_metrics

    experiment = _experiment(_check(file, sets, plugins), output_dir, file)
    metrics = experiment.evaluate(delay_secs=0.0, checkpoint_path=checkpoint)
    print_metrics(f"evaluation at step {metrics['global_step']}", metrics)


@main.command()
@run_options
@CHECKPOINT
@click.option("--keys", metavar="A,B", help="Which predictions to write; all when left out.")
@click.option(
    "--to",
    metavar="PATH",
    help="A .jsonl or .npz file; JSON lines on standard output when left out.",
)
@click.option(
    "--mode",
    type=click.Choice(["predict", "encode", "decode", "generate"]),
    default="predict",
    help="What a generator is to do instead.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="How many examples --mode generate makes.",
)
@click.option(
    "--latents",
    metavar="PATH",
    help="What --mode decode decodes: the .npz file that --mode encode has written.",
)
def predict(
    file: str,
    output_dir: str | None,
    sets: Sequence[str],
    plugins: Sequence[str],
    checkpoint: str | None,
    keys: str | None,
    to: str | None,
    mode: str,
    count: int,
    latents: str | None,
) -> None:
    """Predict for each example of the evaluation data; an agent plays an episode.

    A generator can also encode the evaluation data, decode latents, and generate examples from latents drawn at random.
    """
    from plx_core.cli.predictions import read_latents, write_predictions

    if (mode == "decode") != (latents is not None):
        raise click.UsageError("--mode decode and --latents go together")
    experiment = _experiment(_check(file, sets, plugins), output_dir, file)
    if not hasattr(experiment, mode):
        raise click.UsageError(f"--mode {mode} is for generators; an agent only predicts")
    first = [read_latents(Path(latents))] if latents else [count] if mode == "generate" else []
    predictions = getattr(experiment, mode)(*first, keys.split(",") if keys else None, checkpoint)
    written = write_predictions(predictions, Path(to) if to else None)
    click.echo(f"{written} predictions{f' written to {to}' if to else ''}", err=True)


@main.command()
@run_options
@CHECKPOINT
@click.option(
    "--to",
    metavar="DIR",
    help="The folder to write; export/STEP in the run directory when left out.",
)
def export(
    file: str,
    output_dir: str | None,
    sets: Sequence[str],
    plugins: Sequence[str],
    checkpoint: str | None,
    to: str | None,
) -> None:
    """Write a SavedModel."""
    experiment = _experiment(_check(file, sets, plugins), output_dir, file)
    trainer = experiment.trainer
    target = Path(to) if to else trainer.model_dir / "export" / f"{trainer.global_step:09d}"
    trainer.export(target, experiment.export_source, checkpoint)
    click.echo(str(target))


@main.command()
@FILE
@SETS
@PLUGINS
def check(file: str, sets: Sequence[str], plugins: Sequence[str]) -> None:
    """Find every mistake in a file; train nothing."""
    from plx_core.experiments.dry_run_cache import check_shapes

    checked = _check(file, sets, plugins)
    check_shapes(checked)
    click.echo(f"{file}: correct")


@main.command()
@click.argument("old", type=click.Path(dir_okay=False))
def convert(old: str) -> None:
    """Print a file of polyaxon-lib, 2017, in version 1."""
    import yaml

    from plx_core.config.load import load_tree
    from plx_core.config.yaml_tree import to_python

    click.echo(
        yaml.safe_dump(to_python(load_tree(old)), sort_keys=False, allow_unicode=True), nl=False
    )


@main.command()
@PLUGINS
def schema(plugins: Sequence[str]) -> None:
    """Print a JSON Schema of experiment files, for editors."""
    from plx_core.components.schema_cache import Signatures
    from plx_core.config.editor_schema import editor_schema

    click.echo(json.dumps(editor_schema(_registry(plugins), Signatures()), indent=1))


@main.command()
@click.argument("kind", required=False)
@click.argument("name", required=False)
@PLUGINS
def components(kind: str | None, name: str | None, plugins: Sequence[str]) -> None:
    """List the installed components, those of a KIND, or the parameters of one."""
    from plx_core.cli import tables as listing

    registry = _registry(plugins)
    if kind is None:
        listing.print_kinds(registry)
    elif name is None:
        listing.print_kind(registry, kind)
    else:
        listing.print_component(registry, kind, name)


@main.command("plugins")
@PLUGINS
@click.option(
    "--check",
    "checked",
    metavar="NAME",
    help="Try each part of this plug-in: an installed one's name, or a module.",
)
@click.pass_context
def list_plugins(ctx: click.Context, plugins: Sequence[str], checked: str | None) -> None:
    """List the installed plug-ins, and what is wrong with those that cannot be used."""
    from plx_core.cli import tables as listing

    if checked is None:
        listing.print_plugins(_registry(plugins))
    elif not listing.print_checks(checked):
        ctx.exit(1)


def _data_command(name: str) -> click.Command:
    """The command that prepares the data set `name`."""

    @click.command(name, help=f"Prepare the data set {name}.")
    @click.option(
        "--source",
        metavar="DIR",
        help="A folder that holds the original files; downloaded when left out.",
    )
    @click.option(
        "--output-dir", metavar="DIR", help="The folder to write; data/NAME when left out."
    )
    @SETS
    @PLUGINS
    def prepare_data(
        source: str | None, output_dir: str | None, sets: Sequence[str], plugins: Sequence[str]
    ) -> None:
        from plx_core.cli.prepare_data import prepare

        target = output_dir or str(Path("data", name.rpartition("/")[2]))
        written = prepare(_registry(plugins), name, target, source, sets)
        for key, value in written.items():
            if not isinstance(value, dict) or len(value) <= MOST_SHOWN:
                click.echo(f"{key}: {value}")

    return prepare_data


@main.group(
    cls=DataSets,
    registry=lambda: _registry(()),
    path="data",
    prepare=_data_command,
    subcommand_metavar="NAME|COMMAND [ARGS]...",
)
def data() -> None:
    """Prepare a known data set, or look after data of your own."""


@main.group()
def new() -> None:
    """Write the beginnings of something of your own."""


@new.command("plugin")
@click.argument("name")
@click.option(
    "--kinds",
    default="layers",
    show_default=True,
    metavar="A,B",
    help="Of which kinds: any of `plx components` but agents.",
)
@click.option(
    "--output-dir",
    default=".",
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="The folder to write it in; this one.",
)
def new_plugin(name: str, kinds: str, output_dir: str) -> None:
    """Write a package that offers a part of each kind: it installs, and passes its own tests."""
    from plx_core.cli.new_plugin import write_plugin

    folder = write_plugin(
        name, [kind.strip() for kind in kinds.split(",") if kind.strip()], Path(output_dir)
    )
    click.echo(str(folder))
    click.echo(
        f"next: pip install -e {folder} · pytest {folder} · plx plugins --check {name.replace('-', '_')} · plx components"
    )


@main.command()
@click.argument("directory", default="runs", type=click.Path(file_okay=False))
def runs(directory: str) -> None:
    """List the runs below a folder, the newest first."""
    from plx_core.cli import tables as listing

    listing.print_runs(Path(directory))


@main.command()
@click.argument("first", type=click.Path(file_okay=False))
@click.argument("second", type=click.Path(file_okay=False))
@click.option("--png", metavar="FILE", help="Draw the curves there.")
def compare(first: str, second: str, png: str | None) -> None:
    """Show two runs side by side."""
    from plx_core.cli import tables as listing

    listing.print_comparison(Path(first), Path(second), Path(png) if png else None)


def _run_experiment(
    file: str, output_dir: str | None, sets: Sequence[str], plugins: Sequence[str], method: str
) -> None:
    from plx_core.cli.progress_bar import Progress, print_metrics
    from plx_core.runs.plot import draw_run

    experiment = _experiment(_check(file, sets, plugins), output_dir, file, keep=True)
    progress = Progress(*experiment.progress)
    experiment.extend_train_hooks([progress])
    directory = experiment.trainer.model_dir
    try:
        metrics = (
            experiment.train_and_evaluate()
            if method == "run" and experiment.can_evaluate
            else experiment.train() and {}
        )
    finally:
        progress.close()
    if metrics:
        print_metrics(f"evaluation at step {metrics['global_step']}", metrics)
    curves = draw_run(experiment.trainer.run_directory)
    click.echo(f"run directory: {directory}{f' (curves in {curves.name})' if curves else ''}")
    click.echo(
        f"next: plx evaluate {file} · plx predict {file} · plx export {file} · tensorboard --logdir {directory}"
    )


def _experiment(
    checked: CheckedConfig, output_dir: str | None, file: str, *, keep: bool = False
) -> Any:
    _log(checked.config.settings.logging.level)
    from plx_core.experiments.from_config import create_experiment

    return create_experiment(
        checked, output_dir, text=Path(file).read_text(encoding="utf-8"), keep=keep
    )


def _check(file: str, sets: Sequence[str], plugins: Sequence[str]) -> CheckedConfig:
    from plx_core.config.check import check_config

    return check_config(file, sets, _allowed(plugins))


def _registry(plugins: Sequence[str]) -> Registry:
    from plx_core.plugins.discovery import load_plugins
    from plx_core.plugins.registry import Registry

    return Registry(load_plugins(_allowed(plugins).plugins))


@functools.cache
def _project() -> dict[str, Any]:
    """The `[tool.plx]` table of the pyproject.toml in this folder: what the person running allows."""
    try:
        table = (
            tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
            .get("tool", {})
            .get("plx", {})
        )
    except (OSError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _allowed(plugins: Sequence[str]) -> Permissions:
    from plx_core.config.load import Permissions

    project = _project()
    return Permissions(tuple(project.get("env", ())), (*project.get("plugins", ()), *plugins))


def _log(level: str) -> None:
    logging.basicConfig(level=level, format="%(message)s")
    for name in ("absl", "tensorflow", "h5py"):
        logging.getLogger(name).setLevel("ERROR")
