"""Episodes: what is counted of those that go on in N environments, and greedy ones to evaluate a policy by."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import frozen

from plx_core.reinforcement.interfaces import Environment, Policy, Step
from plx_core.state import State, Stateful

RECENT = 100
"""Over how many episodes a learning curve is smoothed."""


class Episodes(Stateful):
    """Returns and lengths of the episodes in N environments."""

    def __init__(self, num_envs: int) -> None:
        self.ended = 0
        self._returns = np.zeros(num_envs)
        self._lengths = np.zeros(num_envs, np.int64)
        self._recent: deque[float] = deque(maxlen=RECENT)

    @property
    def recent_return(self) -> float | None:
        """The mean return of the last hundred episodes; None before the first has ended."""
        return sum(self._recent) / len(self._recent) if self._recent else None

    def add(self, step: Step) -> list[dict[str, float]]:
        """Count a step; what came of the episodes that it ended."""
        rewards = step.rewards if step.raw_rewards is None else step.raw_rewards
        if step.valid is None:
            self._returns += rewards
            self._lengths += 1
        else:
            self._returns += np.where(step.valid, rewards, 0.0)
            self._lengths += step.valid
        ended = step.ended
        return [self._end(int(index)) for index in np.flatnonzero(ended)] if ended.any() else []

    def interrupt(self) -> None:
        """The environments were reset amid their episodes, which are not counted."""
        self._returns[:] = 0.0
        self._lengths[:] = 0

    def state(self) -> State:
        """All of it."""
        return {
            "ended": self.ended,
            "returns": self._returns.copy(),
            "lengths": self._lengths.copy(),
            "recent": list(self._recent),
        }

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self.ended = state["ended"]
        self._returns, self._lengths = np.array(state["returns"]), np.array(state["lengths"])
        self._recent = deque(state["recent"], maxlen=RECENT)

    def _end(self, index: int) -> dict[str, float]:
        self.ended += 1
        episode = {
            "return": float(self._returns[index]),
            "length": int(self._lengths[index]),
            "global_episode": self.ended,
        }
        self._recent.append(episode["return"])
        self._returns[index], self._lengths[index] = 0.0, 0
        return episode


@frozen
class GreedyStep:
    """A greedy step of N environments.

    Args:
        observations: what was acted on.
        masks: which actions were legal.
        actions: what was done.
        step: what came of it.
        counts: where it belongs to an episode that was asked for, bool [N].
    """

    observations: Any
    masks: np.ndarray | None
    actions: np.ndarray
    step: Step
    counts: np.ndarray


def play_greedily(
    env: Environment, policy: Policy, episodes: int, seed: int
) -> Iterator[GreedyStep]:
    """The steps of greedy episodes.

    Each of N environments plays its share of the episodes, so that a short episode is as likely to be counted as a long one.

    Args:
        env: reset first, with the seed.
        policy: acts.
        episodes: how many.
        seed: of the environments.
    """
    left = np.full(env.num_envs, episodes // env.num_envs)
    left[: episodes % env.num_envs] += 1
    observations, masks = env.reset(seed=seed), env.action_masks
    while (left > 0).any():
        actions = policy.greedy(observations, masks)
        step, counts = env.step(actions), left > 0
        yield GreedyStep(observations, masks, actions, step, counts)
        left -= (counts & step.ended).astype(left.dtype)
        observations, masks = step.observations, step.action_masks


def evaluate_policy(env: Environment, policy: Policy, episodes: int, seed: int) -> dict[str, float]:
    """What comes of greedy episodes; the arguments are those of `play_greedily`.

    Returns:
        `episode_return` (the mean), its `_std`, `_min` and `_max`, `episode_length`, and `episodes`.
    """
    tally, found = Episodes(env.num_envs), []
    for played in play_greedily(env, policy, episodes, seed):
        ended = np.flatnonzero(played.step.ended)
        found += [
            episode
            for index, episode in zip(ended, tally.add(played.step), strict=True)
            if played.counts[index]
        ]
    returns = np.array([episode["return"] for episode in found])
    return {
        "episode_return": float(returns.mean()),
        "episode_return_std": float(returns.std()),
        "episode_return_min": float(returns.min()),
        "episode_return_max": float(returns.max()),
        "episode_length": float(np.mean([episode["length"] for episode in found])),
        "episodes": float(len(found)),
    }
