"""What an environment has to say of itself to be stepped within a TensorFlow program."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import gymnasium
import tensorflow as tf
from attrs import frozen


class Dynamics(ABC):
    """An environment as pure functions of tensors, over N copies at once.

    A state is a float32 tensor [N, S]; all that is random follows from a seed, int32 [2], as TensorFlow's stateless numbers do.
    """

    observation_space: gymnasium.spaces.Box
    action_space: gymnasium.spaces.Space[Any]
    max_episode_steps: int
    """After how many steps an episode is cut short."""

    @abstractmethod
    def initial(self, seed: Any, count: int) -> Any:
        """The states [N, S] in which `count` episodes begin."""

    @abstractmethod
    def move(self, states: Any, actions: Any) -> tuple[Any, Any, Any]:
        """One step.

        Args:
            states: [N, S].
            actions: int [N] of a Discrete space, float [N, D] within a Box's bounds.

        Returns:
            The states that follow [N, S], the rewards [N], and where the episode terminated, bool [N].
        """

    def observe(self, states: Any) -> Any:
        """What is seen of states, [N, O]: the states themselves, where nothing else is said."""
        return states


@frozen
class Moved:
    """A step of N copies, as `plx_core.reinforcement.interfaces.Step` has it, in tensors; `states` and `ages` are those after the resets.

    Args:
        states: float32 [N, S].
        ages: how many steps the running episodes have had, int32 [N].
        observations: of these states, [N, O].
        rewards: float32 [N].
        terminated: bool [N].
        truncated: bool [N].
        final_observations: what the actions led to, before the resets, [N, O].
    """

    states: Any
    ages: Any
    observations: Any
    rewards: Any
    terminated: Any
    truncated: Any
    final_observations: Any


def advance(
    dynamics: Dynamics, states: Any, ages: Any, actions: Any, seed: Any, max_episode_steps: int
) -> Moved:
    """One step in each copy; where an episode ended, the next one begins."""
    reached, rewards, terminated = dynamics.move(states, actions)
    ages = ages + 1
    truncated = (ages >= max_episode_steps) & ~terminated
    ended = terminated | truncated
    states = tf.where(ended[:, None], dynamics.initial(seed, states.shape[0]), reached)
    return Moved(
        states,
        tf.where(ended, 0, ages),
        dynamics.observe(states),
        rewards,
        terminated,
        truncated,
        dynamics.observe(reached),
    )


def stretch(actions: Any, space: Any) -> Any:
    """Actions of a policy as an environment takes them: those of a bounded Box are cut off at ±1 and stretched to its bounds."""
    if not isinstance(space, gymnasium.spaces.Box):
        return actions
    half = (space.high - space.low) / 2.0
    return space.low + half + half * tf.clip_by_value(actions, -1.0, 1.0)
