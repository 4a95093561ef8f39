"""Acting in environments that are programs, within a program: what on-policy learners learn from."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from plx_core.types import Batch, Observations, Tensor
from plx_rl.dynamics.dynamics import advance, stretch
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
    """T steps in each of N copies.

    Args:
        env: how they move.
        act: of observations [N, O] and a seed, the actions to take.
        states: where the copies are, [N, S].
        ages: how many steps their episodes have had, [N].
        seed: of all that is random, int32 [2].
        steps: T.

    Returns:
        Columns [T, N, …] by the names that a memory has for them, and the states and ages that follow.
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
        moved = advance(
            dynamics,
            states,
            ages,
            stretch(actions, dynamics.action_space),
            seeds[t, 1],
            env.max_episode_steps,
        )
        row = {
            "state": observations,
            "action": actions,
            "reward": moved.rewards,
            "next_state": moved.final_observations,
            "terminated": moved.terminated,
            "truncated": moved.truncated,
        }
        columns = {name: column.write(t, row[name]) for name, column in columns.items()}
        return t + 1, moved.states, moved.ages, moved.observations, columns

    begin = (tf.constant(0), states, ages, dynamics.observe(states), columns)
    _, states, ages, _, columns = tf.while_loop(
        lambda t, *_: t < steps, step, begin, maximum_iterations=steps
    )
    return {name: column.stack() for name, column in columns.items()}, states, ages


def with_advantages(
    rows: Batch, v_tm1: Tensor, v_t: Tensor, discount: float, gae_lambda: float
) -> dict[str, Tensor]:
    """What the loss of an actor and critic reads, [T, N, …] by name.

    Args:
        rows: what `roll_out` gave.
        v_tm1: V(s) [T, N].
        v_t: V(s') [T, N].
        discount: γ.
        gae_lambda: λ of generalised advantage estimates.
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
