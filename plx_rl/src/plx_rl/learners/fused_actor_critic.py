"""A2C and PPO in environments that are programs: a rollout, its advantages and its updates in one call of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import tensorflow as tf

from plx_core import FusedProgram, Step, UpdateResult, as_features
from plx_core.types import Batch, Observations, Tensor
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.learners.on_policy_learner import ActorCritic
from plx_rl.learners.rollout import roll_out, with_advantages


@final
class FusedActorCritic(FusedProgram):
    """Acts for T steps in N copies, estimates advantages, and updates.

    Args:
        env: the copies.
        actor_critic: acts and learns.
        updates: of a batch of T · N transitions and a seed; metrics by name.
        draw: the seed of the next run, int32 [2].
        steps: T.
        discount: γ.
        gae_lambda: λ of generalised advantage estimates.
        xla: whether the program is to be compiled with XLA.
    """

    def __init__(
        self,
        env: CompiledEnvironment,
        actor_critic: ActorCritic,
        updates: Callable[[Batch, Tensor], dict[str, Tensor]],
        draw: Callable[[], np.ndarray],
        *,
        steps: int,
        discount: float,
        gae_lambda: float,
        xla: bool,
    ) -> None:
        self._env, self._actor_critic, self._updates, self._draw = env, actor_critic, updates, draw
        self._steps, self._discount, self._lambda = steps, discount, gae_lambda
        self._program = tf.function(self._run, jit_compile=xla, autograph=False)

    def run(self) -> tuple[UpdateResult, Sequence[Step], Tensor]:
        """A rollout, and the updates of its batch."""
        env = self._env
        found, ends, env.states, env.ages, observations = self._program(
            env.states, env.ages, self._draw()
        )
        rewards, terminated, truncated = (part.numpy() for part in ends)
        steps = [Step(None, *row, None) for row in zip(rewards, terminated, truncated, strict=True)]
        return (
            UpdateResult({name: float(value) for name, value in found.items()}),
            steps,
            observations.numpy(),
        )

    def _run(self, states: Tensor, ages: Tensor, seed: Tensor) -> tuple[Tensor, ...]:
        rows, states, ages = self._roll_out(states, ages, seed)
        batch = self._estimated(rows)
        found = self._updates(batch, seed)
        ends = rows["reward"], rows["terminated"], rows["truncated"]
        return (
            found | {"value": tf.reduce_mean(batch["value"])},
            ends,
            states,
            ages,
            self._env.dynamics.observe(states),
        )

    def _roll_out(
        self, states: Tensor, ages: Tensor, seed: Tensor
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """T steps in each copy: columns [T, N, …] by name, and where they led."""
        actor_critic = self._actor_critic

        def act(observations: Observations, seed: Tensor) -> Tensor:
            return actor_critic.distribution.draw(
                actor_critic.policy(as_features(observations)), seed
            )

        return roll_out(self._env, act, states, ages, seed, self._steps)

    def _estimated(self, rows: Batch) -> dict[str, Tensor]:
        """What a loss reads, [T · N, …] by name."""
        both = tf.concat([_flat(rows["state"]), _flat(rows["next_state"])], 0)
        v_tm1, v_t = tf.split(
            tf.reshape(self._actor_critic.value(as_features(both)), [2 * self._steps, -1]), 2
        )
        columns = with_advantages(rows, v_tm1, v_t, self._discount, self._lambda)
        return {name: _flat(column) for name, column in columns.items()}


def _flat(column: Tensor) -> Tensor:
    """[T, N, …] as [T · N, …]."""
    return tf.reshape(column, [column.shape[0] * column.shape[1], *column.shape[2:]])
