"""The base of environment dynamics, and one step of them with auto-reset."""

from __future__ import annotations

from abc import ABC, abstractmethod

import gymnasium
import tensorflow as tf
from attrs import frozen

from plx_core.types import Space, Tensor


class Dynamics(ABC):
    """An environment as pure functions of tensors, which act on N copies at once.

    A state is a float32 tensor [N, S]. All randomness follows from a seed, int32 [2], by means of
    TensorFlow's stateless random functions.
    """

    observation_space: gymnasium.spaces.Box
    action_space: Space
    max_episode_steps: int
    """The number of steps after which an episode is truncated."""

    @abstractmethod
    def initial(self, seed: Tensor, count: int) -> Tensor:
        """Return the initial states, [N, S], of `count` episodes."""

    @abstractmethod
    def move(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take one step.

        Args:
            states: [N, S].
            actions: [N, …], elements of the action space.

        Returns:
            The next states, [N, S]; the rewards, [N]; where the episode terminated, bool [N].
        """

    def observe(self, states: Tensor) -> Tensor:
        """Return the observations of states, [N, O]; by default the states themselves."""
        return states


@frozen
class TensorStep:
    """One step of N copies: `plx_core.Step` in tensors, with the states and ages after auto-reset.

    Args:
        states: float32 [N, S].
        ages: the number of steps in each current episode, int32 [N].
        observations: of `states`, [N, O].
        rewards: float32 [N].
        terminated: bool [N].
        truncated: bool [N].
        final_observations: observations before the auto-reset, [N, O].
    """

    states: Tensor
    ages: Tensor
    observations: Tensor
    rewards: Tensor
    terminated: Tensor
    truncated: Tensor
    final_observations: Tensor


def advance(
    dynamics: Dynamics,
    states: Tensor,
    ages: Tensor,
    actions: Tensor,
    seed: Tensor,
    max_episode_steps: int,
) -> TensorStep:
    """Take one step in each copy, and reset the copies whose episode ended."""
    next_states, rewards, terminated = dynamics.move(states, actions)
    ages = ages + 1
    truncated = (ages >= max_episode_steps) & ~terminated
    ended = terminated | truncated
    states = tf.where(ended[:, None], dynamics.initial(seed, states.shape[0]), next_states)
    return TensorStep(
        states,
        tf.where(ended, 0, ages),
        dynamics.observe(states),
        rewards,
        terminated,
        truncated,
        dynamics.observe(next_states),
    )
