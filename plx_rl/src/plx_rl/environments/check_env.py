"""Check that an environment follows gymnasium's interface and can be trained in."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import gymnasium
import numpy as np

from plx_core.errors import PlxError
from plx_core.types import Nested
from plx_rl.environments.serialization import same
from plx_rl.environments.spaces import (
    ActionDecoder,
    ObservationEncoder,
    mask_from,
    misfit,
    number_of_choices,
    random_action,
)
from plx_rl.types import Env, Observation

STEPS = 300
STEP_RESULT = "(observation, reward, terminated, truncated, info)"


def check_environment(env: object, steps: int = STEPS) -> list[str]:
    """Return the faults of an environment, each with its remedy; empty if there are none.

    Args:
        env: a `gymnasium.Env`.
        steps: how many random actions to take.

    Example:
        >>> check_environment(gymnasium.make("CartPole-v1"))
        []
    """
    if not isinstance(env, gymnasium.Env):
        required = ("reset", "step", "observation_space", "action_space")
        missing = [name for name in required if not hasattr(env, name)]
        lacks = f" and lacks {', '.join(missing)}" if missing else ""
        return [f"{type(env).__name__} is not a gymnasium.Env{lacks}; make it a subclass"]
    faults: list[str] = []
    for name, reader in (
        ("observation_space", ObservationEncoder),
        ("action_space", ActionDecoder),
    ):
        space = getattr(env, name, None)
        if not isinstance(space, gymnasium.Space):
            faults.append(f"{name} is {space!r}; set it to a gymnasium space in __init__")
            continue
        try:
            reader(space)
        except PlxError as error:
            faults.append(str(error))
    return faults or list(dict.fromkeys(_faults_of_play(env, steps)))


def _faults_of_play(env: Env, steps: int) -> Iterator[str]:
    """Reset and step the environment; stop at the first fault that makes further steps useless."""
    try:
        result: object = env.reset(seed=1)
    except TypeError as error:
        yield (
            f"reset(seed=1) failed ({error}); define it as "
            "reset(self, *, seed=None, options=None) and call super().reset(seed=seed)"
        )
        return
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], Mapping):
        yield f"reset returned {_short(result)}; return (observation, info), where info is a dict"
        return
    if fault := misfit(env.observation_space, result[0]):
        yield f"reset: {fault}"
        return
    if not same(_copy(result[0]), _copy(env.reset(seed=1)[0])):
        yield (
            "reset(seed=1) returned different observations each time; "
            "call super().reset(seed=seed) and draw only from self.np_random"
        )
    yield from _faults_of_steps(env, steps)


def _faults_of_steps(env: Env, steps: int) -> Iterator[str]:
    space = copy.deepcopy(env.action_space)
    first_path: list[Nested] = []
    has_ended = False
    for attempt in range(2):
        space.seed(0)
        previous, info = env.reset(seed=1)
        path: list[Nested] = []
        for _ in range(steps):
            result = env.step(random_action(space, info))
            fault = _fault_of_step(env, result)
            if fault:
                yield fault
                return
            observation, reward, terminated, truncated, info = result
            if isinstance(observation, np.ndarray) and np.shares_memory(observation, previous):
                yield "step modified and returned the same array as before; return a copy"
            path.append([_copy(observation), float(reward), bool(terminated), bool(truncated)])
            if terminated or truncated:
                has_ended = True
                previous, info = env.reset()
            else:
                previous = observation
        if attempt == 0:
            first_path = path
        elif not same(first_path, path):
            number = next(
                index for index in range(steps) if not same(first_path[index], path[index])
            )
            yield (
                f"the same seed and actions gave different results at step {number + 1}; "
                "draw only from self.np_random, which reset seeds"
            )
    if not has_ended:
        yield (
            f"no episode ended in {steps} steps; if episodes never end, set max_episode_steps, "
            "or no returns are reported"
        )


def _fault_of_step(env: Env, result: object) -> str:
    if isinstance(result, tuple) and len(result) == 4:
        return f"step returned 4 values, as in the old library gym; return {STEP_RESULT}"
    if not isinstance(result, tuple) or len(result) != 5:
        return f"step returned {_short(result)}; return {STEP_RESULT}"
    observation, reward, terminated, truncated, info = result
    if fault := misfit(env.observation_space, observation):
        return f"step: {fault}"
    if np.shape(reward) != () or isinstance(reward, (str, bytes)) or reward is None:
        return f"step returned the reward {_short(reward)}; a reward must be one number"
    if not np.isfinite(float(reward)):
        return f"step returned the reward {reward}; a reward must be finite"
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(flag, (bool, np.bool_)):
            return f"step returned {_short(flag)} for {name}; it must be True or False"
    if not isinstance(info, Mapping):
        return f"step returned {_short(info)} for info; it must be a dict"
    try:
        mask_from(info, number_of_choices(env.action_space))
    except PlxError as error:
        return str(error)
    return ""


def _copy(observation: Observation) -> Nested:
    if isinstance(observation, Mapping):
        return {name: _copy(part) for name, part in observation.items()}
    return np.array(observation)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"a {type(value).__name__} ({text[:60]}…)"
