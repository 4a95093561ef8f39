"""A pole on a cart."""

from __future__ import annotations

import math
from typing import Any, final

import gymnasium
import numpy as np
import tensorflow as tf

from plx_rl.dynamics.dynamics import Dynamics

GRAVITY, CART, POLE, HALF_LENGTH, FORCE, SECONDS = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02
FARTHEST, STEEPEST = 2.4, 12 * 2 * math.pi / 360


@final
class CartPole(Dynamics):
    """CartPole-v1 of gymnasium: x, its speed, the angle in radians, its speed; metres, kilograms and seconds.

    Source: Barto, Sutton and Anderson 1983, "Neuronlike adaptive elements that can solve difficult learning control problems".
    """

    observation_space = gymnasium.spaces.Box(
        -np.array([2 * FARTHEST, np.inf, 2 * STEEPEST, np.inf], np.float32),
        np.array([2 * FARTHEST, np.inf, 2 * STEEPEST, np.inf], np.float32),
        dtype=np.float32,
    )
    action_space = gymnasium.spaces.Discrete(2)
    max_episode_steps = 500

    def initial(self, seed: Any, count: int) -> Any:
        """Upright but for a little, [N, 4]."""
        return tf.random.stateless_uniform((count, 4), seed, -0.05, 0.05)

    def move(self, states: Any, actions: Any) -> tuple[Any, Any, Any]:
        """Euler's step; 1 for each, the last one too."""
        x, x_dot, theta, theta_dot = tf.unstack(states, axis=-1)
        force = tf.where(tf.equal(actions, 1), FORCE, -FORCE)
        cos, sin = tf.cos(theta), tf.sin(theta)
        push = (force + POLE * HALF_LENGTH * tf.square(theta_dot) * sin) / (CART + POLE)
        theta_acc = (GRAVITY * sin - cos * push) / (
            HALF_LENGTH * (4.0 / 3.0 - POLE * tf.square(cos) / (CART + POLE))
        )
        x_acc = push - POLE * HALF_LENGTH * theta_acc * cos / (CART + POLE)
        reached = [
            x + SECONDS * x_dot,
            x_dot + SECONDS * x_acc,
            theta + SECONDS * theta_dot,
            theta_dot + SECONDS * theta_acc,
        ]
        terminated = (tf.abs(reached[0]) > FARTHEST) | (tf.abs(reached[2]) > STEEPEST)
        return tf.stack(reached, axis=-1), tf.ones_like(x), terminated
