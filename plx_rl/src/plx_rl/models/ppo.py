"""Actor-critic models with one loss: A2C and PPO."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf
from attrs import define, field

from plx_core import Learner, make, with_older_names
from plx_core.annotations import (
    NonNegativeFloat,
    OptimizerLike,
    PositiveFloat,
    PositiveInt,
    ScheduleLike,
)
from plx_core.types import Batch, Tensor
from plx_rl.learners.actor_critic_learner import ActorCriticLearner
from plx_rl.learners.on_policy_learner import ActorCritic
from plx_rl.losses.policy_gradients import (
    approximate_kl,
    clip_fraction,
    clipped_surrogate,
    clipped_value_loss,
    policy_gradient,
    standardize,
    value_loss,
    weighted_mean,
)
from plx_rl.models.policy_model import PolicyModel


@define
class ActorCriticModel(PolicyModel):
    """A policy and a value function with the loss L_policy + c₁ (V - G)² - c₂ · entropy.

    Args:
        value_coefficient: c₁.
        entropy_coefficient: c₂.
        normalize_advantages: whether to standardise the advantages of each minibatch.
        clip_gradients: the largest global norm of the gradients.
    """

    value_coefficient: NonNegativeFloat = field(default=0.5, kw_only=True)
    entropy_coefficient: NonNegativeFloat = field(default=0.0, kw_only=True)
    normalize_advantages: bool = field(default=True, kw_only=True)
    clip_gradients: PositiveFloat | None = field(default=0.5, kw_only=True)

    def _total(self, policy: Tensor, value: Tensor, entropy: Tensor) -> Tensor:
        return policy + 2.0 * self.value_coefficient * value - self.entropy_coefficient * entropy

    def _advantages(self, batch: Batch) -> Tensor:
        if self.normalize_advantages:
            return standardize(batch["advantage"], batch["weights"])
        return batch["advantage"]


@with_older_names
@define
class A2CModel(ActorCriticModel):
    """Advantage actor-critic: one update for each rollout, without importance ratios.

    Source: Mnih et al. 2016, "Asynchronous Methods for Deep Reinforcement Learning", in its
    synchronous form.

    Args:
        optimizer: the optimizer.
        gae_lambda: λ; 1 gives the n-step returns of the paper.
        normalize_advantages: whether to standardise the advantages of each batch.
    """

    optimizer: OptimizerLike = field(
        factory=lambda: {"RMSprop": {"learning_rate": 7e-4, "rho": 0.99, "epsilon": 1e-5}},
        kw_only=True,
    )
    gae_lambda: float = field(default=1.0, kw_only=True)
    normalize_advantages: bool = field(default=False, kw_only=True)

    def _learner(self, actor_critic: ActorCritic, seed: int) -> Learner:
        def loss_fn(batch: Batch, clip_range: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            distribution, weights = actor_critic.distribution, batch["weights"]
            parameters, values = actor_critic.in_training(batch)
            policy = policy_gradient(
                distribution.log_prob(parameters, batch["action"]), self._advantages(batch), weights
            )
            value = value_loss(values, batch["returns"], weights)
            entropy = weighted_mean(distribution.entropy(parameters), weights)
            return self._total(policy, value, entropy), {
                "policy_loss": policy,
                "value_loss": value,
                "entropy": entropy,
            }

        return ActorCriticLearner(
            actor_critic,
            make("optimizers", self.optimizer),
            loss_fn,
            ("policy_loss", "value_loss", "entropy"),
            epochs=1,
            minibatch_size=None,
            clip_range=lambda step: tf.constant(0.0),
            target_kl=None,
            clip_gradients=self.clip_gradients,
            clip_embed_gradients=self.clip_embed_gradients,
            seed=seed,
            discount=self.discount,
            gae_lambda=self.gae_lambda,
        )


@with_older_names
@define
class PPOModel(ActorCriticModel):
    """Proximal policy optimization with a clipped objective.

    Source: Schulman et al. 2017, "Proximal Policy Optimization Algorithms", with the details of
    Huang et al. 2022.

    Args:
        optimizer: the optimizer.
        epochs: the number of passes over each rollout.
        minibatch_size: the number of transitions in an update; the whole batch when None.
        clip_range: the clip range ε, a number or a schedule over global steps.
        clip_range_value: the clip range of the value function; no clipping when None.
        target_kl: stop updating on a rollout when the KL divergence exceeds 1.5 times this; never
            when None.
    """

    optimizer: OptimizerLike = field(
        factory=lambda: {"Adam": {"learning_rate": 3e-4, "epsilon": 1e-5}}, kw_only=True
    )
    epochs: PositiveInt = field(default=10, kw_only=True)
    minibatch_size: PositiveInt | None = field(default=64, kw_only=True)
    clip_range: PositiveFloat | ScheduleLike = field(default=0.2, kw_only=True)
    clip_range_value: PositiveFloat | None = field(default=None, kw_only=True)
    target_kl: PositiveFloat | None = field(default=None, kw_only=True)

    def _learner(self, actor_critic: ActorCritic, seed: int) -> Learner:
        distribution = actor_critic.distribution

        def loss_fn(batch: Batch, clip_range: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            weights, old = batch["weights"], batch["log_prob"]
            parameters, values = actor_critic.in_training(batch)
            log_prob = distribution.log_prob(parameters, batch["action"])
            policy = clipped_surrogate(log_prob, old, self._advantages(batch), clip_range, weights)
            value = self._value_loss(values, batch)
            entropy = weighted_mean(distribution.entropy(parameters), weights)
            metrics = {
                "policy_loss": policy,
                "value_loss": value,
                "entropy": entropy,
                "approximate_kl": approximate_kl(log_prob, old, weights),
                "clip_fraction": clip_fraction(log_prob, old, clip_range, weights),
            }
            return self._total(policy, value, entropy), metrics

        return ActorCriticLearner(
            actor_critic,
            make("optimizers", self.optimizer),
            loss_fn,
            ("policy_loss", "value_loss", "entropy", "approximate_kl", "clip_fraction"),
            epochs=self.epochs,
            minibatch_size=self.minibatch_size,
            clip_range=_by_step(self.clip_range),
            target_kl=self.target_kl,
            clip_gradients=self.clip_gradients,
            clip_embed_gradients=self.clip_embed_gradients,
            seed=seed,
            discount=self.discount,
            gae_lambda=self.gae_lambda,
        )

    def _value_loss(self, value: Tensor, batch: Batch) -> Tensor:
        if self.clip_range_value is None:
            return value_loss(value, batch["returns"], batch["weights"])
        return clipped_value_loss(
            value, batch["value"], batch["returns"], self.clip_range_value, batch["weights"]
        )


def _by_step(value: float | ScheduleLike) -> Callable[[Tensor], Tensor]:
    """Return a number or a schedule as a function of the global step, a tensor."""
    if isinstance(value, (int, float)):
        return lambda step: tf.constant(value, tf.float32)
    schedule = make("schedules", value)
    return lambda step: tf.cast(schedule(step), tf.float32)
