"""The base of on-policy learners: the advantages and returns of a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import tensorflow as tf
from attrs import frozen

from plx_core import Memory, Updater, as_features
from plx_core.errors import ComponentError
from plx_core.types import Array, Batch, Features, Network, Tensor, Variable
from plx_rl.distributions import Distribution
from plx_rl.learners.base import OptimizedLearner
from plx_rl.losses.multistep import generalized_advantages_on_host


class Head(Protocol):
    """A function from features to a tensor with a row for each observation."""

    def __call__(self, features: Features, *, training: bool = False) -> Tensor:
        """Return the tensor.

        Args:
            features: observations by name.
            training: whether layers behave as in training, as they do where a loss is computed.
        """


def no_value(features: Features, *, training: bool = False) -> Tensor:
    """Raise an error: the value function of a model that has none."""
    raise ComponentError("the model has no value function")


@frozen
class ActorCritic:
    """A policy and a value function over the same observations.

    Args:
        network: the network of both, which a checkpoint keeps; its outputs are `policy`, and
            `value` [B, 1] where there is a value function.
        policy: the parameters of the distribution, [B, P].
        value: V(s), [B]; `no_value` without a value function.
        policy_weights: the trainable weights of the policy.
        value_weights: the trainable weights of the value function.
        distribution: the family of distributions over actions.
    """

    network: Network
    policy: Head
    value: Head
    policy_weights: list[Variable]
    value_weights: list[Variable]
    distribution: Distribution

    @property
    def weights(self) -> list[Variable]:
        """The weights of both, without duplicates."""
        shared = {id(weight) for weight in self.policy_weights}
        return [
            *self.policy_weights,
            *(weight for weight in self.value_weights if id(weight) not in shared),
        ]

    def parameters(self, batch: Batch, *, training: bool = False) -> Tensor:
        """Return the distribution's parameters [B, P] at a batch's states, with masks applied.

        Args:
            batch: `state`, and `mask` if there are masks.
            training: whether layers behave as in training.
        """
        parameters = self.policy(as_features(batch["state"]), training=training)
        return self.distribution.masked(parameters, batch.get("mask"))

    def in_training(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the distribution's parameters [B, P] and V(s) [B], with layers as in training.

        One pass of the network, so that layers that both read move their statistics once.
        """
        outputs = self.network(as_features(batch["state"]), training=True)
        parameters = self.distribution.masked(outputs["policy"], batch.get("mask"))
        return parameters, tf.squeeze(outputs["value"], -1)


@frozen
class Estimates:
    """Estimates for a rollout of T steps in N environments, each float32 [T · N].

    Args:
        advantages: the advantages of the actions.
        returns: the targets of V(s).
        values: V(s).
        weights: 1 for a transition, 0 for an auto-reset.
    """

    advantages: Array
    returns: Array
    values: Array
    weights: Array


class OnPolicyLearner(OptimizedLearner):
    """Learns from rollouts of the current policy.

    Args:
        actor_critic: the networks.
        updaters: see `OptimizedLearner`.
        discount: γ.
        gae_lambda: λ of generalised advantage estimates.
    """

    def __init__(
        self,
        actor_critic: ActorCritic,
        updaters: Mapping[str, Updater],
        *,
        discount: float,
        gae_lambda: float,
    ) -> None:
        super().__init__({"variables": actor_critic.network}, updaters)
        self.actor_critic = actor_critic
        self.discount = discount
        self.gae_lambda = gae_lambda
        self._value_pairs = tf.function(self._values, reduce_retracing=True, autograph=False)

    def check(self, memory: Memory) -> None:
        """Check that the memory stores one-step transitions, as advantages need them.

        Raises:
            ComponentError: it stores n-step transitions.
        """
        if memory.n_step > 1:
            raise ComponentError(
                f"n_step is {memory.n_step} in the {type(memory).__name__}, but this model needs "
                "one-step transitions, which it weighs by gae_lambda; leave n_step out",
                about="agent.memory",
            )

    def estimate(self, batch: Batch, num_envs: int) -> Estimates:
        """Estimate the advantages and returns of a rollout.

        Args:
            batch: arrays [T · N, …] by name; the N environments of a step are adjacent.
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
        """Compute V(s) and V(s') in one pass."""
        both = tf.nest.map_structure(
            lambda first, second: tf.concat([first, second], 0),
            as_features(state),
            as_features(next_state),
        )
        return tuple(tf.split(self.actor_critic.value(both), 2))

    def _rows(self, values: Array, num_envs: int) -> Array:
        """Reshape [T · N] to float32 [T, N]."""
        return np.asarray(values, np.float32).reshape(-1, num_envs)


def first_batch(batches: Batch) -> dict[str, Tensor]:
    """Return the first of several batches [K, B, …]."""
    return {
        name: {key: part[0] for key, part in value.items()}
        if isinstance(value, Mapping)
        else value[0]
        for name, value in batches.items()
    }


def inputs(batch: Batch) -> dict[str, Tensor]:
    """Return the part of a batch that the loss of a policy needs."""
    return {name: batch[name] for name in ("state", "action", "mask") if name in batch}
