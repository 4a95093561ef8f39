"""A pendulum that is to be swung up."""

from __future__ import annotations

import math
from typing import Any, final

import gymnasium
import numpy as np
import tensorflow as tf

from plx_rl.dynamics.dynamics import Dynamics

GRAVITY, MASS, LENGTH, SECONDS, FASTEST, STRONGEST = 10.0, 1.0, 1.0, 0.05, 8.0, 2.0


@final
class Pendulum(Dynamics):
    """Pendulum-v1 of gymnasium: the angle in radians from upright, and its speed; its cosine and sine are seen, and the speed."""

    observation_space = gymnasium.spaces.Box(
        -np.array([1.0, 1.0, FASTEST], np.float32),
        np.array([1.0, 1.0, FASTEST], np.float32),
        dtype=np.float32,
    )
    action_space = gymnasium.spaces.Box(-STRONGEST, STRONGEST, (1,), np.float32)
    max_episode_steps = 200

    def initial(self, seed: Any, count: int) -> Any:
        """Anywhere, at a low speed, [N, 2]."""
        return tf.random.stateless_uniform((count, 2), seed, -1.0, 1.0) * [math.pi, 1.0]

    def move(self, states: Any, actions: Any) -> tuple[Any, Any, Any]:
        """Euler's step, the speed first; minus the cost of angle, speed and torque. It never terminates."""
        theta, theta_dot = tf.unstack(states, axis=-1)
        torque = tf.clip_by_value(actions[:, 0], -STRONGEST, STRONGEST)
        angle = tf.math.floormod(theta + math.pi, 2 * math.pi) - math.pi
        cost = tf.square(angle) + 0.1 * tf.square(theta_dot) + 0.001 * tf.square(torque)
        change = 3 * GRAVITY / (2 * LENGTH) * tf.sin(theta) + 3.0 / (MASS * LENGTH**2) * torque
        theta_dot = tf.clip_by_value(theta_dot + change * SECONDS, -FASTEST, FASTEST)
        return (
            tf.stack([theta + theta_dot * SECONDS, theta_dot], axis=-1),
            -cost,
            tf.zeros_like(cost, tf.bool),
        )

    def observe(self, states: Any) -> Any:
        """The cosine and sine of the angle, and the speed, [N, 3]."""
        theta, theta_dot = tf.unstack(states, axis=-1)
        return tf.stack([tf.cos(theta), tf.sin(theta), theta_dot], axis=-1)
