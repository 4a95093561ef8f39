"""A car in a valley, too weak to drive straight up."""

from __future__ import annotations

from typing import final

import gymnasium
import numpy as np
import tensorflow as tf

from plx_core.types import Tensor
from plx_rl.dynamics.dynamics import Dynamics

MIN_POSITION, MAX_POSITION, MAX_SPEED, GRAVITY = -1.2, 0.6, 0.07, 0.0025
BOX = gymnasium.spaces.Box(
    np.array([MIN_POSITION, -MAX_SPEED], np.float32),
    np.array([MAX_POSITION, MAX_SPEED], np.float32),
    dtype=np.float32,
)


@final
class MountainCar(Dynamics):
    """MountainCar-v0 of gymnasium; a state is the position and the velocity.

    Source: Moore 1990, "Efficient Memory-based Learning for Robot Control".
    """

    observation_space = BOX
    action_space = gymnasium.spaces.Discrete(3)
    max_episode_steps = 200

    def initial(self, seed: Tensor, count: int) -> Tensor:
        """Stand still near the bottom, [N, 2]."""
        return _at_rest(seed, count)

    def move(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take one step; the reward is -1, and the episode terminates on the hill."""
        next_states = _drive(states, (tf.cast(actions, tf.float32) - 1.0) * 0.001)
        position, velocity = next_states[:, 0], next_states[:, 1]
        return next_states, -tf.ones_like(position), (position >= 0.5) & (velocity >= 0.0)


@final
class MountainCarContinuous(Dynamics):
    """MountainCarContinuous-v0 of gymnasium; a state is the position and the velocity."""

    observation_space = BOX
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
    max_episode_steps = 999

    def initial(self, seed: Tensor, count: int) -> Tensor:
        """Stand still near the bottom, [N, 2]."""
        return _at_rest(seed, count)

    def move(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take one step; the episode terminates on the hill.

        The reward is minus a tenth of the squared force, plus 100 on the hill.
        """
        next_states = _drive(states, actions[:, 0] * 0.0015)
        terminated = (next_states[:, 0] >= 0.45) & (next_states[:, 1] >= 0.0)
        rewards = tf.where(terminated, 100.0, 0.0) - 0.1 * tf.square(actions[:, 0])
        return next_states, rewards, terminated


def _at_rest(seed: Tensor, count: int) -> Tensor:
    positions = tf.random.stateless_uniform((count, 1), seed, -0.6, -0.4)
    return tf.concat([positions, tf.zeros_like(positions)], axis=-1)


def _drive(states: Tensor, force: Tensor) -> Tensor:
    """Return the next states, [N, 2]; a wall on the left stops the car."""
    position, velocity = tf.unstack(states, axis=-1)
    velocity = velocity + force - GRAVITY * tf.cos(3.0 * position)
    velocity = tf.clip_by_value(velocity, -MAX_SPEED, MAX_SPEED)
    position = tf.clip_by_value(position + velocity, MIN_POSITION, MAX_POSITION)
    hits_wall = (position <= MIN_POSITION) & (velocity < 0.0)
    return tf.stack([position, tf.where(hits_wall, 0.0, velocity)], axis=-1)
