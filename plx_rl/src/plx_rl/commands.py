"""`plx record` and `plx seeds`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from plx_core.errors import ConfigError, Problem

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False))
OUTPUT_DIR = click.option(
    "--output-dir", metavar="DIR", help="The run directory, where it is not the file's."
)
SETS = click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the file; may be given several times.",
)


@click.command()
@FILE
@click.option("--to", required=True, metavar="FILE", help="The .npz file to write.")
@click.option(
    "--episodes",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="How many episodes to play.",
)
@click.option(
    "--checkpoint", metavar="PATH", help="Which checkpoint acts; the newest when left out."
)
@OUTPUT_DIR
@SETS
@click.option("--seed", default=0, show_default=True, help="Of the environment.")
def record(
    file: str,
    to: str,
    episodes: int,
    checkpoint: str | None,
    output_dir: str | None,
    sets: Sequence[str],
    seed: int,
) -> None:
    """Play greedy episodes of a trained agent, and keep them as demonstrations.

    DemonstrationMemory gives them to an agent that is to learn from them.
    """
    from plx_core import check_config, create_rl_experiment
    from plx_rl.memories import demonstrations

    experiment = create_rl_experiment(check_config(file, sets), output_dir)
    env, policy = experiment.agent.restored(experiment.export_source, checkpoint, seed)
    columns = demonstrations.record(env, policy, episodes, seed)
    demonstrations.save(to, columns)
    total = columns["reward"].sum() / episodes
    click.echo(
        f"{to}: {len(columns['reward'])} transitions of {episodes} episodes, whose mean return is {total:.6g}"
    )


@click.command()
@FILE
@click.option(
    "--seeds", "count", default=32, show_default=True, type=click.IntRange(2), help="How many."
)
@click.option(
    "--looks",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="How often greedy episodes are played on the way.",
)
@OUTPUT_DIR
@SETS
def seeds(file: str, count: int, looks: int, output_dir: str | None, sets: Sequence[str]) -> None:
    """Train many seeds of an experiment in one program, to see how much of a curve is luck.

    It is for A2C and PPO in a CompiledEnvironment. seeds.jsonl and seeds.png in the run directory say how each seed acted; weights are not
    kept, and an interrupted training begins anew.
    """
    import numpy as np

    from plx_core import check_config, create_rl_experiment
    from plx_rl.seeds import Look, Seeds, draw

    experiment = create_rl_experiment(check_config(file, sets), output_dir)
    if experiment.train_timesteps is None:
        raise ConfigError(
            [
                Problem(
                    "train.train_timesteps",
                    "it says for how many actions each seed is trained; it is missing",
                )
            ]
        )
    directory = experiment.agent.model_dir
    directory.mkdir(parents=True, exist_ok=True)
    seen: list[Look] = []
    with (directory / "seeds.jsonl").open("w", encoding="utf-8") as lines:
        for look in Seeds(experiment, count).train(experiment.train_timesteps, looks):
            seen.append(look)
            lines.write(
                json.dumps({"timesteps": look.timesteps, "returns": look.returns.tolist()}) + "\n"
            )
            low, middle, high = np.percentile(look.returns, [25, 50, 75])
            click.echo(
                f"actions {look.timesteps:9,d}  return: median {middle:.5g}, middle half {low:.5g} to {high:.5g}"
            )
    draw(seen, directory / "seeds.png")
    click.echo(f"curves: {directory / 'seeds.png'}")
