"""`plx record`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from plx_core.errors import ConfigError, Problem


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--to", required=True, metavar="FILE", help="The .npz file to write.")
@click.option("--episodes", default=20, show_default=True, type=click.IntRange(1), help="How many episodes to play.")
@click.option("--checkpoint", metavar="PATH", help="Which checkpoint acts; the newest when left out.")
@click.option("--output-dir", metavar="DIR", help="The run directory, where it is not the file's.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change a value of the file; may be given several times.")
@click.option("--seed", default=0, show_default=True, help="Of the environment.")
def record(file: str, to: str, episodes: int, checkpoint: str | None, output_dir: str | None, sets: Sequence[str], seed: int) -> None:
    """Play greedy episodes of a trained agent, and keep them as demonstrations.

    DemonstrationMemory gives them to an agent that is to learn from them.
    """
    from plx_core.checking import check
    from plx_core.experiments import create_rl_experiment
    from plx_rl import demonstrations

    experiment = create_rl_experiment(check(file, sets), output_dir)
    env, policy = experiment.agent.restored(_evaluation(experiment), checkpoint, seed)
    columns = demonstrations.record(env, policy, episodes, seed)
    demonstrations.save(to, columns)
    total = columns["reward"].sum() / episodes
    click.echo(f"{to}: {len(columns['reward'])} transitions of {episodes} episodes, whose mean return is {total:.6g}")


def _evaluation(experiment: Any) -> Any:
    env = experiment.eval_env or experiment.env
    if env is None:
        raise ConfigError([Problem("eval.env", "an environment is needed to play in")])
    return env
