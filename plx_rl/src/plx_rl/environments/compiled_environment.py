"""Environments that are TensorFlow programs."""

from __future__ import annotations

from typing import Annotated, Any, final

import gymnasium
import numpy as np
import tensorflow as tf

import plx_core as plx
from plx_core import State, Step, make
from plx_core.annotations import Of, PositiveInt
from plx_rl.dynamics.dynamics import Dynamics, advance, stretch


@final
class CompiledEnvironment(plx.Environment):
    """N copies of an environment that is a TensorFlow program itself.

    All agents act in it; A2C and PPO act, remember and learn in one program with it, over hundreds of copies at once.

    Args:
        env_id: its dynamics: CartPole-v1, Pendulum-v1, Acrobot-v1, MountainCar-v0, MountainCarContinuous-v0, or another's.
        num_envs: how many copies.
        max_episode_steps: after how many steps an episode is cut short; what the dynamics say when left out.
        seed: of the first reset.

    Example:
        >>> env = CompiledEnvironment("CartPole-v1", num_envs=2, seed=0)
        >>> env.reset().shape, env.step(np.array([0, 1])).rewards
        ((2, 4), array([1., 1.], dtype=float32))
    """

    def __init__(
        self,
        env_id: Annotated[Any, Of("dynamics")],
        num_envs: PositiveInt = 1,
        max_episode_steps: PositiveInt | None = None,
        seed: int | None = None,
    ) -> None:
        self.dynamics: Dynamics = make("dynamics", env_id)
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps or self.dynamics.max_episode_steps
        self.seed = self._first_seed = seed
        self.states: Any = None
        self.ages: Any = tf.zeros(num_envs, tf.int32)
        self._key, self._count = 0, 0
        self._begin = tf.function(self._initial, autograph=False)
        self._program = tf.function(self._advance, autograph=False)

    @property
    def observation_space(self) -> Any:
        """The space of one observation."""
        return self.dynamics.observation_space

    @property
    def action_space(self) -> Any:
        """The space of one action; numbers are given between -1 and 1."""
        space = self.dynamics.action_space
        return (
            gymnasium.spaces.Box(-1.0, 1.0, space.shape, np.float32)
            if isinstance(space, gymnasium.spaces.Box)
            else space
        )

    def reset(self, seed: int | None = None) -> Any:
        """Start an episode in each; the first observations [N, O]."""
        seed, self._first_seed = self._first_seed if seed is None else seed, None
        if seed is not None:
            self._key, self._count = seed, 0
        self.states, observations = self._begin(self._next_seed())
        self.ages = tf.zeros(self.num_envs, tf.int32)
        return observations.numpy()

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each."""
        moved = self._program(self.states, self.ages, np.asarray(actions), self._next_seed())
        self.states, self.ages = moved[:2]
        observations, rewards, terminated, truncated, finals = (part.numpy() for part in moved[2:])
        return Step(observations, rewards, terminated, truncated, finals)

    def state(self) -> State:
        """Where each copy is, and how far the random numbers have come."""
        states = (
            {}
            if self.states is None
            else {"states": self.states.numpy(), "ages": self.ages.numpy()}
        )
        return {"key": self._key, "count": self._count, **states}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._key, self._count, self._first_seed = int(state["key"]), int(state["count"]), None
        if "states" in state:
            self.states, self.ages = (
                tf.constant(state["states"], tf.float32),
                tf.constant(state["ages"], tf.int32),
            )

    def _next_seed(self) -> np.ndarray:
        self._count += 1
        return np.array([self._key % 2**31, self._count % 2**31], np.int32)

    def _initial(self, seed: Any) -> tuple[Any, Any]:
        states = self.dynamics.initial(seed, self.num_envs)
        return states, self.dynamics.observe(states)

    def _advance(self, states: Any, ages: Any, actions: Any, seed: Any) -> tuple[Any, ...]:
        taken = stretch(actions, self.dynamics.action_space)
        moved = advance(self.dynamics, states, ages, taken, seed, self.max_episode_steps)
        return (
            moved.states, moved.ages, moved.observations, moved.rewards, moved.terminated, moved.truncated, moved.final_observations,
        )  # fmt: skip
