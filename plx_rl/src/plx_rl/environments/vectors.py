"""N environments as one: stepped in turn in this process, or any vector environment of gymnasium."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from plx_core import State, Stateful, Step
from plx_core.errors import DataError
from plx_rl.environments.serialization import NotPlainData
from plx_rl.environments.simulator_state import capture, changes, restore, with_changes
from plx_rl.environments.spaces import Actions, Observations, mask_from, misfit, number_of_choices

CHECKED_STEPS = 3
"""So many steps of each environment have their answers checked; a fault of its code shows in the first, and checks cost time."""


class Vector(Stateful, ABC):
    """N environments, each reset by itself as soon as its episode ends.

    Args:
        observations: what an environment observes, to arrays.
        actions: what policies do, to what an environment takes.
    """

    def __init__(self, observations: Observations, actions: Actions) -> None:
        self.observations = observations
        self.actions = actions
        self.masks: np.ndarray | None = None
        self._choices = number_of_choices(actions.raw)
        self._is_masked: bool | None = (
            None  # whether legal actions are named; not known before the first step
        )

    @abstractmethod
    def reset(self, seed: int | None) -> Any:
        """Start an episode in each; the first observations."""

    @abstractmethod
    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each."""

    @abstractmethod
    def close(self) -> None:
        """Let go of windows, processes and files."""

    def stack_masks(self, masks: Sequence[np.ndarray | None]) -> np.ndarray | None:
        """The legal actions of N environments, bool [N, A]; None when no environment names any.

        Raises:
            DataError: environments that named none before do so now.
        """
        if not self._choices:
            return None
        if all(mask is None for mask in masks):
            return np.ones((len(masks), self._choices), bool) if self._is_masked else None
        if self._is_masked is False:
            raise DataError(
                'info["action_mask"] names legal actions after a step that named none; name them from the first step on'
            )
        self._is_masked = True
        return np.stack([np.ones(self._choices, bool) if mask is None else mask for mask in masks])


