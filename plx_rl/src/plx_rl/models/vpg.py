"""Vanilla policy gradient."""

from __future__ import annotations

import tensorflow as tf
from attrs import define, field

from plx_core import Learner, Summary, Updater, make, with_older_names
from plx_core.annotations import NonNegativeFloat, OptimizerLike, PositiveFloat, PositiveInt
from plx_core.types import Batch, Tensor
from plx_rl.learners.base import penalties
from plx_rl.learners.on_policy_learner import ActorCritic
from plx_rl.learners.policy_learner import PolicyLearner
from plx_rl.losses.policy_gradients import policy_gradient, standardize, weighted_mean
from plx_rl.models.policy_model import PolicyModel


@with_older_names
@define
class VPGModel(PolicyModel):
    """Vanilla policy gradient: one policy update for each rollout.

    Source: Williams 1992 (REINFORCE); with a baseline and generalised advantages, Schulman et al.
    2016.

    Args:
        optimizer: the optimizer of the policy.
        summaries: what to write to TensorBoard.
        clip_gradients: the largest global norm of the policy's gradients.
        clip_embed_gradients: the largest norm of the gradient of each of its embeddings.
        baseline: whether to learn a value function as the baseline; otherwise actions are weighted
            by their returns, and episodes cut by the end of a rollout are left out.
        value_optimizer: the optimizer of the value function.
        value_epochs: the number of passes over each rollout for the value function.
        value_minibatch_size: the number of transitions in a value update; the whole batch when
            None.
        entropy_coefficient: the weight of the entropy bonus.
        normalize_advantages: whether to standardise the advantages of each batch.
    """

    optimizer: OptimizerLike = field(
        factory=lambda: {"Adam": {"learning_rate": 3e-3}}, kw_only=True
    )
    summaries: Summary | list[Summary] = field(default="all", kw_only=True)
    clip_gradients: PositiveFloat | None = field(default=0.5, kw_only=True)
    clip_embed_gradients: PositiveFloat | None = field(default=0.1, kw_only=True)
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
        weights, distribution = actor_critic.policy_weights, actor_critic.distribution
        updater = Updater(
            make("optimizers", self.optimizer),
            weights,
            self.clip_gradients,
            self.clip_embed_gradients,
        )

        def step(batch: Batch) -> dict[str, Tensor]:
            counts, advantages = batch["weights"], batch["advantage"]
            if self.normalize_advantages:
                advantages = standardize(advantages, counts)
            with tf.GradientTape() as tape:
                parameters = actor_critic.parameters(batch, training=True)
                entropy = weighted_mean(distribution.entropy(parameters), counts)
                log_prob = distribution.log_prob(parameters, batch["action"])
                loss = policy_gradient(log_prob, advantages, counts) + penalties(weights)
                total = updater.scale(loss - self.entropy_coefficient * entropy)
            updater.apply(updater.clip(tape.gradient(total, weights)))
            return {"loss": loss, "entropy": entropy}

        return PolicyLearner(
            actor_critic,
            step,
            policy_updater=updater,
            value_optimizer=make("optimizers", self.value_optimizer) if self.baseline else None,
            value_epochs=self.value_epochs,
            minibatch_size=self.value_minibatch_size,
            seed=seed,
            discount=self.discount,
            gae_lambda=self.gae_lambda,
        )
