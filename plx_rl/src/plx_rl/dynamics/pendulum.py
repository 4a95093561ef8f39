"""A pendulum to swing up."""

from __future__ import annotations

import math
from typing import final

import gymnasium
import numpy as np
import tensorflow as tf

from plx_core.types import Tensor
from plx_rl.dynamics.dynamics import Dynamics

GRAVITY, MASS, LENGTH, SECONDS, MAX_SPEED, MAX_TORQUE = 10.0, 1.0, 1.0, 0.05, 8.0, 2.0
HIGH = np.array([1.0, 1.0, MAX_SPEED], np.float32)


@final
class Pendulum(Dynamics):
    """Pendulum-v1 of gymnasium.

    A state is the angle from upright in radians and the angular velocity; an observation has the
    cosine and sine of the angle instead of the angle.
    """

    observation_space = gymnasium.spaces.Box(-HIGH, HIGH, dtype=np.float32)
    action_space = gymnasium.spaces.Box(-MAX_TORQUE, MAX_TORQUE, (1,), np.float32)
    max_episode_steps = 200

    def initial(self, seed: Tensor, count: int) -> Tensor:
        """Start at any angle with a low speed, [N, 2]."""
        return tf.random.stateless_uniform((count, 2), seed, -1.0, 1.0) * [math.pi, 1.0]

    def move(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take a semi-implicit Euler step; an episode never terminates.

        The reward is minus the cost of angle, speed and torque.
        """
        theta, theta_dot = tf.unstack(states, axis=-1)
        torque = tf.clip_by_value(actions[:, 0], -MAX_TORQUE, MAX_TORQUE)
        angle = tf.math.floormod(theta + math.pi, 2 * math.pi) - math.pi
        cost = tf.square(angle) + 0.1 * tf.square(theta_dot) + 0.001 * tf.square(torque)
        theta_acc = 3 * GRAVITY / (2 * LENGTH) * tf.sin(theta) + 3.0 / (MASS * LENGTH**2) * torque
        theta_dot = tf.clip_by_value(theta_dot + theta_acc * SECONDS, -MAX_SPEED, MAX_SPEED)
        next_states = tf.stack([theta + theta_dot * SECONDS, theta_dot], axis=-1)
        return next_states, -cost, tf.zeros_like(cost, tf.bool)

    def observe(self, states: Tensor) -> Tensor:
        """Return the cosine and sine of the angle, and the angular velocity, [N, 3]."""
        theta, theta_dot = tf.unstack(states, axis=-1)
        return tf.stack([tf.cos(theta), tf.sin(theta), theta_dot], axis=-1)
