"""Demonstrations of an expert: recorded from an agent, or loaded from a file or Minari data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from plx_core import Environment, Policy, play_greedily, write_aside
from plx_core.errors import DataError
from plx_core.types import Nested
from plx_rl.environments.spaces import contained, named_parts
from plx_rl.memories.ring import SEPARATOR, flatten, nest
from plx_rl.memories.transitions import REQUIRED

if TYPE_CHECKING:
    import minari

MINARI = "minari:"
Columns: TypeAlias = dict[str, np.ndarray]
"""Arrays by name with one row per step; the rows of an episode are together and in order."""


def record(env: Environment, policy: Policy, episodes: int, seed: int) -> Columns:
    """Play greedy episodes, and return their transitions in the environments' own units.

    Args:
        env: the environments.
        policy: chooses the actions.
        episodes: how many episodes.
        seed: the seed of the environments.

    Returns:
        `state` and `next_state` (or `state/NAME` for observations with parts), `action`, `reward`,
        `terminated`, `truncated`, and the action masks if there are any. Observations, actions and
        rewards are the environments' own: neither encoded nor normalised.
    """
    current: list[list[Columns]] = [[] for _ in range(env.num_envs)]
    rows: list[Columns] = []
    for played in play_greedily(env, policy, episodes, seed):
        step = played.step
        columns = dict(flatten(played.transition()))
        for index in np.flatnonzero(played.counts):
            if step.valid is None or step.valid[index]:
                current[index].append({name: column[index] for name, column in columns.items()})
            if step.ended[index]:
                rows += current[index]
                current[index] = []
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def save(path: str | Path, columns: Mapping[str, np.ndarray]) -> None:
    """Write demonstrations to an `.npz` file, which appears only once it is complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_aside(path) as aside, aside.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **columns)


def load(source: str | Path) -> Columns:
    """Load demonstrations.

    Args:
        source: an `.npz` file with the columns that `record` returns, or `minari:ID` with the ID of
            a Minari data set on this machine.

    Raises:
        DataError: the source does not exist, is neither of these, or needs Minari, which is not
            installed.
    """
    if str(source).startswith(MINARI):
        return _load_minari(str(source).removeprefix(MINARI))
    try:
        with np.load(source, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise DataError(f"the demonstrations {source} cannot be read: {error}") from error
    _check(columns, source)
    return columns


def check_spaces(columns: Columns, env: Environment, source: str | Path) -> None:
    """Check that each observation and action is an element of an environment's own spaces.

    Raises:
        DataError: a column is missing or has another shape, or a value is outside its space.
    """
    parts = named_parts(env.raw_observation_space)
    spaces = {"action": env.raw_action_space} | {
        f"{side}{SEPARATOR}{name}" if name else side: space
        for side in ("state", "next_state")
        for name, space in parts.items()
    }
    shapes = {name: columns[name].shape[1:] for name in spaces if name in columns}
    expected = {name: space.shape for name, space in spaces.items()}
    differing = sorted(name for name in expected if shapes.get(name) != expected[name])
    if differing:
        raise DataError(
            f"the demonstrations {source} are from another environment: their shapes are "
            f"{ {name: shapes.get(name) for name in differing} }, "
            f"and this one's are { {name: expected[name] for name in differing} }"
        )
    for name, space in spaces.items():
        is_inside = contained(space, columns[name])
        if not is_inside.all():
            row = int(np.argmin(is_inside))
            raise DataError(
                f"the demonstrations {source}: {name} of row {row} is {columns[name][row]}, which "
                f"is outside the environment's own {space}; demonstrations are in the "
                "environment's own units, as plx record writes them"
            )


def in_order(columns: Columns) -> Iterator[dict[str, Nested]]:
    """Yield each transition, as a memory with one environment stores it."""
    for row in range(len(columns["reward"])):
        yield nest({name: column[row : row + 1] for name, column in columns.items()})


def _check(columns: Columns, source: str | Path) -> None:
    names = {name.split(SEPARATOR)[0] for name in columns}
    missing = [name for name in (*REQUIRED, "state", "next_state") if name not in names]
    if missing:
        raise DataError(
            f"the demonstrations {source} have no {', '.join(missing)}; "
            f"they have {', '.join(sorted(columns)) or 'nothing'}"
        )
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1 or not lengths["reward"]:
        raise DataError(
            f"the columns of the demonstrations {source} differ in length, or are empty: {lengths}"
        )


def _load_minari(name: str) -> Columns:
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
    parts: dict[str, list[np.ndarray]] = {}
    for episode in episodes:
        for column, values in _columns_of(episode):
            parts.setdefault(column, []).append(values)
    columns = {column: np.concatenate(values) for column, values in parts.items()}
    _check(columns, f"{MINARI}{name}")
    return columns


def _columns_of(episode: minari.EpisodeData) -> Iterator[tuple[str, np.ndarray]]:
    for name, observations in flatten({"state": episode.observations}):
        yield name, observations[:-1]
        yield f"next_{name}", observations[1:]
    yield "action", np.asarray(episode.actions)
    yield "reward", np.asarray(episode.rewards, np.float32)
    yield "terminated", np.asarray(episode.terminations, bool)
    yield "truncated", np.asarray(episode.truncations, bool)
