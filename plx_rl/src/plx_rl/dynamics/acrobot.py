"""Two links, of which the joint between them is driven."""

from __future__ import annotations

import math
from typing import Any, final

import gymnasium
import numpy as np
import tensorflow as tf

from plx_rl.dynamics.dynamics import Dynamics

GRAVITY, MASS, LENGTH, CENTRE, INERTIA, SECONDS = 9.8, 1.0, 1.0, 0.5, 1.0, 0.2
FASTEST = (4 * math.pi, 9 * math.pi)


@final
class Acrobot(Dynamics):
    """Acrobot-v1 of gymnasium: two angles in radians, and their speeds; of the angles the cosines and sines are seen.

    Source: Sutton and Barto 1998, section 11.3, with the accelerations of that book.
    """

    observation_space = gymnasium.spaces.Box(
        -np.array([1.0, 1.0, 1.0, 1.0, *FASTEST], np.float32),
        np.array([1.0, 1.0, 1.0, 1.0, *FASTEST], np.float32),
        dtype=np.float32,
    )
    action_space = gymnasium.spaces.Discrete(3)
    max_episode_steps = 500

    def initial(self, seed: Any, count: int) -> Any:
        """Hanging, but for a little, [N, 4]."""
        return tf.random.stateless_uniform((count, 4), seed, -0.1, 0.1)

    def move(self, states: Any, actions: Any) -> tuple[Any, Any, Any]:
        """A step of Runge and Kutta's fourth order; -1 for each, and 0 for the one that swings the tip above the line."""
        torque = tf.cast(actions, tf.float32) - 1.0
        first = _slope(states, torque)
        second = _slope(states + SECONDS / 2 * first, torque)
        third = _slope(states + SECONDS / 2 * second, torque)
        fourth = _slope(states + SECONDS * third, torque)
        reached = states + SECONDS / 6 * (first + 2 * second + 2 * third + fourth)
        theta1, theta2, dtheta1, dtheta2 = tf.unstack(reached, axis=-1)
        theta1, theta2 = _wrap(theta1), _wrap(theta2)
        dtheta1, dtheta2 = (
            tf.clip_by_value(dtheta1, -FASTEST[0], FASTEST[0]),
            tf.clip_by_value(dtheta2, -FASTEST[1], FASTEST[1]),
        )
        terminated = -tf.cos(theta1) - tf.cos(theta1 + theta2) > 1.0
        return (
            tf.stack([theta1, theta2, dtheta1, dtheta2], axis=-1),
            tf.where(terminated, 0.0, -1.0),
            terminated,
        )

    def observe(self, states: Any) -> Any:
        """The cosine and sine of each angle, then the speeds, [N, 6]."""
        theta1, theta2, dtheta1, dtheta2 = tf.unstack(states, axis=-1)
        return tf.stack(
            [tf.cos(theta1), tf.sin(theta1), tf.cos(theta2), tf.sin(theta2), dtheta1, dtheta2],
            axis=-1,
        )


def _slope(states: Any, torque: Any) -> Any:
    """How states change in a second, [N, 4]."""
    theta1, theta2, dtheta1, dtheta2 = tf.unstack(states, axis=-1)
    cos2, sin2 = tf.cos(theta2), tf.sin(theta2)
    d1 = (
        MASS * CENTRE**2 + MASS * (LENGTH**2 + CENTRE**2 + 2 * LENGTH * CENTRE * cos2) + 2 * INERTIA
    )
    d2 = MASS * (CENTRE**2 + LENGTH * CENTRE * cos2) + INERTIA
    phi2 = MASS * CENTRE * GRAVITY * tf.cos(theta1 + theta2 - math.pi / 2)
    phi1 = (
        -MASS * LENGTH * CENTRE * tf.square(dtheta2) * sin2
        - 2 * MASS * LENGTH * CENTRE * dtheta2 * dtheta1 * sin2
        + (MASS * CENTRE + MASS * LENGTH) * GRAVITY * tf.cos(theta1 - math.pi / 2)
        + phi2
    )
    ddtheta2 = (
        torque + d2 / d1 * phi1 - MASS * LENGTH * CENTRE * tf.square(dtheta1) * sin2 - phi2
    ) / (MASS * CENTRE**2 + INERTIA - tf.square(d2) / d1)
    ddtheta1 = -(d2 * ddtheta2 + phi1) / d1
    return tf.stack([dtheta1, dtheta2, ddtheta1, ddtheta2], axis=-1)


def _wrap(angles: Any) -> Any:
    """The same angles between -π and π."""
    return tf.math.floormod(angles + math.pi, 2 * math.pi) - math.pi
