"""What is wrong with a person's own environment, in plain words."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np

from plx_core.errors import PlxError
from plx_rl.environments.serialization import same
from plx_rl.environments.spaces import (
    Actions,
    Observations,
    mask_from,
    misfit,
    number_of_choices,
    random_action,
)

STEPS = 300


def check_environment(env: Any, steps: int = STEPS) -> list[str]:
    """The faults of an environment, each with what would mend it; none when it can be learnt in.

    Args:
        env: a `gymnasium.Env`.
        steps: how many random actions are tried.

    Example:
        >>> check_environment(gymnasium.make("CartPole-v1"))
        []
    """
    if not isinstance(env, gymnasium.Env):
        missing = [
            name
            for name in ("reset", "step", "observation_space", "action_space")
            if not hasattr(env, name)
        ]
        lacks = f" and lacks {', '.join(missing)}" if missing else ""
        return [f"{type(env).__name__} is not a gymnasium.Env{lacks}; make it a subclass of it"]
    faults: list[str] = []
    for name, reader in (("observation_space", Observations), ("action_space", Actions)):
        space = getattr(env, name, None)
        if not isinstance(space, gymnasium.Space):
            faults.append(f"{name} is {space!r}; set it to a space of gymnasium in __init__")
            continue
        try:
            reader(space)
        except PlxError as error:
            faults.append(str(error))
    return faults or list(dict.fromkeys(_faults_of_play(env, steps)))


def _faults_of_play(env: Any, steps: int) -> Iterator[str]:
    """Play, and stop at the first fault after which it makes no sense to go on."""
    try:
        answer = env.reset(seed=1)
    except TypeError as error:
        yield f"reset(seed=1) failed ({error}); write it as reset(self, *, seed=None, options=None) and call super().reset(seed=seed)"
        return
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], Mapping):
        yield f"reset returned {_short(answer)}; it returns (observation, info), of which info is a dict"
        return
    if fault := misfit(env.observation_space, answer[0]):
        yield f"reset: {fault}"
        return
    if not same(_plain(answer[0]), _plain(env.reset(seed=1)[0])):
        yield "reset(seed=1) gave different observations each time; call super().reset(seed=seed) and draw from self.np_random alone"
    yield from _faults_of_steps(env, steps)


def _faults_of_steps(env: Any, steps: int) -> Iterator[str]:
    space = copy.deepcopy(env.action_space)
    first, ended = None, False
    for attempt in range(2):
        space.seed(0)
        before, info = env.reset(seed=1)
        path = []
        for _ in range(steps):
            answer = env.step(random_action(space, info))
            fault = _fault_of_answer(env, answer)
            if fault:
                yield fault
                return
            observation, reward, terminated, truncated, info = answer
            if isinstance(observation, np.ndarray) and np.shares_memory(observation, before):
                yield "step returned the array that it had returned before, and changed it; return a copy"
            path.append([_plain(observation), float(reward), bool(terminated), bool(truncated)])
            ended = ended or terminated or truncated
            before, info = env.reset() if terminated or truncated else (observation, info)
        if attempt == 0:
            first = path
        elif not same(first, path):
            at = next(
                step
                for step in range(steps)
                if not same(first[step] if first else None, path[step])
            )
            yield f"the same seed and actions led elsewhere at step {at + 1}; draw from self.np_random alone, which reset seeds"
    if not ended:
        yield f"no episode ended in {steps} steps; if none ever does, give max_episode_steps, or nothing is reported of episodes"


def _fault_of_answer(env: Any, answer: Any) -> str:
    if isinstance(answer, tuple) and len(answer) == 4:
        return "step returned 4 things, as in the old library gym; return (observation, reward, terminated, truncated, info)"
    if not isinstance(answer, tuple) or len(answer) != 5:
        return f"step returned {_short(answer)}; it returns (observation, reward, terminated, truncated, info)"
    observation, reward, terminated, truncated, info = answer
    if fault := misfit(env.observation_space, observation):
        return f"step: {fault}"
    if np.shape(reward) != () or isinstance(reward, (str, bytes)) or reward is None:
        return f"step returned the reward {_short(reward)}; a reward is one number"
    if not np.isfinite(float(reward)):
        return f"step returned the reward {reward}; a reward is finite"
    for name, flag in (("terminated", terminated), ("truncated", truncated)):
        if not isinstance(flag, (bool, np.bool_)):
            return f"step returned {_short(flag)} for {name}; it is True or False"
    if not isinstance(info, Mapping):
        return f"step returned {_short(info)} for info; it is a dict"
    try:
        mask_from(info, number_of_choices(env.action_space))
    except PlxError as error:
        return str(error)
    return ""


def _plain(observation: Any) -> Any:
    if isinstance(observation, Mapping):
        return {name: _plain(part) for name, part in observation.items()}
    return np.array(observation)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"a {type(value).__name__} ({text[:60]}…)"
