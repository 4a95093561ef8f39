"""Two links with a motor at the joint between them."""

from __future__ import annotations

import math
from typing import final

import gymnasium
import numpy as np
import tensorflow as tf

from plx_core.types import Tensor
from plx_rl.dynamics.dynamics import Dynamics

GRAVITY, MASS, LENGTH, CENTRE, INERTIA, SECONDS = 9.8, 1.0, 1.0, 0.5, 1.0, 0.2
MAX_SPEED_1, MAX_SPEED_2 = 4 * math.pi, 9 * math.pi
HIGH = np.array([1.0, 1.0, 1.0, 1.0, MAX_SPEED_1, MAX_SPEED_2], np.float32)


@final
class Acrobot(Dynamics):
    """Acrobot-v1 of gymnasium.

    A state is two angles in radians and their angular velocities; an observation has the cosine
    and sine of each angle instead of the angles.

    Source: Sutton and Barto 1998, section 11.3, with the accelerations of that book.
    """

    observation_space = gymnasium.spaces.Box(-HIGH, HIGH, dtype=np.float32)
    action_space = gymnasium.spaces.Discrete(3)
    max_episode_steps = 500

    def initial(self, seed: Tensor, count: int) -> Tensor:
        """Hang down, with small random deviations, [N, 4]."""
        return tf.random.stateless_uniform((count, 4), seed, -0.1, 0.1)

    def move(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take a fourth-order Runge-Kutta step.

        The reward is -1 per step, and 0 for the step that swings the tip above the line.
        """
        torque = tf.cast(actions, tf.float32) - 1.0
        k1 = _derivative(states, torque)
        k2 = _derivative(states + SECONDS / 2 * k1, torque)
        k3 = _derivative(states + SECONDS / 2 * k2, torque)
        k4 = _derivative(states + SECONDS * k3, torque)
        states = states + SECONDS / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        theta1, theta2, dtheta1, dtheta2 = tf.unstack(states, axis=-1)
        theta1 = _wrap(theta1)
        theta2 = _wrap(theta2)
        dtheta1 = tf.clip_by_value(dtheta1, -MAX_SPEED_1, MAX_SPEED_1)
        dtheta2 = tf.clip_by_value(dtheta2, -MAX_SPEED_2, MAX_SPEED_2)
        terminated = -tf.cos(theta1) - tf.cos(theta1 + theta2) > 1.0
        next_states = tf.stack([theta1, theta2, dtheta1, dtheta2], axis=-1)
        return next_states, tf.where(terminated, 0.0, -1.0), terminated

    def observe(self, states: Tensor) -> Tensor:
        """Return the cosine and sine of each angle, then the angular velocities, [N, 6]."""
        theta1, theta2, dtheta1, dtheta2 = tf.unstack(states, axis=-1)
        return tf.stack(
            [tf.cos(theta1), tf.sin(theta1), tf.cos(theta2), tf.sin(theta2), dtheta1, dtheta2],
            axis=-1,
        )


def _derivative(states: Tensor, torque: Tensor) -> Tensor:
    """Return the time derivative of states, [N, 4]."""
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


def _wrap(angles: Tensor) -> Tensor:
    """Wrap angles to [-π, π)."""
    return tf.math.floormod(angles + math.pi, 2 * math.pi) - math.pi
