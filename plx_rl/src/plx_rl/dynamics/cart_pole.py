"""A pole on a cart."""

from __future__ import annotations

import math
from typing import final

import gymnasium
import numpy as np
import tensorflow as tf

from plx_core.types import Tensor
from plx_rl.dynamics.dynamics import Dynamics

GRAVITY, CART, POLE, HALF_LENGTH, FORCE, SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
MAX_POSITION, MAX_ANGLE = 2.4, 12 * 2 * math.pi / 360
HIGH = np.array([2 * MAX_POSITION, np.inf, 2 * MAX_ANGLE, np.inf], np.float32)


@final
class CartPole(Dynamics):
    """CartPole-v1 of gymnasium.

    A state is the position, the velocity, the angle in radians and the angular velocity, in metres
    and seconds; an observation is the same. Masses are in kilograms.

    Source: Barto, Sutton and Anderson 1983, "Neuronlike adaptive elements that can solve difficult
    learning control problems".
    """

    observation_space = gymnasium.spaces.Box(-HIGH, HIGH, dtype=np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    max_episode_steps = 500

    def initial(self, seed: Tensor, count: int) -> Tensor:
        """Stand upright, with small random deviations, [N, 4]."""
        return tf.random.stateless_uniform((count, 4), seed, -0.05, 0.05)

    def move(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take an Euler step; the reward is 1 per step, including the terminating one."""
        x, x_dot, theta, theta_dot = tf.unstack(states, axis=-1)
        force = tf.where(tf.equal(actions, 1), FORCE, -FORCE)
        cos, sin = tf.cos(theta), tf.sin(theta)
        push = (force + POLE * HALF_LENGTH * tf.square(theta_dot) * sin) / (CART + POLE)
        theta_acc = (GRAVITY * sin - cos * push) / (
            HALF_LENGTH * (4.0 / 3.0 - POLE * tf.square(cos) / (CART + POLE))
        )
        x_acc = push - POLE * HALF_LENGTH * theta_acc * cos / (CART + POLE)
        x = x + SECONDS * x_dot
        x_dot = x_dot + SECONDS * x_acc
        theta = theta + SECONDS * theta_dot
        theta_dot = theta_dot + SECONDS * theta_acc
        terminated = (tf.abs(x) > MAX_POSITION) | (tf.abs(theta) > MAX_ANGLE)
        return tf.stack([x, x_dot, theta, theta_dot], axis=-1), tf.ones_like(x), terminated
