"""Vectors of N environments with auto-reset: stepped in this process, or gymnasium's own."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import final

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode

from plx_core import State, Stateful, Step
from plx_core.errors import DataError, PlxError
from plx_core.types import Nested, Observations
from plx_rl.environments.processes import await_answers, base_state, failure, watched
from plx_rl.environments.simulator_state import capture, changes, restore, with_changes
from plx_rl.environments.spaces import (
    ActionDecoder,
    ObservationEncoder,
    mask_from,
    misfit,
    number_of_choices,
)
from plx_rl.types import CONTINUES, Env, Info, Observation, ResetResult, StepResult

CHECKED_STEPS = 3
"""How many steps of each environment are checked; faults show early, and checks take time."""


class Vector(Stateful, ABC):
    """N environments with auto-reset.

    Args:
        encoder: converts observations for networks.
        decoder: converts the actions of policies.
    """

    def __init__(self, encoder: ObservationEncoder, decoder: ActionDecoder) -> None:
        self.encoder = encoder
        self.decoder = decoder
        self.masks: np.ndarray | None = None
        self._choices = number_of_choices(decoder.raw)
        self._is_masked: bool | None = None  # unknown before the first step

    @abstractmethod
    def reset(self, seed: int | None) -> Observations:
        """Start an episode in each environment, and return the first observations."""

    @abstractmethod
    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each environment."""

    @property
    @abstractmethod
    def raw_observations(self) -> Observations:
        """The environments' own form of the last observations, [N, …], until the next step."""

    @property
    @abstractmethod
    def raw_final_observations(self) -> Observations:
        """The environments' own form of the last `final_observations`, [N, …]."""

    @abstractmethod
    def close(self) -> None:
        """Close windows, processes and files."""

    def stack_masks(self, masks: Sequence[np.ndarray | None]) -> np.ndarray | None:
        """Stack the masks of N environments, bool [N, A]; None if no environment has masks.

        Raises:
            DataError: there are masks now, but there were none in earlier steps.
        """
        if not self._choices:
            return None
        if all(mask is None for mask in masks):
            return np.ones((len(masks), self._choices), bool) if self._is_masked else None
        if self._is_masked is False:
            raise DataError(
                'info["action_mask"] is set after a step without it; set it from the first reset on'
            )
        self._is_masked = True
        return np.stack([np.ones(self._choices, bool) if mask is None else mask for mask in masks])


