"""The commands `plx record` and `plx seeds`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from plx_core import Request, experiment_options
from plx_core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from plx_core import RLExperiment


@click.command()
@experiment_options
@click.option("--to", required=True, metavar="FILE", help="The .npz file to write.")
@click.option(
    "--episodes",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="The number of episodes.",
)
@click.option(
    "--checkpoint",
    metavar="best|latest|DIR",
    help="A checkpoint; by default the best where the file says what that is, or else the newest.",
)
@click.option("--seed", default=0, show_default=True, help="The seed of the environment.")
def record(request: Request, to: str, episodes: int, checkpoint: str | None, seed: int) -> None:
    """Play greedy episodes of the agent in FILE, and save them as demonstrations.

    A DemonstrationMemory trains another agent on them.
    """
    from plx_core import create_rl_experiment
    from plx_rl.memories import demonstrations

    experiment = create_rl_experiment(request.check(), request.output_dir, keep=False)
    env, policy = experiment.agent.restored(
        experiment.export_source, experiment.choose_checkpoint(checkpoint), seed
    )
    columns = demonstrations.record(env, policy, episodes, seed)
    demonstrations.save(to, columns)
    rewards = columns["reward"]
    click.echo(
        f"{to}: {len(rewards)} transitions of {episodes} episodes, "
        f"mean return {rewards.sum() / episodes:.6g}"
    )


@click.command()
@experiment_options
@click.option(
    "--seeds",
    "count",
    default=32,
    show_default=True,
    type=click.IntRange(2),
    help="The number of seeds.",
)
@click.option(
    "--looks",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="The number of evaluations during training.",
)
def seeds(request: Request, count: int, looks: int) -> None:
    """Train the experiment in FILE with many seeds, to see how much its results vary.

    It works for A2C and PPO in a CompiledEnvironment. The first seed is that of FILE, and the
    others follow it. Each is trained as plx run trains it, without the callbacks and checkpoints,
    and evaluated by greedy episodes in the environment of training. The returns of each seed are in
    seeds.jsonl and seeds.png in the run directory. Weights are not saved, and an interrupted
    training starts again from the beginning.
    """
    import numpy as np

    from plx_core import create_rl_experiment
    from plx_rl.seeds import Look, Seeds, draw

    checked = request.check()
    experiment = create_rl_experiment(checked, request.output_dir)
    timesteps = _timesteps(experiment)
    first = experiment.agent.config.seed
    others = [
        create_rl_experiment(
            checked.override({"environment.seed": seed}), request.output_dir, keep=False
        )
        for seed in range(first + 1, first + count)
    ]
    directory = experiment.agent.model_dir
    directory.mkdir(parents=True, exist_ok=True)
    history: list[Look] = []
    with (directory / "seeds.jsonl").open("w", encoding="utf-8") as lines:
        for look in Seeds([experiment, *others]).train(timesteps, looks):
            history.append(look)
            line = {"timesteps": look.timesteps, "returns": look.returns.tolist()}
            lines.write(json.dumps(line) + "\n")
            low, median, high = np.percentile(look.returns, [25, 50, 75])
            click.echo(
                f"actions {look.timesteps:9,d}  return: median {median:.5g}, "
                f"interquartile range {low:.5g} to {high:.5g}"
            )
    try:
        draw(history, directory / "seeds.png")
    except ImportError:
        click.echo(
            "no curves: matplotlib is not installed; pip install plx-core[plots] installs it"
        )
    else:
        click.echo(f"curves: {directory / 'seeds.png'}")


def _timesteps(experiment: RLExperiment) -> int:
    """Return the number of actions at which training ends; raise a `ConfigError` without one."""
    for key in ("train_steps", "train_episodes"):
        if getattr(experiment, key) is not None:
            message = "plx seeds ends training by train_timesteps alone; leave this out"
            raise ConfigError([Problem(f"train.{key}", message)])
    if experiment.train_timesteps is None:
        message = "missing; plx seeds needs the number of actions for which each seed is trained"
        raise ConfigError([Problem("train.train_timesteps", message)])
    return experiment.train_timesteps
