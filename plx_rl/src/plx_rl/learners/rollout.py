"""Rollouts in compiled environments, within a compiled program."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from plx_core.types import Batch, Observations, Tensor
from plx_rl.dynamics.dynamics import advance
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.losses.multistep import generalized_advantages


def roll_out(
    env: CompiledEnvironment,
    act: Callable[[Tensor, Tensor], Tensor],
    states: Tensor,
    ages: Tensor,
    seed: Tensor,
    steps: int,
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Take T steps in each of N environments.

    Args:
        env: the environments.
        act: a function of observations [N, O] and a seed, which returns actions.
        states: the states of the environments, [N, S].
        ages: the number of steps in their current episodes, [N].
        seed: the seed of everything random, int32 [2].
        steps: T.

    Returns:
        Columns [T, N, …] by the names of a memory, and the final states and ages.
    """
    dynamics = env.dynamics
    dtypes = dict.fromkeys(("state", "next_state", "reward"), tf.float32) | dict.fromkeys(
        ("terminated", "truncated"), tf.bool
    )
    dtypes["action"] = tf.float32 if env.is_continuous else tf.int64
    columns = {name: tf.TensorArray(dtype, steps) for name, dtype in dtypes.items()}
    seeds = tf.random.stateless_uniform((steps, 2, 2), seed, None, None, tf.int32)

    def step(
        t: Tensor,
        states: Tensor,
        ages: Tensor,
        observations: Observations,
        columns: dict[str, Tensor],
    ) -> tuple[Tensor, ...]:
        actions = act(observations, seeds[t, 0])
        result = advance(
            dynamics,
            states,
            ages,
            env.decoder.decode_tensor(actions),
            seeds[t, 1],
            env.max_episode_steps,
        )
        row = {
            "state": observations,
            "action": actions,
            "reward": result.rewards,
            "next_state": result.final_observations,
            "terminated": result.terminated,
            "truncated": result.truncated,
        }
        columns = {name: column.write(t, row[name]) for name, column in columns.items()}
        return t + 1, result.states, result.ages, result.observations, columns

    start = (tf.constant(0), states, ages, dynamics.observe(states), columns)
    _, states, ages, _, columns = tf.while_loop(
        lambda t, *_: t < steps, step, start, maximum_iterations=steps
    )
    return {name: column.stack() for name, column in columns.items()}, states, ages


def with_advantages(
    rows: Batch, v_tm1: Tensor, v_t: Tensor, discount: float, gae_lambda: float
) -> dict[str, Tensor]:
    """Return the inputs of an actor-critic loss, [T, N, …] by name.

    Args:
        rows: the columns that `roll_out` returned.
        v_tm1: V(s) [T, N].
        v_t: V(s') [T, N].
        discount: γ.
        gae_lambda: λ of generalised advantage estimation.
    """
    ended = rows["terminated"] | rows["truncated"]
    discount_t, carry_t = (tf.where(over, 0.0, discount) for over in (rows["terminated"], ended))
    advantages = generalized_advantages(rows["reward"], discount_t, carry_t, v_tm1, v_t, gae_lambda)
    return {
        "state": rows["state"],
        "action": rows["action"],
        "advantage": advantages,
        "returns": advantages + v_tm1,
        "value": v_tm1,
        "weights": tf.ones_like(v_tm1),
    }
