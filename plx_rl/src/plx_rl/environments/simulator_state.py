"""Capture the state of an environment that has no method for it, from its attributes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import gymnasium
import numpy as np

from plx_core import State
from plx_core.types import Nested
from plx_rl.environments.serialization import NotSerializable, attributes, same, set_attributes
from plx_rl.environments.spaces import random_action
from plx_rl.types import Action, Env, Info, Observation

AnyEnv: TypeAlias = Env | gymnasium.vector.VectorEnv[Observation, Action, Nested]
"""One environment, or a vector of them."""

IGNORED = frozenset({
    "env", "spec", "_cached_spec", "metadata", "_metadata", "render_mode", "reward_range",
    "_reward_range", "_saved_kwargs", "screen", "clock", "window", "surf", "viewer", "renderer",
    "mujoco_renderer", "isopen", "window_surface", "close_called",
})  # fmt: skip
"""Attributes that refer to the wrapped environment, are constant, or only render."""
TRIAL_STEPS = 30


def capture(env: AnyEnv) -> dict[str, dict[str, Nested]]:
    """Return the states of an environment's wrappers, outermost first, and of the environment.

    Raises:
        NotSerializable: a part of the state cannot be copied.
    """
    seen = {id(layer) for layer in _layers(env)}
    return {
        str(depth): attributes(layer, seen, type(layer).__name__, IGNORED)
        for depth, layer in enumerate(_layers(env))
    }


def restore(env: AnyEnv, state: State) -> None:
    """Set the state of an environment that was created in the same way as the captured one."""
    for depth, layer in enumerate(_layers(env)):
        set_attributes(layer, state[str(depth)], IGNORED)


def changes(state: State, base: State) -> dict[str, dict[str, Nested]]:
    """Return the difference between a state and `base`, the state of a new environment."""
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


def with_changes(base: State, changed: State) -> dict[str, dict[str, Nested]]:
    """Return the state whose difference from `base` is `changed`; the inverse of `changes`."""
    return {
        depth: {name: value for name, value in part.items() if name not in changed[depth]["gone"]}
        | dict(changed[depth]["changed"])
        for depth, part in base.items()
    }


def inexactness(make: Callable[[], Env]) -> str:
    """Return why an environment's state cannot be captured; an empty string if it can.

    The check creates two environments, restores the state of the first in the second, and compares
    their next steps. This also finds state that is not in attributes, such as that of a module or a
    library.
    """
    first, second = make(), make()
    try:
        base = capture(second)
        space = copy.deepcopy(first.action_space)  # the environment may sample from its own
        space.seed(0)
        info: Info = first.reset(seed=1)[1]
        for _ in range(7):
            _, info = _step(first, random_action(space, info))
        second.reset(seed=2)
        restore(second, with_changes(base, changes(capture(first), base)))
        for step in range(1, TRIAL_STEPS + 1):
            action = random_action(space, info)
            result, info = _step(first, action)
            if not same(result, _step(second, action)[0]):
                return (
                    f"{first.unwrapped} with its state restored behaves differently "
                    f"{step} steps later"
                )
    except NotSerializable as error:
        return str(error)
    finally:
        first.close()
        second.close()
    return ""


def _layers(env: AnyEnv) -> Iterator[AnyEnv]:
    """Yield the wrappers of an environment, outermost first, and the environment itself."""
    while isinstance(env, (gymnasium.Wrapper, gymnasium.vector.VectorWrapper)):
        yield env
        env = env.env
    yield env


def _step(env: Env, action: Action) -> tuple[list[Nested], Info]:
    """Take a step, and reset if the episode ended.

    Returns:
        The result, with the first observation after a reset or None; and the latest `info`.
    """
    observation, reward, terminated, truncated, info = env.step(action)
    first_observation = None
    if terminated or truncated:
        first_observation, info = env.reset()
    result = [
        _copy(observation),
        float(reward),
        bool(terminated),
        bool(truncated),
        _copy(first_observation),
    ]
    return result, info


def _copy(observation: Observation) -> Nested:
    if isinstance(observation, Mapping):
        return {name: _copy(part) for name, part in observation.items()}
    if observation is None:
        return None
    return list(observation) if isinstance(observation, tuple) else np.array(observation)
