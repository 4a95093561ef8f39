"""Episodes: the returns of those that are being played, and greedy ones to evaluate a policy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from attrs import evolve, frozen

from plx_core.reinforcement.interfaces import Environment, Policy, Step
from plx_core.state import State, Stateful
from plx_core.types import Array, Observations


class Episodes(Stateful):
    """The returns and lengths of the current episodes in N environments."""

    def __init__(self, num_envs: int) -> None:
        self.ended = 0
        """The number of episodes that have ended."""
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, np.int64)

    def add(self, step: Step) -> list[dict[str, float]]:
        """Count a step; return the `return`, `length` and number of each episode it completed."""
        rewards = step.rewards if step.raw_rewards is None else step.raw_rewards
        if step.valid is None:
            self._returns += rewards
            self._lengths += 1
        else:
            self._returns += np.where(step.valid, rewards, 0.0)
            self._lengths += step.valid
        completed = step.completed
        if not completed.any():
            return []
        return [self._end(int(index)) for index in np.flatnonzero(completed)]

    def interrupt(self) -> None:
        """Drop the current episodes, which are not counted: the environments were reset."""
        self._returns[:] = 0.0
        self._lengths[:] = 0

    def state(self) -> State:
        """Return the counts."""
        return {
            "ended": self.ended,
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
        }

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        self.ended = state["ended"]
        self._returns = np.array(state["returns"])
        self._lengths = np.array(state["lengths"])

    def _end(self, index: int) -> dict[str, float]:
        self.ended += 1
        episode = {
            "return": float(self._returns[index]),
            "length": int(self._lengths[index]),
            "global_episode": self.ended,
        }
        self._returns[index] = 0.0
        self._lengths[index] = 0
        return episode


@frozen
class GreedyStep:
    """A greedy step in N environments, with the environments' own observations and actions.

    Args:
        observations: the raw observations before the step.
        masks: bool [N, A], the legal actions; None when all are.
        actions: the raw actions taken.
        final_observations: the raw observations that the actions led to.
        step: the result, as networks see it.
        counts: bool [N], whether the step belongs to one of the requested episodes.
    """

    observations: Observations
    masks: Array | None
    actions: Array
    final_observations: Observations
    step: Step
    counts: Array

    @property
    def rewards(self) -> Array:
        """The raw rewards, float32 [N]."""
        return self.step.rewards if self.step.raw_rewards is None else self.step.raw_rewards

    def transition(self) -> dict[str, Observations]:
        """Return the raw transition, by the names of a memory."""
        raw = evolve(self.step, rewards=self.rewards, final_observations=self.final_observations)
        return raw.transition(self.observations, self.actions, self.masks)


def play_greedily(
    env: Environment, policy: Policy, episodes: int, seed: int
) -> Iterator[GreedyStep]:
    """Yield the steps of greedy episodes.

    Each of the N environments plays its share of the episodes, so that short episodes are not
    overrepresented.

    Args:
        env: reset first, with the seed.
        policy: chooses the actions.
        episodes: the number of episodes.
        seed: the seed of the environments.
    """
    left = np.full(env.num_envs, episodes // env.num_envs)
    left[: episodes % env.num_envs] += 1
    observations, masks = env.reset(seed=seed), env.action_masks
    raw = _or(env.raw_observations, observations)
    while (left > 0).any():
        actions = policy.greedy(observations, masks)
        step, counts = env.step(actions), left > 0
        next_raw = final_raw = _or(env.raw_observations, step.observations)
        if step.ended.any():
            final_raw = _or(env.raw_final_observations, step.final_observations)
        yield GreedyStep(raw, masks, env.raw_actions(actions), final_raw, step, counts)
        left -= (counts & step.completed).astype(left.dtype)
        raw, observations, masks = next_raw, step.observations, step.action_masks


def _or(raw: Observations | None, observations: Observations) -> Observations:
    return observations if raw is None else raw


EVALUATION_METRICS = (
    "episode_return",
    "episode_return_std",
    "episode_return_min",
    "episode_return_max",
    "episode_length",
    "episodes",
)
"""The names of what `evaluate_policy` returns."""


def evaluate_policy(env: Environment, policy: Policy, episodes: int, seed: int) -> dict[str, float]:
    """Play greedy episodes and summarise them; the arguments are those of `play_greedily`.

    Returns:
        `episode_return` (the mean), its `_std`, `_min` and `_max`, `episode_length`, `episodes`.
    """
    tally = Episodes(env.num_envs)
    counted: list[dict[str, float]] = []
    for greedy in play_greedily(env, policy, episodes, seed):
        indices = np.flatnonzero(greedy.step.completed)
        completed = tally.add(greedy.step)
        counted += [
            episode
            for index, episode in zip(indices, completed, strict=True)
            if greedy.counts[index]
        ]
    returns = np.array([episode["return"] for episode in counted])
    return {
        "episode_return": float(returns.mean()),
        "episode_return_std": float(returns.std()),
        "episode_return_min": float(returns.min()),
        "episode_return_max": float(returns.max()),
        "episode_length": float(np.mean([episode["length"] for episode in counted])),
        "episodes": float(len(counted)),
    }
