"""A car in a valley, too weak to drive straight up."""

from __future__ import annotations

from typing import Any, final

import gymnasium
import numpy as np
import tensorflow as tf

from plx_rl.dynamics.dynamics import Dynamics

LEFTMOST, RIGHTMOST, FASTEST, GRAVITY = -1.2, 0.6, 0.07, 0.0025
BOX = gymnasium.spaces.Box(
    np.array([LEFTMOST, -FASTEST], np.float32),
    np.array([RIGHTMOST, FASTEST], np.float32),
    dtype=np.float32,
)


@final
class MountainCar(Dynamics):
    """MountainCar-v0 of gymnasium: the place, and the speed.

    Source: Moore 1990, "Efficient Memory-based Learning for Robot Control".
    """

    observation_space = BOX
    action_space = gymnasium.spaces.Discrete(3)
    max_episode_steps = 200

    def initial(self, seed: Any, count: int) -> Any:
        """Near the bottom, at rest, [N, 2]."""
        return _at_rest(seed, count)

    def move(self, states: Any, actions: Any) -> tuple[Any, Any, Any]:
        """-1 for each; it terminates on the hill."""
        reached = _drive(states, (tf.cast(actions, tf.float32) - 1.0) * 0.001)
        return (
            reached,
            -tf.ones_like(reached[:, 0]),
            (reached[:, 0] >= 0.5) & (reached[:, 1] >= 0.0),
        )


@final
class MountainCarContinuous(Dynamics):
    """MountainCarContinuous-v0 of gymnasium: the place, and the speed."""

    observation_space = BOX
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
    max_episode_steps = 999

    def initial(self, seed: Any, count: int) -> Any:
        """Near the bottom, at rest, [N, 2]."""
        return _at_rest(seed, count)

    def move(self, states: Any, actions: Any) -> tuple[Any, Any, Any]:
        """A tenth of the squared force is lost at each, and 100 won on the hill, where it terminates."""
        reached = _drive(states, actions[:, 0] * 0.0015)
        terminated = (reached[:, 0] >= 0.45) & (reached[:, 1] >= 0.0)
        return (
            reached,
            tf.where(terminated, 100.0, 0.0) - 0.1 * tf.square(actions[:, 0]),
            terminated,
        )


def _at_rest(seed: Any, count: int) -> Any:
    places = tf.random.stateless_uniform((count, 1), seed, -0.6, -0.4)
    return tf.concat([places, tf.zeros_like(places)], axis=-1)


def _drive(states: Any, force: Any) -> Any:
    """The states that follow, [N, 2]; a wall on the left stops the car."""
    place, speed = tf.unstack(states, axis=-1)
    speed = tf.clip_by_value(speed + force - GRAVITY * tf.cos(3.0 * place), -FASTEST, FASTEST)
    place = tf.clip_by_value(place + speed, LEFTMOST, RIGHTMOST)
    return tf.stack([place, tf.where((place <= LEFTMOST) & (speed < 0.0), 0.0, speed)], axis=-1)
