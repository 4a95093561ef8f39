"""A2C and PPO in compiled environments: rollout, advantages and updates in one TensorFlow call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import final

import tensorflow as tf

from plx_core import FusedProgram, Step, UpdateResult, as_features
from plx_core.types import Array, Batch, Observations, Tensor
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.learners.on_policy_learner import ActorCritic
from plx_rl.learners.rollout import roll_out, with_advantages


@final
class FusedActorCritic(FusedProgram):
    """Collects T steps in N environments, estimates advantages, and updates.

    Args:
        env: the environments.
        actor_critic: the networks.
        updates: a function of a batch of T · N transitions and a seed, which returns metrics by
            name.
        draw: returns the seed of the next run, int32 [2].
        steps: T.
        discount: γ.
        gae_lambda: λ of generalised advantage estimation.
        xla: whether to compile the program with XLA.
    """

    def __init__(
        self,
        env: CompiledEnvironment,
        actor_critic: ActorCritic,
        updates: Callable[[Batch, Tensor], dict[str, Tensor]],
        draw: Callable[[], Array],
        *,
        steps: int,
        discount: float,
        gae_lambda: float,
        xla: bool,
    ) -> None:
        self._env = env
        self._actor_critic = actor_critic
        self._updates = updates
        self._draw = draw
        self._steps = steps
        self._discount = discount
        self._lambda = gae_lambda
        self._program = tf.function(self._run, jit_compile=xla, autograph=False)

    def run(self) -> tuple[UpdateResult, Sequence[Step], Tensor]:
        """Collect a rollout and update on it."""
        env = self._env
        results, ends, env.states, env.ages, observations = self._program(
            env.states, env.ages, self._draw()
        )
        rewards, terminated, truncated = (part.numpy() for part in ends)
        steps = [Step(None, *row, None) for row in zip(rewards, terminated, truncated, strict=True)]
        metrics = {name: float(value) for name, value in results.items()}
        return UpdateResult(metrics), steps, observations.numpy()

    def _run(self, states: Tensor, ages: Tensor, seed: Tensor) -> tuple[Tensor, ...]:
        rows, states, ages = self._roll_out(states, ages, seed)
        batch = self._with_estimates(rows)
        metrics = self._updates(batch, seed) | {"value": tf.reduce_mean(batch["value"])}
        ends = rows["reward"], rows["terminated"], rows["truncated"]
        return metrics, ends, states, ages, self._env.dynamics.observe(states)

    def _roll_out(
        self, states: Tensor, ages: Tensor, seed: Tensor
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Collect T steps: return columns [T, N, …] by name, and the final states and ages."""
        actor_critic = self._actor_critic

        def act(observations: Observations, seed: Tensor) -> Tensor:
            return actor_critic.distribution.draw(
                actor_critic.policy(as_features(observations)), seed
            )

        return roll_out(self._env, act, states, ages, seed, self._steps)

    def _with_estimates(self, rows: Batch) -> dict[str, Tensor]:
        """Return the inputs of the loss, [T · N, …] by name."""
        both = tf.concat([_flat(rows["state"]), _flat(rows["next_state"])], 0)
        v_tm1, v_t = tf.split(
            tf.reshape(self._actor_critic.value(as_features(both)), [2 * self._steps, -1]), 2
        )
        columns = with_advantages(rows, v_tm1, v_t, self._discount, self._lambda)
        return {name: _flat(column) for name, column in columns.items()}


def _flat(column: Tensor) -> Tensor:
    """Reshape [T, N, …] to [T · N, …]."""
    return tf.reshape(column, [column.shape[0] * column.shape[1], *column.shape[2:]])
