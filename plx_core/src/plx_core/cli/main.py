"""The commands of `plx`.

A module that only some commands need is imported inside them, so that `plx --help` starts quickly.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from plx_core import __version__
from plx_core.cli import quiet_tensorflow
from plx_core.cli.options import (
    CHECKPOINT,
    FILE,
    PLUGINS,
    SETS,
    Request,
    check_file,
    create_registry,
    experiment_options,
)
from plx_core.cli.plugin_groups import DataSetGroup, PluginGroup, unreachable_commands
from plx_core.errors import PlxError, RunFailed, noted_failure, printable

if TYPE_CHECKING:
    from plx_core.experiments.experiment import BaseExperiment

MAX_ENTRIES_SHOWN = 5
"""`plx data` does not print longer mappings; the data set's metadata file has them."""


class PlxGroup(PluginGroup):
    """Prints a `PlxError`, or an error with a note of what failed, as one message."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command and set the exit code.

        An error of the operating system that no part has explained gets its file and reason.
        """
        try:
            return super().invoke(ctx)
        except PlxError as error:
            if ctx.params.get("traceback"):
                raise
            click.echo(printable(str(error)), err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            sys.stderr.close()
            ctx.exit(141)
        except Exception as error:
            message = _message_of(error)
            if message is None or ctx.params.get("traceback"):
                raise
            click.echo(printable(message), err=True)
            ctx.exit(RunFailed.exit_code)
        except KeyboardInterrupt:
            sys.stderr.close()
            ctx.exit(130)


def _message_of(error: Exception) -> str | None:
    """Return the message of an error that needs no traceback; None for any other."""
    message = noted_failure(error)
    if message is None and isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        message = f"{place}{error.strerror or error}"
    return message


@click.group(
    cls=PlxGroup,
    registry=create_registry,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--traceback", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="plx")
def main(traceback: bool) -> None:
    """Deep learning and reinforcement learning experiments on TensorFlow, described in files.

    \b
    plx data digits                      prepare a data set
    plx check examples/lenet_digits.yml  report every mistake in a file
    plx run examples/lenet_digits.yml    train and evaluate; run it again to resume
    """  # noqa: D301 (click reads \b)
    quiet_tensorflow.install()


@main.command(short_help="Train and evaluate; resume a stopped run.")
@experiment_options
@click.option(
    "--schedule",
    type=click.Choice(["train_and_evaluate", "continuous_train_and_evaluate"]),
    default="train_and_evaluate",
    help="Evaluate checkpoints by eval.eval_every_n_steps (the default), or train and evaluate in "
    "turns of train.train_steps_per_iteration steps.",
)
def run(request: Request, schedule: str) -> None:
    """Train and evaluate the experiment in FILE.

    A run that was stopped resumes from its newest checkpoint.
    """
    _train(request, schedule)


@main.command(short_help="Train without evaluating; resume a stopped run.")
@experiment_options
def train(request: Request) -> None:
    """Train the experiment in FILE without evaluating it.

    A run that was stopped resumes from its newest checkpoint.
    """
    _train(request, "train")


@main.command(short_help="Evaluate a checkpoint.")
@experiment_options
@CHECKPOINT
def evaluate(request: Request, checkpoint: str | None) -> None:
    """Evaluate a checkpoint of the experiment in FILE."""
    experiment = request.create_experiment(evaluates=True)
    metrics = experiment.evaluate(delay_secs=0.0, checkpoint_path=checkpoint)
    _print_evaluation(experiment, metrics)


@main.command(short_help="Predict on the evaluation data, or play an episode.")
@experiment_options
@CHECKPOINT
@click.option("--keys", metavar="A,B", help="Predictions to write.  [default: all]")
@click.option(
    "--to", metavar="PATH", help="A .jsonl or .npz file.  [default: JSON lines to standard output]"
)
@click.option(
    "--mode",
    type=click.Choice(["predict", "encode", "decode", "generate"]),
    default="predict",
    show_default=True,
    help="All but predict are for generators.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Number of examples to generate.",
)
@click.option(
    "--latents", metavar="PATH", help="Latents to decode: the .npz file that --mode encode wrote."
)
def predict(
    request: Request,
    checkpoint: str | None,
    keys: str | None,
    to: str | None,
    mode: str,
    count: int,
    latents: str | None,
) -> None:
    """Predict for each example of the evaluation data, or play an episode with an agent.

    A generator can also encode the evaluation data, decode latents, and generate examples from
    random latents.
    """
    from plx_core.cli.predictions import read_latents, write_predictions

    if (mode == "decode") != (latents is not None):
        raise click.UsageError("--mode decode and --latents go together")
    experiment = request.create_experiment(evaluates=mode in ("predict", "encode"))
    from plx_core.experiments.supervised import Experiment

    names = keys.split(",") if keys else None
    if mode == "predict":
        predictions = experiment.predict(names, checkpoint)
    elif not isinstance(experiment, Experiment):
        raise click.UsageError(f"--mode {mode} is for generators; an agent only predicts")
    elif mode == "encode":
        predictions = experiment.encode(names, checkpoint)
    elif mode == "generate":
        predictions = experiment.generate(count, names, checkpoint)
    else:
        predictions = experiment.decode(read_latents(Path(latents or "")), names, checkpoint)
    written = write_predictions(predictions, Path(to) if to else None)
    click.echo(f"{written} predictions{f' written to {to}' if to else ''}", err=True)


@main.command(short_help="Export a SavedModel.")
@experiment_options
@CHECKPOINT
@click.option(
    "--to",
    metavar="DIR",
    help="Directory to create.  [default: export/STEP in the run directory]",
)
def export(request: Request, checkpoint: str | None, to: str | None) -> None:
    """Export a checkpoint of the experiment in FILE as a SavedModel."""
    from plx_core.runs.checkpoints import step_of
    from plx_core.runs.run_directory import EXPORT

    experiment = request.create_experiment()
    trainer = experiment.trainer
    path = experiment.choose_checkpoint(checkpoint)
    target = Path(to) if to else trainer.model_dir / EXPORT / f"{step_of(path):09d}"
    trainer.export(target, experiment.export_source, path)
    click.echo(str(target))


@main.command(short_help="Report every mistake in a file.")
@FILE
@SETS
@PLUGINS
def check(file: str, sets: Sequence[str], plugins: Sequence[str]) -> None:
    """Report every mistake in FILE.

    This builds the network to check its shapes, without memory for large weights, and trains
    nothing.
    """
    from plx_core.experiments.dry_run_cache import check_shapes

    for warning in check_shapes(check_file(file, sets, plugins)):
        click.echo(str(warning), err=True)
    click.echo(f"{file}: correct")


@main.command(short_help="Convert a file of polyaxon-lib (2017).")
@FILE
@PLUGINS
def convert(file: str, plugins: Sequence[str]) -> None:
    """Convert FILE from the dialect of polyaxon-lib (2017) to version 1, and print it.

    What cannot be converted is explained instead, with exit code 2. Files of data need not exist.
    """
    import yaml

    from plx_core.config.check import check_structure
    from plx_core.config.load import load_tree
    from plx_core.config.yaml_tree import to_python

    tree = load_tree(file)
    check_structure(tree, create_registry(plugins))
    text = yaml.safe_dump(to_python(tree), sort_keys=False, allow_unicode=True)
    click.echo(text, nl=False)


@main.command(short_help="Print the JSON Schema of experiment files.")
@PLUGINS
def schema(plugins: Sequence[str]) -> None:
    """Print the JSON Schema of experiment files, with which editors complete and check them."""
    import json

    from plx_core.components.schema_cache import Signatures
    from plx_core.config.editor_schema import editor_schema

    click.echo(json.dumps(editor_schema(create_registry(plugins), Signatures()), indent=1))


@main.command(short_help="List components, or the parameters of one.")
@click.argument("kind", required=False)
@click.argument("name", required=False)
@PLUGINS
def components(kind: str | None, name: str | None, plugins: Sequence[str]) -> None:
    """List the kinds of component, the components of one KIND, or the parameters of one NAME."""
    from plx_core.cli import component_tables

    registry = create_registry(plugins)
    if kind is None:
        component_tables.print_kinds(registry)
    elif name is None:
        component_tables.print_kind(registry, kind)
    else:
        component_tables.print_component(registry, kind, name)


@main.command("plugins", short_help="List the installed plug-ins, or check one.")
@PLUGINS
@click.option(
    "--check",
    "checked",
    metavar="NAME",
    help="Check every component of this plug-in: the name of an installed one, or a module.",
)
@click.pass_context
def list_plugins(ctx: click.Context, plugins: Sequence[str], checked: str | None) -> None:
    """List the installed plug-ins and the errors of broken ones, or check one plug-in."""
    from plx_core.cli import component_tables

    if checked is None:
        component_tables.print_plugins(create_registry(plugins), unreachable_commands(main))
    elif not component_tables.print_checks(checked):
        ctx.exit(1)


def _data_command(name: str) -> click.Command:
    """Return the command that prepares the data set `name`."""

    @click.command(name, help=f"Prepare the data set {name}.")
    @click.option(
        "--source",
        metavar="DIR",
        help="Directory with the original files.  [default: download them]",
    )
    @click.option("--output-dir", metavar="DIR", help="Directory to write.  [default: data/NAME]")
    @click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="NAME=VALUE",
        help="Set a parameter of the data set. Repeatable.",
    )
    @PLUGINS
    def prepare_data(
        source: str | None, output_dir: str | None, sets: Sequence[str], plugins: Sequence[str]
    ) -> None:
        from plx_core.cli.prepare_data import prepare

        target = output_dir or str(Path("data", name.rpartition("/")[2]))
        result = prepare(create_registry(plugins), name, target, source, sets)
        for key, value in result.items():
            if not isinstance(value, dict) or len(value) <= MAX_ENTRIES_SHOWN:
                click.echo(f"{key}: {value}")

    return prepare_data


@main.group(
    cls=DataSetGroup,
    registry=create_registry,
    path="data",
    prepare=_data_command,
    subcommand_metavar="NAME|COMMAND [ARGS]...",
    short_help="Prepare a data set, or inspect your own data.",
)
def data() -> None:
    """Prepare the data set NAME, or run a COMMAND on your own data."""


@main.group(short_help="Create a plug-in package.")
def new() -> None:
    """Create something new from a template."""


@new.command("plugin", short_help="Create a package with working components and tests.")
@click.argument("name")
@click.option(
    "--kinds",
    default="layers",
    show_default=True,
    metavar="A,B",
    help="Kinds of component to include, from `plx components` (all but agents).",
)
@click.option(
    "--output-dir",
    default=".",
    show_default=True,
    metavar="DIR",
    type=click.Path(file_okay=False),
    help="Directory in which to create the package.",
)
def new_plugin(name: str, kinds: str, output_dir: str) -> None:
    """Create the plug-in package NAME, with one working component of each kind and its tests."""
    from plx_core.cli.new_plugin import write_plugin

    names = [kind.strip() for kind in kinds.split(",") if kind.strip()]
    folder = write_plugin(name, names, Path(output_dir))
    package = name.replace("-", "_")
    click.echo(str(folder))
    click.echo(
        f"next: pip install -e {folder} · pytest {folder} · plx plugins --check {package}"
        " · plx components"
    )


@main.command(short_help="List runs, newest first.")
@click.argument("directory", default="runs", type=click.Path(file_okay=False))
def runs(directory: str) -> None:
    """List the runs in DIRECTORY (default: runs) and below it, newest first."""
    from plx_core.cli import run_tables

    run_tables.print_runs(Path(directory))


@main.command(short_help="Compare two runs.")
@click.argument("first", type=click.Path(file_okay=False))
@click.argument("second", type=click.Path(file_okay=False))
@click.option("--png", metavar="FILE", help="Also draw the curves to this file.")
def compare(first: str, second: str, png: str | None) -> None:
    """Compare the configs, metrics and curves of the run directories FIRST and SECOND."""
    from plx_core.cli import run_tables

    run_tables.print_comparison(Path(first), Path(second), Path(png) if png else None)


def _train(request: Request, schedule: str) -> None:
    """Train with a progress bar, evaluate by the schedule if possible, and draw the curves."""
    from plx_core.cli.progress_bar import Progress
    from plx_core.runs.plot import draw_run

    with request.training() as experiment:
        progress = Progress(*experiment.progress)
        experiment.extend_train_callbacks([progress])
        metrics = None
        try:
            if schedule != "train" and experiment.can_evaluate:
                metrics, _ = getattr(experiment, schedule)()
            else:
                experiment.train()
        finally:
            progress.close()
        if metrics:
            _print_evaluation(experiment, metrics)
        directory, file = experiment.trainer.model_dir, request.file
        curves = draw_run(experiment.trainer.run_directory)
    click.echo(f"run directory: {directory}{f' (curves in {curves.name})' if curves else ''}")
    click.echo(
        f"next: plx evaluate {file} · plx predict {file} · plx export {file}"
        f" · tensorboard --logdir {directory}"
    )


def _print_evaluation(experiment: BaseExperiment, metrics: Mapping[str, float]) -> None:
    from plx_core.cli.tables import print_metrics

    step, latest = int(metrics["global_step"]), experiment.trainer.global_step
    note = "" if step == latest else f" (the latest checkpoint is of step {latest})"
    print_metrics(f"evaluation at step {step}{note}", metrics)