@final
class Serial(Vector):
    """Environments stepped one after another in this process: the quickest way while a step takes microseconds."""

    def __init__(
        self, envs: Sequence[gymnasium.Env[Any, Any]], observations: Observations, actions: Actions
    ) -> None:
        super().__init__(observations, actions)
        self._envs = list(envs)
        self._unchecked = CHECKED_STEPS
        self._bases = [capture_or_nothing(env) for env in self._envs]

    def render(self) -> Any:
        """What the first environment shows; None where it draws no pictures."""
        return self._envs[0].render() if self._envs[0].render_mode == "rgb_array" else None

    def reset(self, seed: int | None) -> Any:
        """Start an episode in each, the n-th with `seed + n`."""
        answers = [
            env.reset(seed=None if seed is None else seed + index)
            for index, env in enumerate(self._envs)
        ]
        for env, answer in zip(self._envs, answers, strict=True):
            _check_pair(env, answer)
            self._check(env, answer[0], "reset")
        self.masks = self.stack_masks([mask_from(info, self._choices) for _, info in answers])
        return self.observations.stack([observation for observation, _ in answers])

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each."""
        count = len(self._envs)
        rewards, terminated, truncated = (
            np.empty(count, np.float32),
            np.zeros(count, bool),
            np.zeros(count, bool),
        )
        observations: list[Any] = []
        infos: list[Any] = []
        finals: list[tuple[int, Any, Any]] = []
        for index, (env, action) in enumerate(
            zip(self._envs, self.actions.decode(actions), strict=True)
        ):
            if self._unchecked:
                observation, reward, is_terminated, is_truncated, info = self._checked_step(
                    env, action
                )
            else:
                observation, reward, is_terminated, is_truncated, info = env.step(action)
            rewards[index] = reward
            if is_terminated or is_truncated:
                terminated[index], truncated[index] = is_terminated, is_truncated
                finals.append((index, observation, info))
                observation, info = env.reset()
            observations.append(observation)
            infos.append(info)
        self._unchecked -= self._unchecked > 0
        return self._answer(observations, infos, finals, (rewards, terminated, truncated))

    def close(self) -> None:
        """Close each."""
        for env in self._envs:
            env.close()

    def state(self) -> State:
        """What changed in each since it was made."""
        envs = {
            str(index): changes(capture(env), base)
            for index, (env, base) in enumerate(zip(self._envs, self._bases, strict=True))
        }
        return {"envs": envs, "masks": self.masks}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        for index, (env, base) in enumerate(zip(self._envs, self._bases, strict=True)):
            env.reset(seed=0)  # what an environment makes at its first reset has to be there
            restore(env, with_changes(base, state["envs"][str(index)]))
        self.masks = state["masks"]
        self._is_masked = None if self.masks is None else True

    def _answer(
        self,
        observations: list[Any],
        infos: list[Any],
        finals: list[tuple[int, Any, Any]],
        facts: tuple[Any, Any, Any],
    ) -> Step:
        following = self.observations.stack(observations)
        self.masks = (
            self.stack_masks([mask_from(info, self._choices) for info in infos])
            if self._choices
            else None
        )
        self._is_masked = self.masks is not None
        if not finals:
            return Step(following, *facts, following, self.masks, self.masks)
        last, last_infos = list(observations), list(infos)
        for index, observation, info in finals:
            last[index], last_infos[index] = observation, info
        final_masks = (
            None
            if self.masks is None
            else self.stack_masks([mask_from(info, self._choices) for info in last_infos])
        )
        return Step(following, *facts, self.observations.stack(last), self.masks, final_masks)

    def _checked_step(self, env: Any, action: Any) -> Any:
        answer = env.step(action)
        if not isinstance(answer, tuple) or len(answer) != 5:
            count = (
                f"{len(answer)} things"
                if isinstance(answer, tuple)
                else f"a {type(answer).__name__}"
            )
            raise DataError(
                f"step of {env.unwrapped} returned {count}; it returns (observation, reward, terminated, truncated, info)"
            )
        self._check(env, answer[0], "step")
        if (not np.isscalar(answer[1]) and np.shape(answer[1]) != ()) or not np.isfinite(answer[1]):
            raise DataError(
                f"step of {env.unwrapped} returned the reward {answer[1]!r}; a reward is one finite number"
            )
        return answer

    def _check(self, env: Any, observation: Any, method: str) -> None:
        if fault := misfit(self.observations.raw, observation):
            raise DataError(f"{method} of {env.unwrapped}: {fault}")


@final
class Batched(Vector):
    """A vector environment of gymnasium, in whichever way it resets itself."""

    def __init__(self, envs: Any, observations: Observations, actions: Actions) -> None:
        super().__init__(observations, actions)
        self._envs = envs
        self._mode = AutoresetMode(envs.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self._resetting = np.zeros(envs.num_envs, bool)
        self.is_async = isinstance(envs, gymnasium.vector.AsyncVectorEnv)
        self._base = None if self.is_async else capture_or_nothing(envs)

    def reset(self, seed: int | None) -> Any:
        """Start an episode in each."""
        observations, infos = self._envs.reset(seed=seed)
        self._resetting = np.zeros(self._envs.num_envs, bool)
        self.masks = self._masks(infos)
        return self.observations.batch(observations)

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each."""
        decoded = self.actions.decode(actions)
        observations, rewards, terminated, truncated, infos = self._envs.step(np.asarray(decoded))
        facts = (
            np.asarray(rewards, np.float32),
            np.array(terminated, bool),
            np.array(truncated, bool),
        )
        ended = facts[1] | facts[2]
        valid = None
        masks = self._masks(infos)
        if self._mode == AutoresetMode.NEXT_STEP:
            valid, self._resetting = ~self._resetting if self._resetting.any() else None, ended
        final, final_masks = self.observations.batch(observations), masks
        if not ended.any() or self._mode == AutoresetMode.NEXT_STEP:
            following = final
        elif self._mode == AutoresetMode.SAME_STEP:
            following = final
            final = self._with_rows(following, ended, infos["final_obs"])
            final_masks = self._final_masks(masks, infos, ended)
        else:
            following = self.observations.batch(self._envs.reset(options={"reset_mask": ended})[0])
        self.masks = masks
        self._is_masked = masks is not None
        return Step(following, *facts, final, masks, final_masks, valid=valid)

    def close(self) -> None:
        """Close all."""
        self._envs.close()

    def state(self) -> State:
        """What changed since they were made."""
        if self.is_async:
            return {
                "envs": {
                    str(index): state for index, state in enumerate(self._envs.call("captured"))
                },
                "masks": self.masks,
            }
        return {
            "envs": changes(capture(self._envs), self._base or {}),
            "masks": self.masks,
            "resetting": self._resetting.copy(),
        }

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._envs.reset(seed=0)
        if self.is_async:
            self._envs.call("go_on_from", state["envs"])
        else:
            restore(self._envs, with_changes(self._base or {}, state["envs"]))
            self._resetting = np.array(state["resetting"], bool)
        self.masks = state["masks"]
        self._is_masked = None if self.masks is None else True

    def _masks(self, infos: Mapping[str, Any]) -> np.ndarray | None:
        if not self._choices or "action_mask" not in infos:
            return self.stack_masks([None] * self._envs.num_envs)
        named = infos.get("_action_mask", np.ones(self._envs.num_envs, bool))
        return self.stack_masks([
            mask_from({"action_mask": mask}, self._choices) if known else None
            for mask, known in zip(infos["action_mask"], named, strict=True)
        ])  # fmt: skip

    def _final_masks(
        self, masks: np.ndarray | None, infos: Mapping[str, Any], ended: np.ndarray
    ) -> np.ndarray | None:
        finals = self._masks(infos.get("final_info", {}))
        return masks if masks is None or finals is None else np.where(ended[:, None], finals, masks)

    def _with_rows(self, following: Any, ended: np.ndarray, rows: Any) -> Any:
        places = np.flatnonzero(ended)
        last = self.observations.stack([rows[place] for place in places])
        if isinstance(following, Mapping):
            return {name: _replaced(part, places, last[name]) for name, part in following.items()}
        return _replaced(following, places, last)


