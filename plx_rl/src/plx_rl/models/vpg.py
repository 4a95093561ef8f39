"""Policy gradients."""

from __future__ import annotations

import tensorflow as tf
from attrs import define, field

from plx_core import Learner, clip_gradients, make, with_older_names
from plx_core.annotations import NonNegativeFloat, OptimizerLike, PositiveInt
from plx_core.types import Batch, Tensor
from plx_rl.learners.base import penalties
from plx_rl.learners.on_policy_learner import ActorCritic
from plx_rl.learners.policy_learner import PolicyLearner
from plx_rl.losses.policy_gradients import policy_gradient, standardize, weighted_mean
from plx_rl.models.policy_model import PolicyModel


@with_older_names
@define
class VPGModel(PolicyModel):
    """The policy gradient itself: one step for each batch.

    Source: Williams 1992 (REINFORCE); with a baseline and generalised advantages, Schulman et al. 2016.

    Args:
        optimizer: updates the policy.
        baseline: whether a value function tells what is better than usual; else an action's worth is the return that followed, and the
            episodes that the end of a batch cuts are not learnt from.
        value_optimizer: updates the value function.
        value_epochs: how many times each transition of a batch is learnt from by the value function.
        value_minibatch_size: how many transitions one of its updates has; the whole batch when None.
        entropy_coefficient: how much the entropy of the policy is worth.
        normalize_advantages: whether the advantages of a batch get mean 0 and deviation 1.
    """

    optimizer: OptimizerLike = field(
        factory=lambda: {"Adam": {"learning_rate": 3e-3}}, kw_only=True
    )
    baseline: bool = field(default=True, kw_only=True)
    value_optimizer: OptimizerLike = field(
        factory=lambda: {"Adam": {"learning_rate": 1e-3}}, kw_only=True
    )
    value_epochs: PositiveInt = field(default=10, kw_only=True)
    value_minibatch_size: PositiveInt | None = field(default=128, kw_only=True)
    entropy_coefficient: NonNegativeFloat = field(default=0.0, kw_only=True)
    normalize_advantages: bool = field(default=True, kw_only=True)

    def _has_value(self) -> bool:
        return self.baseline

    def _learner(self, actor_critic: ActorCritic, seed: int) -> Learner:
        optimizer, weights, distribution = (
            make("optimizers", self.optimizer),
            actor_critic.policy_weights,
            actor_critic.distribution,
        )

        def step(batch: Batch) -> dict[str, Tensor]:
            counts = batch["weights"]
            advantages = (
                standardize(batch["advantage"], counts)
                if self.normalize_advantages
                else batch["advantage"]
            )
            with tf.GradientTape() as tape:
                parameters = actor_critic.parameters(batch)
                entropy = weighted_mean(distribution.entropy(parameters), counts)
                loss = policy_gradient(
                    distribution.log_prob(parameters, batch["action"]), advantages, counts
                ) + penalties(weights)
                total = optimizer.scale_loss(loss - self.entropy_coefficient * entropy)
            gradients = clip_gradients(
                tape.gradient(total, weights),
                weights,
                self.clip_gradients,
                self.clip_embed_gradients,
            )
            optimizer.apply(gradients, weights)
            return {"loss": loss, "entropy": entropy}

        return PolicyLearner(
            actor_critic,
            step,
            policy_optimizer=optimizer,
            value_optimizer=make("optimizers", self.value_optimizer) if self.baseline else None,
            value_epochs=self.value_epochs,
            minibatch_size=self.value_minibatch_size,
            seed=seed,
            discount=self.discount,
            gae_lambda=self.gae_lambda,
        )
