"""Environments that are TensorFlow programs."""

from __future__ import annotations

from typing import final

import numpy as np
import tensorflow as tf

import plx_core as plx
from plx_core import State, Step, make
from plx_core.annotations import DynamicsLike, NumEnvs, PositiveInt
from plx_core.types import Network, Space, Tensor
from plx_rl.dynamics.dynamics import Dynamics, advance
from plx_rl.environments.processing import action_network
from plx_rl.environments.spaces import ActionDecoder


@final
class CompiledEnvironment(plx.Environment):
    """N copies of an environment that is a TensorFlow program.

    All agents can act in it. A2C and PPO act, store transitions and update within one program, over
    hundreds of copies at once.

    Args:
        env_id: the dynamics: CartPole-v1, Pendulum-v1, Acrobot-v1, MountainCar-v0,
            MountainCarContinuous-v0, or those of another plug-in.
        num_envs: how many copies.
        max_episode_steps: truncate episodes after this many steps; by default the dynamics' own
            number.
        seed: the seed of the first reset.

    Example:
        >>> env = CompiledEnvironment("CartPole-v1", num_envs=2, seed=0)
        >>> env.reset().shape, env.step(np.array([0, 1])).rewards
        ((2, 4), array([1., 1.], dtype=float32))
    """

    def __init__(
        self,
        env_id: DynamicsLike,
        num_envs: NumEnvs = 1,
        max_episode_steps: PositiveInt | None = None,
        seed: int | None = None,
    ) -> None:
        self.dynamics: Dynamics = make("dynamics", env_id)
        self.decoder = ActionDecoder(self.dynamics.action_space)
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps or self.dynamics.max_episode_steps
        self.seed = seed
        self._first_seed = seed
        self.states: Tensor = None
        self.ages: Tensor = tf.zeros(num_envs, tf.int32)
        self._key = 0
        self._count = 0
        self._initial_program = tf.function(self._initial, autograph=False)
        self._step_program = tf.function(self._advance, autograph=False)

    @property
    def observation_space(self) -> Space:
        """The space of one observation."""
        return self.dynamics.observation_space

    @property
    def action_space(self) -> Space:
        """The space of one action; continuous ones are between -1 and 1 if they have bounds."""
        return self.decoder.space

    @property
    def raw_action_space(self) -> Space:
        """The space of one action of the dynamics."""
        return self.dynamics.action_space

    def raw_actions(self, actions: np.ndarray) -> np.ndarray:
        """Return the actions of a policy, [N, …], as the dynamics take them."""
        return np.asarray(self.decoder.decode(actions))

    def encode_actions(self, raw: np.ndarray) -> np.ndarray:
        """Return the actions of a policy that are these of the dynamics, [N, …]."""
        return self.decoder.encode(raw)

    def action_network(self) -> Network:
        """Return a network from the actions of a policy to those of the dynamics."""
        return action_network(self.decoder)

    def reset(self, seed: int | None = None) -> np.ndarray:
        """Start an episode in each copy, and return the first observations, [N, O]."""
        if seed is None:
            seed = self._first_seed
        self._first_seed = None
        if seed is not None:
            self._key = seed
            self._count = 0
        self.states, observations = self._initial_program(self._next_seed())
        self.ages = tf.zeros(self.num_envs, tf.int32)
        return np.asarray(observations.numpy())

    def step(self, actions: np.ndarray) -> Step:
        """Take one action in each copy."""
        self.states, self.ages, *results = self._step_program(
            self.states, self.ages, np.asarray(actions), self._next_seed()
        )
        return Step(*(result.numpy() for result in results))

    def state(self) -> State:
        """Return the state of each copy, and the position in the random sequence."""
        counters = {"key": self._key, "count": self._count}
        if self.states is None:
            return counters
        return counters | {"states": self.states.numpy(), "ages": self.ages.numpy()}

    def restore(self, state: State) -> None:
        """Continue from a state."""
        self._key = int(state["key"])
        self._count = int(state["count"])
        self._first_seed = None
        if "states" in state:
            self.states = tf.constant(state["states"], tf.float32)
            self.ages = tf.constant(state["ages"], tf.int32)

    def _next_seed(self) -> np.ndarray:
        self._count += 1
        return np.array([self._key % 2**31, self._count % 2**31], np.int32)

    def _initial(self, seed: Tensor) -> tuple[Tensor, Tensor]:
        states = self.dynamics.initial(seed, self.num_envs)
        return states, self.dynamics.observe(states)

    def _advance(
        self, states: Tensor, ages: Tensor, actions: Tensor, seed: Tensor
    ) -> tuple[Tensor, ...]:
        decoded = self.decoder.decode_tensor(actions)
        step = advance(self.dynamics, states, ages, decoded, seed, self.max_episode_steps)
        return (
            step.states,
            step.ages,
            step.observations,
            step.rewards,
            step.terminated,
            step.truncated,
            step.final_observations,
        )
