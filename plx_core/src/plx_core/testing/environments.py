"""The check of environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from plx_core.annotations import EnvironmentLike
from plx_core.reinforcement.interfaces import Environment, Step
from plx_core.testing.failures import expecting, require
from plx_core.testing.isolation import no_global_randomness
from plx_core.testing.part import Params, Part, part_of
from plx_core.testing.values import plain, same, saved_and_loaded, short
from plx_core.types import Array, Nested, Observations

Trajectory: TypeAlias = list[Nested]
"""The first observations, then copies of what each step returned."""

MAX_ACTION = 1e3
"""Bound of random actions in an unbounded space."""
STEPS_AFTER_RESTORE = 20
RESTORE_REMEDY = (
    "return all that changes from state(), including random generators, and set all of it in "
    "restore(); or give the reason why that is impossible in inexact_because"
)


def check_environment(
    environment: EnvironmentLike, params: Params | None = None, *, steps: int = 200
) -> None:
    """Check a vector of environments: spaces, auto-reset, seeds, state, and that arrays are copies.

    Args:
        environment: a class, a function that returns one, or a name.
        params: its parameters.
        steps: the number of random actions.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("environments", environment, params)
    first = part.build(seed=1, mode="train")
    require(
        isinstance(first, Environment),
        part.about,
        "built it",
        f"a {type(first).__name__}",
        "an Environment",
        "derive it from plx_core.Environment",
    )
    try:
        path = _play(part.about, first, steps)
    finally:
        first.close()
    second = part.build(seed=1, mode="train")
    try:
        with no_global_randomness(part.about, "took steps"):
            same_path = _play(part.about, second, steps)
        require(
            same(path, same_path),
            part.about,
            "took the same actions twice from the same seed",
            "another path",
            "the same path",
            "draw only from a generator that reset(seed) seeds",
        )
        if not second.inexact_because:
            _check_state(part, second)
    finally:
        second.close()


def _play(about: str, env: Environment, steps: int) -> Trajectory:
    """Take random actions and check each step."""
    with expecting(about, "called reset(seed=1)", "observations", "fix reset()"):
        observations = env.reset(seed=1)
    _check_observations(about, env, observations, "reset")
    path, results = [plain(observations)], []
    _check_raw_actions(about, env, _actions(env, 0))
    for index in range(steps):
        with expecting(about, f"took step {index + 1}", "a Step", "fix step()"):
            step = env.step(_actions(env, index))
        _check_step(about, env, step)
        path.append(_copy(step))
        results.append(step)
    require(
        all(same(_copy(step), copy) for step, copy in zip(results, path[1:], strict=True)),
        about,
        f"took {steps} steps",
        "arrays of earlier steps changed",
        "arrays that are never written to again",
        "return copies of the simulator's own arrays",
    )
    return path


def _actions(env: Environment, index: int) -> Array:
    """Return random legal actions, which depend only on the index of the step."""
    rng = np.random.default_rng(index)
    if env.is_continuous:
        space = env.action_space
        low, high = np.maximum(space.low, -MAX_ACTION), np.minimum(space.high, MAX_ACTION)
        return rng.uniform(low, high, (env.num_envs, *space.shape)).astype(space.dtype)
    masks = env.action_masks
    if masks is not None:
        return np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])
    space = env.action_space
    space.seed(index)
    return np.stack([np.asarray(space.sample()) for _ in range(env.num_envs)])


def _copy(step: Step) -> list[Nested]:
    return [
        plain(step.observations),
        plain(step.rewards),
        plain(step.terminated),
        plain(step.truncated),
        plain(step.final_observations),
    ]


def _check_raw_actions(about: str, env: Environment, actions: Array) -> None:
    """Check that `raw_actions` and `action_network` agree, and are in `raw_action_space`."""
    remedy = "override raw_action_space, raw_actions and action_network together"
    did = f"converted the actions {short(actions)}"
    with expecting(about, did, "raw actions", remedy):
        raw = np.asarray(env.raw_actions(actions))
        network = env.action_network()
        results = raw if network is None else np.asarray(network(actions))
    for row in raw:
        require(
            env.raw_action_space.contains(row if row.shape else row[()]),
            about,
            did,
            f"raw_actions {short(row)}",
            f"an element of {env.raw_action_space}",
            remedy,
        )
    require(
        raw.shape == results.shape and np.allclose(raw, results, rtol=1e-5, atol=1e-5),
        about,
        did,
        f"action_network {short(results)}",
        f"raw_actions {short(raw)}",
        remedy,
    )


def _check_step(about: str, env: Environment, step: Step) -> None:
    for name, kind, dtype in (
        ("rewards", "f", "float32"),
        ("terminated", "b", "bool"),
        ("truncated", "b", "bool"),
    ):
        value = np.asarray(getattr(step, name))
        require(
            value.shape == (env.num_envs,) and value.dtype.kind == kind,
            about,
            "took a step",
            f"{name} is {value.dtype} {value.shape}",
            f"{dtype} ({env.num_envs},)",
            "return one value for each environment",
        )
    require(
        np.isfinite(step.rewards).all(),
        about,
        "took a step",
        f"rewards {short(step.rewards)}",
        "finite rewards",
        "fix the reward",
    )
    _check_observations(about, env, step.observations, "a step")
    _check_observations(about, env, step.final_observations, "final_observations")
    for index in np.flatnonzero(~step.ended).tolist():
        require(
            same(_row(step.observations, index), _row(step.final_observations, index)),
            about,
            "took a step that ended no episode",
            "final_observations differ from observations",
            "equal observations where no episode ended",
            "let them differ only where an episode ended",
        )


def _check_observations(
    about: str, env: Environment, observations: Observations, source: str
) -> None:
    space = env.observation_space
    for index in range(env.num_envs):
        observation = _row(observations, index)
        require(
            space.contains(observation),
            about,
            f"checked the observations of {source}",
            f"environment {index} shows {short(observation)}",
            f"an element of {space}",
            "return arrays of the space's shape, dtype and bounds, with a leading axis of num_envs",
        )


def _row(observations: Observations, index: int) -> Observations:
    if isinstance(observations, Mapping):
        return {name: _row(part, index) for name, part in observations.items()}
    return np.asarray(observations)[index]


def _check_state(part: Part, env: Environment) -> None:
    state = saved_and_loaded(part.about, env.state())
    expected = [_copy(env.step(_actions(env, index))) for index in range(STEPS_AFTER_RESTORE)]
    other = part.build(seed=2, mode="train")
    try:
        other.restore(state)
        path = [_copy(other.step(_actions(other, index))) for index in range(STEPS_AFTER_RESTORE)]
    finally:
        other.close()
    require(
        same(path, expected),
        part.about,
        f"restored its state in another one and took the same {STEPS_AFTER_RESTORE} actions",
        "another path",
        "the path of the first",
        RESTORE_REMEDY,
    )