class Capturable(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Lets an environment in another process be asked for its state; `index` says which of N it is."""

    def __init__(self, env: gymnasium.Env[Any, Any], index: int) -> None:
        super().__init__(env)
        self._index = index
        self._base = capture_or_nothing(env)

    def captured(self) -> dict[str, Any]:
        """What changed in the environment since it was made."""
        return changes(capture(self.env), self._base)

    def go_on_from(self, states: Mapping[str, Any]) -> None:
        """Go on from this environment's state among those of all."""
        restore(self.env, with_changes(self._base, states[str(self._index)]))


def capture_or_nothing(env: Any) -> dict[str, Any]:
    """The state of an environment just made; nothing when it cannot be had, which whoever needs it finds out by a trial."""
    try:
        return capture(env)
    except NotPlainData:
        return {}


def in_processes(
    makers: Sequence[Callable[[], gymnasium.Env[Any, Any]]],
) -> gymnasium.vector.AsyncVectorEnv:
    """One process for each environment, started afresh: a process of TensorFlow's cannot safely be forked."""
    return gymnasium.vector.AsyncVectorEnv(
        makers, context="spawn", autoreset_mode=AutoresetMode.SAME_STEP
    )


def _replaced(array: np.ndarray, places: np.ndarray, rows: np.ndarray) -> np.ndarray:
    changed = array.copy()
    changed[places] = rows
    return changed


def _check_pair(env: Any, answer: Any) -> None:
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], Mapping):
        raise DataError(
            f"reset of {env.unwrapped} returned {answer!r}; it returns (observation, info), of which info is a dict"
        )
