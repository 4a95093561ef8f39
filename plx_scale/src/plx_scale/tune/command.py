"""The command `plx tune`."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from plx_core import Request, experiment_options, print_table
from plx_core.errors import ConfigError, Problem

EXAMPLE = (
    "the file has no section tune, which says what to try, such as "
    "`tune: {metric: eval/loss, goal: minimize, trials: 20, "
    "space: {model.classifier.optimizer.Adam.learning_rate: {log: [1.0e-4, 0.1]}}}`"
)


@click.command()
@experiment_options
def tune(request: Request) -> None:
    """Train the experiment in FILE with other values, and find the best.

    The section `tune` of FILE says which values to try. A sweep that was stopped goes on when the
    command is given again. Each trial has a run directory; the study of Optuna is in study.db.
    """
    from plx_core import check_shapes
    from plx_scale.tune import report
    from plx_scale.tune.sweep import Sweep

    checked = request.check()
    if "tune" not in checked.sections:
        raise ConfigError([Problem("tune", EXAMPLE)])
    for warning in check_shapes(checked):
        click.echo(str(warning), err=True)
    name = checked.config.project.name
    directory = Path(request.output_dir or Path("sweeps", name))
    sweep = Sweep(checked, directory, click.echo)
    study = sweep.run()
    print_table(*report.table(sweep, study))
    best = directory / "best.yml"
    best.write_text(
        yaml.safe_dump(sweep.data_of(study.best_trial), sort_keys=False, allow_unicode=True),
        encoding="utf-8",
    )
    picture = directory / "sweep.png"
    try:
        report.draw(sweep, study, picture)
    except ImportError:
        click.echo("no picture: matplotlib is not installed; pip install plx-core[plots] brings it")
    else:
        click.echo(f"picture: {picture}")
    run = sweep.run_directory(study.best_trial.number)
    click.echo(f"best run: {run}")
    click.echo(f"next: plx run {best} · tensorboard --logdir {directory}")