@final
class SyncVector(Vector):
    """Environments stepped one by one in this process; fastest if steps take microseconds."""

    def __init__(
        self, envs: Sequence[Env], encoder: ObservationEncoder, decoder: ActionDecoder
    ) -> None:
        super().__init__(encoder, decoder)
        self._envs = list(envs)
        self._steps = 0
        self._unchecked_steps = CHECKED_STEPS
        self._bases = [base_state(env) for env in self._envs]
        self._observations: Sequence[Observation] = ()
        self._final_observations: Sequence[Observation] = ()

    @property
    def raw_observations(self) -> Observations:
        """The environments' own form of the last observations."""
        return self.encoder.raw_batch(self._observations)

    @property
    def raw_final_observations(self) -> Observations:
        """The environments' own form of the last `final_observations`."""
        return self.encoder.raw_batch(self._final_observations)

    def render(self) -> np.ndarray | None:
        """Return an image of the first environment; None if it does not render to arrays."""
        env = self._envs[0]
        return np.asarray(env.render()) if env.render_mode == "rgb_array" else None

    def reset(self, seed: int | None) -> Observations:
        """Start an episode in each environment; the n-th is seeded with `seed + n`."""
        results = [
            self._reset(index, env, None if seed is None else seed + index)
            for index, env in enumerate(self._envs)
        ]
        for env, result in zip(self._envs, results, strict=True):
            _check_reset_result(env, result)
            self._check_observation(env, result[0], "reset")
        self.masks = self.stack_masks([mask_from(info, self._choices) for _, info in results])
        self._observations = self._final_observations = [result[0] for result in results]
        return self.encoder.stack(self._observations)

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each environment."""
        count = len(self._envs)
        rewards = np.empty(count, np.float32)
        terminated = np.zeros(count, bool)
        truncated = np.zeros(count, bool)
        observations: list[Observation] = []
        infos: list[Info] = []
        ends: list[tuple[int, Observation, Info]] = []
        decoded = self.decoder.decode(actions)
        for index, (env, action) in enumerate(zip(self._envs, decoded, strict=True)):
            try:
                result = env.step(action)
            except PlxError:
                raise
            except Exception as error:
                doing = f"took step {self._steps + 1}, action {action}"
                raise failure(index, env, doing, error) from error
            if self._unchecked_steps:
                self._check_step(env, result)
            observation, reward, is_terminated, is_truncated, info = result
            rewards[index] = reward
            if is_terminated or is_truncated:
                terminated[index] = is_terminated
                truncated[index] = is_truncated
                ends.append((index, observation, info))
                observation, info = self._reset(index, env)
            observations.append(observation)
            infos.append(info)
        self._steps += 1
        if self._unchecked_steps:
            self._unchecked_steps -= 1
        next_observations = self.encoder.stack(observations)
        self.masks = self._stack_info_masks(infos)
        self._is_masked = self.masks is not None
        final_observations, final_masks = next_observations, self.masks
        continues = None
        self._observations = self._final_observations = observations
        if ends:
            self._final_observations = last = list(observations)
            for index, observation, info in ends:
                last[index] = observation
                infos[index] = info
            if any(info.get(CONTINUES) for _, _, info in ends):
                continues = np.array([bool(info.get(CONTINUES)) for info in infos])
            final_observations = self.encoder.stack(self._final_observations)
            if self.masks is not None:
                final_masks = self._stack_info_masks(infos)
        return Step(
            next_observations,
            rewards,
            terminated,
            truncated,
            final_observations,
            self.masks,
            final_masks,
            continues=continues,
        )

    def close(self) -> None:
        """Close each environment."""
        for env in self._envs:
            env.close()

    def state(self) -> State:
        """Return what changed in each environment since it was created."""
        envs = {
            str(index): changes(capture(env), base)
            for index, (env, base) in enumerate(zip(self._envs, self._bases, strict=True))
        }
        return {"envs": envs, "masks": self.masks}

    def restore(self, state: State) -> None:
        """Continue from a state."""
        for index, (env, base) in enumerate(zip(self._envs, self._bases, strict=True)):
            env.reset(seed=0)  # creates the objects that the environment creates at its first reset
            restore(env, with_changes(base, state["envs"][str(index)]))
        self.masks = state["masks"]
        self._is_masked = None if self.masks is None else True

    def _stack_info_masks(self, infos: Sequence[Info]) -> np.ndarray | None:
        if not self._choices:
            return None
        return self.stack_masks([mask_from(info, self._choices) for info in infos])

    def _reset(self, index: int, env: Env, seed: int | None = None) -> ResetResult:
        try:
            return env.reset(seed=seed)
        except PlxError:
            raise
        except Exception as error:
            raise failure(index, env, "was reset", error) from error

    def _check_step(self, env: Env, result: StepResult) -> None:
        _check_step_result(env, result)
        self._check_observation(env, result[0], "step")
        _check_reward(env, result[1])

    def _check_observation(self, env: Env, observation: Observation, method: str) -> None:
        if fault := misfit(self.encoder.raw, observation):
            raise DataError(f"{method} of {env.unwrapped}: {fault}")


@final
class GymVector(Vector):
    """A vector environment of gymnasium, in any of its auto-reset modes."""

    def __init__(
        self,
        envs: gymnasium.vector.VectorEnv[Observations, np.ndarray, np.ndarray],
        encoder: ObservationEncoder,
        decoder: ActionDecoder,
    ) -> None:
        super().__init__(encoder, decoder)
        self._envs = envs
        self._mode = AutoresetMode(envs.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        self._resetting = np.zeros(envs.num_envs, bool)
        self._async_envs = envs if isinstance(envs, gymnasium.vector.AsyncVectorEnv) else None
        self._base = base_state(envs) if self._async_envs is None else {}
        self._observations: Observations = None
        self._final_observations: Observations = None

    @property
    def raw_observations(self) -> Observations:
        """The environments' own form of the last observations."""
        return self._observations

    @property
    def raw_final_observations(self) -> Observations:
        """The environments' own form of the last `final_observations`."""
        return self._final_observations

    @property
    def is_async(self) -> bool:
        """Whether each environment runs in its own process."""
        return self._async_envs is not None

    def reset(self, seed: int | None) -> Observations:
        """Start an episode in each environment."""
        observations, infos = self._reset(seed)
        self._resetting = np.zeros(self._envs.num_envs, bool)
        self.masks = self._masks(infos)
        self._observations = self._final_observations = observations
        return self.encoder.batch(observations)

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each environment."""
        decoded = np.asarray(self.decoder.decode(actions))
        observations, rewards, terminated, truncated, infos = self._step(decoded)
        rewards = np.asarray(rewards, np.float32)
        terminated = np.array(terminated, bool)
        truncated = np.array(truncated, bool)
        ended = terminated | truncated
        masks = final_masks = self._masks(infos)
        final_observations = observations
        continues = infos.get("final_info", infos).get(CONTINUES)
        valid = None
        if self._mode == AutoresetMode.NEXT_STEP:
            if self._resetting.any():
                valid = ~self._resetting
            self._resetting = ended
        elif ended.any() and self._mode == AutoresetMode.SAME_STEP:
            final_observations = self._with_rows(observations, ended, infos["final_obs"])
            final_masks = self._where(ended, self._masks(infos.get("final_info", {})), masks)
        elif ended.any():
            final_observations = copy.deepcopy(observations)  # the reset may write into them
            observations, infos = self._envs.reset(options={"reset_mask": ended})
            masks = self._where(ended, self._masks(infos), masks)
        self.masks = masks
        self._is_masked = masks is not None
        self._observations, self._final_observations = observations, final_observations
        next_observations = self.encoder.batch(observations)
        return Step(
            next_observations,
            rewards,
            terminated,
            truncated,
            next_observations
            if final_observations is observations
            else self.encoder.batch(final_observations),
            masks,
            final_masks,
            valid=valid,
            continues=None if continues is None else np.asarray(continues, bool),
        )

    def close(self) -> None:
        """Close the vector environment."""
        if not self._envs.closed:
            self._envs.close()

    def state(self) -> State:
        """Return what changed in the environments since they were created."""
        if self._async_envs is not None:
            with watched(self._async_envs):
                envs = enumerate(self._async_envs.call("captured_changes"))
            return {"envs": {str(index): state for index, state in envs}, "masks": self.masks}
        return {
            "envs": changes(capture(self._envs), self._base),
            "masks": self.masks,
            "resetting": self._resetting.copy(),
        }

    def restore(self, state: State) -> None:
        """Continue from a state."""
        self._reset(0)
        if self._async_envs is not None:
            with watched(self._async_envs):
                self._async_envs.call("restore_changes", state["envs"])
        else:
            restore(self._envs, with_changes(self._base, state["envs"]))
            self._resetting = np.array(state["resetting"], bool)
        self.masks = state["masks"]
        self._is_masked = None if self.masks is None else True

    def _reset(self, seed: int | None) -> tuple[Observations, dict[str, Nested]]:
        envs = self._async_envs
        if envs is None:
            return self._envs.reset(seed=seed)
        with watched(envs):
            envs.reset_async(seed=seed)
            await_answers(envs)
            return envs.reset_wait()

    def _step(self, actions: np.ndarray) -> tuple[Nested, ...]:
        envs = self._async_envs
        if envs is None:
            return self._envs.step(actions)
        with watched(envs):
            envs.step_async(actions)
            await_answers(envs)
            return envs.step_wait()

    def _masks(self, infos: Mapping[str, Nested]) -> np.ndarray | None:
        if not self._choices or "action_mask" not in infos:
            return self.stack_masks([None] * self._envs.num_envs)
        is_set = infos.get("_action_mask", np.ones(self._envs.num_envs, bool))
        return self.stack_masks([
            mask_from({"action_mask": mask}, self._choices) if has_mask else None
            for mask, has_mask in zip(infos["action_mask"], is_set, strict=True)
        ])  # fmt: skip

    def _where(
        self, ended: np.ndarray, masks: np.ndarray | None, others: np.ndarray | None
    ) -> np.ndarray | None:
        """Return the masks of the environments that ended, and those of the others."""
        if masks is None or others is None:
            return others
        return np.where(ended[:, None], masks, others)

    def _with_rows(
        self, observations: Observations, ended: np.ndarray, rows: Sequence[Observation]
    ) -> Observations:
        """Return the observations with those of ended episodes replaced by rows."""
        indices = np.flatnonzero(ended)
        last = self.encoder.raw_batch([rows[index] for index in indices.tolist()])
        if isinstance(observations, Mapping):
            return {
                name: _with_replaced(part, indices, last[name])
                for name, part in observations.items()
            }
        return _with_replaced(observations, indices, last)


def _with_replaced(array: np.ndarray, indices: np.ndarray, rows: np.ndarray) -> np.ndarray:
    result = array.copy()
    result[indices] = rows
    return result


def _check_reset_result(env: Env, result: object) -> None:
    if not isinstance(result, tuple) or len(result) != 2 or not isinstance(result[1], Mapping):
        raise DataError(
            f"reset of {env.unwrapped} returned {result!r}; "
            "it must return (observation, info), where info is a dict"
        )


def _check_step_result(env: Env, result: object) -> None:
    if isinstance(result, tuple) and len(result) == 5:
        return
    kind = f"{len(result)} values" if isinstance(result, tuple) else f"a {type(result).__name__}"
    raise DataError(
        f"step of {env.unwrapped} returned {kind}; "
        "it must return (observation, reward, terminated, truncated, info)"
    )


def _check_reward(env: Env, reward: Nested) -> None:
    if np.shape(reward) != () or not np.isfinite(reward):
        raise DataError(
            f"step of {env.unwrapped} returned the reward {reward!r}; "
            "a reward must be one finite number"
        )
