"""What learners from fresh transitions share: advantages and returns of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from attrs import frozen

from plx_core import Memory, as_features
from plx_core.errors import ComponentError
from plx_core.types import Batch, Network, Optimizer, Tensor, Variable
from plx_rl.distributions import Distribution
from plx_rl.learners.base import OptimizedLearner
from plx_rl.losses.multistep import generalized_advantages_on_host


@frozen
class ActorCritic:
    """A policy and a value function over the same observations.

    Args:
        network: both; what a checkpoint keeps.
        policy: of the features, gives the parameters of the distribution [B, P].
        value: of the features, gives V(s) [B]; None where there is no value function.
        policy_weights: what the policy is trained by.
        value_weights: what the value function is trained by.
        distribution: over actions.
    """

    network: Network
    policy: Tensor
    value: Tensor
    policy_weights: list[Variable]
    value_weights: list[Variable]
    distribution: Distribution

    @property
    def weights(self) -> list[Tensor]:
        """All of them; those that both use are there once."""
        known = {id(weight) for weight in self.policy_weights}
        return [
            *self.policy_weights,
            *(weight for weight in self.value_weights if id(weight) not in known),
        ]

    def parameters(self, batch: Batch) -> Tensor:
        """The distribution's parameters [B, P] at a batch's states, without illegal actions."""
        return self.distribution.masked(self.policy(as_features(batch["state"])), batch.get("mask"))


@frozen
class Estimates:
    """What follows from a batch of T steps in N environments, each [T · N], in the batch's order.

    Args:
        advantages: how much better each action was than the policy's mean.
        returns: what V(s) should be.
        values: what V(s) is.
        weights: 1 where a transition counts, 0 where it does not.
    """

    advantages: np.ndarray
    returns: np.ndarray
    values: np.ndarray
    weights: np.ndarray


class OnPolicyLearner(OptimizedLearner):
    """Learns from a batch of transitions that the policy has just made, in their order.

    Args:
        actor_critic: what learns.
        optimizers: see `OptimizedLearner`.
        discount: γ.
        gae_lambda: λ of generalised advantage estimates.
    """

    def __init__(
        self,
        actor_critic: ActorCritic,
        optimizers: Mapping[str, tuple[Optimizer, list[Variable]]],
        *,
        discount: float,
        gae_lambda: float,
    ) -> None:
        super().__init__({"variables": actor_critic.network}, optimizers)
        self.actor_critic = actor_critic
        self.discount, self.gae_lambda = discount, gae_lambda
        self._value_pairs = tf.function(self._values, reduce_retracing=True, autograph=False)

    def check(self, memory: Memory) -> None:
        """Refuse transitions over several steps, which advantages would count several times.

        Raises:
            ComponentError: the memory makes such.
        """
        if memory.n_step > 1:
            raise ComponentError(
                f"n_step is {memory.n_step} in the {type(memory).__name__}, and this model weighs the steps that follow by gae_lambda: "
                "leave n_step out",
                about="agent.memory",
            )

    def estimate(self, batch: Batch, num_envs: int) -> Estimates:
        """Advantages and returns of a batch.

        Args:
            batch: arrays [T · N, …] by name, the N environments of a step in turn.
            num_envs: N.
        """
        v_tm1, v_t = (
            self._rows(part.numpy(), num_envs)
            for part in self._value_pairs(batch["state"], batch["next_state"])
        )
        ended = batch["terminated"] | batch["truncated"]
        discount_t = self._rows(np.where(batch["terminated"], 0.0, self.discount), num_envs)
        carry_t = self._rows(np.where(ended, 0.0, self.discount), num_envs)
        rewards = self._rows(batch["reward"], num_envs)
        advantages = generalized_advantages_on_host(
            rewards, discount_t, carry_t, v_tm1, v_t, self.gae_lambda
        )
        weights = batch["valid"].astype(np.float32)
        return Estimates(advantages.ravel(), (advantages + v_tm1).ravel(), v_tm1.ravel(), weights)

    def _values(self, state: Tensor, next_state: Tensor) -> tuple[Tensor, Tensor]:
        """V(s) and V(s'), in one pass."""
        both = tf.nest.map_structure(
            lambda first, second: tf.concat([first, second], 0),
            as_features(state),
            as_features(next_state),
        )
        return tuple(tf.split(self.actor_critic.value(both), 2))

    def _rows(self, values: np.ndarray, num_envs: int) -> np.ndarray:
        """[T · N] as float32 [T, N]."""
        return np.asarray(values, np.float32).reshape(-1, num_envs)


def first_batch(batches: Batch) -> dict[str, Tensor]:
    """The only one of `batches`."""
    return {
        name: {key: part[0] for key, part in value.items()}
        if isinstance(value, Mapping)
        else value[0]
        for name, value in batches.items()
    }


def inputs(batch: Batch) -> dict[str, Tensor]:
    """What a loss over policies reads of a batch."""
    return {name: batch[name] for name in ("state", "action", "mask") if name in batch}
