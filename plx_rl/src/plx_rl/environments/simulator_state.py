"""The state of an environment that was not written to give it: what its attributes hold, and those of the wrappers around it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np

from plx_rl.environments.serialization import NotPlainData, attributes, same, set_attributes
from plx_rl.environments.spaces import random_action

IGNORED = frozenset({
    "env", "spec", "_cached_spec", "metadata", "_metadata", "render_mode", "reward_range", "_reward_range", "_saved_kwargs",
    "screen", "clock", "window", "surf", "viewer", "renderer", "mujoco_renderer", "isopen", "window_surface", "close_called",
})  # fmt: skip
"""Attributes that are other parts of the chain, or only draw."""
TRIAL_STEPS = 30


def capture(env: Any) -> dict[str, Any]:
    """The state of an environment and of each wrapper around it, outermost first.

    Raises:
        NotPlainData: some of it cannot be copied.
    """
    seen = {id(link) for link in _chain(env)}
    return {
        str(depth): attributes(link, seen, type(link).__name__, IGNORED)
        for depth, link in enumerate(_chain(env))
    }


def restore(env: Any, state: Mapping[str, Any]) -> None:
    """Give an environment, made in the same way, the state of another."""
    for depth, link in enumerate(_chain(env)):
        set_attributes(link, state[str(depth)], IGNORED)


def changes(state: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """What of a state is not as it was in `base`, the state of an environment just made; what is gone is noted."""
    return {
        depth: {
            "changed": {
                name: value
                for name, value in part.items()
                if name not in base[depth] or not same(value, base[depth][name])
            },
            "gone": sorted(base[depth].keys() - part.keys()),
        }
        for depth, part in state.items()
    }


def with_changes(base: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `changes`."""
    return {
        depth: {name: value for name, value in part.items() if name not in changed[depth]["gone"]}
        | dict(changed[depth]["changed"])
        for depth, part in base.items()
    }


def inexactness(make: Callable[[], gymnasium.Env[Any, Any]]) -> str:
    """Why an environment's state cannot be had; an empty text when it can.

    Two environments are made; the second is given the state of the first, and must then do the same as the first for a number of
    steps. This finds what no look at attributes can, such as state in a module or in a library.
    """
    first, second = make(), make()
    try:
        base = capture(second)
        space = copy.deepcopy(first.action_space)  # the environment may draw from its own
        space.seed(0)
        info: Mapping[str, Any] = first.reset(seed=1)[1]
        for _ in range(7):
            _, info = _step(first, random_action(space, info))
        second.reset(seed=2)
        restore(second, with_changes(base, changes(capture(first), base)))
        for step in range(1, TRIAL_STEPS + 1):
            action = random_action(space, info)
            answer, info = _step(first, action)
            if not same(answer, _step(second, action)[0]):
                return f"{first.unwrapped} given the state of another does otherwise {step} steps later"
    except NotPlainData as error:
        return str(error)
    finally:
        first.close()
        second.close()
    return ""


def _chain(env: Any) -> Iterator[Any]:
    while isinstance(env, (gymnasium.Wrapper, gymnasium.vector.VectorWrapper)):
        yield env
        env = env.env
    yield env


def _step(env: Any, action: Any) -> tuple[list[Any], Mapping[str, Any]]:
    """What an environment answers, with the first observation of the next episode where one ends; and the `info` of now."""
    observation, reward, terminated, truncated, info = env.step(action)
    following, info = env.reset() if terminated or truncated else (None, info)
    return [
        _copied(observation),
        float(reward),
        bool(terminated),
        bool(truncated),
        _copied(following),
    ], info


def _copied(observation: Any) -> Any:
    if isinstance(observation, Mapping):
        return {name: _copied(part) for name, part in observation.items()}
    return (
        list(observation)
        if isinstance(observation, tuple)
        else observation
        if observation is None
        else np.array(observation)
    )
