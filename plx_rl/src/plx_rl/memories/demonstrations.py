"""Demonstrations: what an expert did, recorded from an agent or read from a file or a Minari data set."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from plx_core import Environment, Policy, play_greedily
from plx_core.errors import DataError
from plx_rl.memories.ring import flatten, nest
from plx_rl.memories.transitions import REQUIRED

MINARI = "minari:"
Transition = dict[str, np.ndarray]


def record(env: Environment, policy: Policy, episodes: int, seed: int) -> Transition:
    """Greedy episodes as columns, one row a step, each episode's rows together and in order.

    Args:
        env: as `play_greedily` takes it, and so are the others.
        policy: acts.
        episodes: how many.
        seed: of the environments.

    Returns:
        `state` and `next_state` (or `state/NAME` where an observation has parts), `action`, `reward`, `terminated`, `truncated`, and
        the masks of legal actions where there are any.
    """
    running: list[list[Transition]] = [[] for _ in range(env.num_envs)]
    recorded: list[Transition] = []
    for played in play_greedily(env, policy, episodes, seed):
        step = played.step
        columns = dict(flatten(step.transition(played.observations, played.actions, played.masks)))
        for index in np.flatnonzero(played.counts):
            if step.valid is None or step.valid[index]:
                running[index].append({name: column[index] for name, column in columns.items()})
            if step.ended[index]:
                recorded += running[index]
                running[index] = []
    return {name: np.stack([row[name] for row in recorded]) for name in recorded[0]}


def save(path: str | Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write demonstrations to an `.npz` file, which is complete as soon as it is there."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as aside:
        try:
            np.savez_compressed(aside, allow_pickle=False, **columns)
        except BaseException:
            Path(aside.name).unlink()
            raise
    Path(aside.name).replace(path)


def load(source: str | Path) -> Transition:
    """The columns of demonstrations.

    Args:
        source: an `.npz` file, as `save` writes it, or `minari:ID`, the ID of a Minari data set on this machine.

    Raises:
        DataError: it is not there, is none of these, or Minari is not installed.
    """
    if str(source).startswith(MINARI):
        return _from_minari(str(source).removeprefix(MINARI))
    try:
        with np.load(source, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise DataError(f"the demonstrations {source} cannot be read: {error}") from error
    _check(columns, source)
    return columns


def in_order(columns: Transition) -> Iterator[dict[str, Any]]:
    """The transitions of one expert, as a memory takes them."""
    for row in range(len(columns["reward"])):
        yield nest({name: column[row : row + 1] for name, column in columns.items()})


def _check(columns: Transition, source: Any) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    missing += [
        name
        for name in ("state", "next_state")
        if not any(column.split("/")[0] == name for column in columns)
    ]
    if missing:
        raise DataError(
            f"the demonstrations {source} have no {', '.join(missing)}; there are {', '.join(sorted(columns)) or 'none'}"
        )
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1 or not lengths["reward"]:
        raise DataError(
            f"the columns of the demonstrations {source} differ in length, or are empty: {lengths}"
        )


def _from_minari(name: str) -> Transition:
    try:
        import minari
    except ImportError as error:
        raise DataError(
            "Minari's data sets need the package minari: pip install 'plx-rl[demos]'"
        ) from error
    try:
        episodes = list(minari.load_dataset(name).iterate_episodes())
    except (OSError, ValueError) as error:
        raise DataError(f"the Minari data set {name} cannot be read: {error}") from error
    columns: dict[str, list[np.ndarray]] = {}
    for episode in episodes:
        for column, values in _of_episode(episode):
            columns.setdefault(column, []).append(values)
    found = {column: np.concatenate(parts) for column, parts in columns.items()}
    _check(found, f"{MINARI}{name}")
    return found


def _of_episode(episode: Any) -> Iterator[tuple[str, np.ndarray]]:
    for name, observed in flatten({"state": episode.observations}):
        yield name, observed[:-1]
        yield f"next_{name}", observed[1:]
    yield "action", np.asarray(episode.actions)
    yield "reward", np.asarray(episode.rewards, np.float32)
    yield "terminated", np.asarray(episode.terminations, bool)
    yield "truncated", np.asarray(episode.truncations, bool)
