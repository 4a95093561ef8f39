"""Trust-region policy optimization."""

from __future__ import annotations

import tensorflow as tf
from attrs import define, field

from plx_core import Learner, Summary, make, with_older_names
from plx_core.annotations import (
    Fraction,
    NonNegativeFloat,
    OptimizerLike,
    PositiveFloat,
    PositiveInt,
)
from plx_core.errors import ComponentError
from plx_core.types import Batch, Tensor
from plx_rl.learners.base import penalties, variables_changed_in_training
from plx_rl.learners.on_policy_learner import ActorCritic
from plx_rl.learners.policy_learner import PolicyLearner
from plx_rl.learners.trust_region import (
    conjugate_gradient,
    fisher_vector_product,
    flatten,
    line_search,
    unflatten,
)
from plx_rl.losses.policy_gradients import standardize, surrogate, weighted_mean
from plx_rl.models.policy_model import PolicyModel


@with_older_names
@define
class TRPOModel(PolicyModel):
    """Trust-region policy optimization: the largest policy step within a KL divergence.

    Source: Schulman et al. 2015, "Trust Region Policy Optimization".

    Args:
        optimizer: the optimizer of the value function; the policy has none.
        summaries: what to write to TensorBoard.
        max_kl: δ, the largest mean KL divergence of a step, in nats. With `share_graph`, fitting
            the values moves the policy further; the metric `kl` is that of the whole update.
        conjugate_gradient_iterations: the largest number of Fisher-vector products.
        damping: the value added to the diagonal of the Fisher matrix.
        line_search_steps: the number of step fractions to try; the policy stays unchanged when none
            of them is accepted.
        line_search_shrink: the factor between two fractions.
        value_epochs: the number of passes over each rollout for the value function.
        value_minibatch_size: the number of transitions in a value update; the whole batch when
            None.
        normalize_advantages: whether to standardise the advantages of each batch.
    """

    optimizer: OptimizerLike = field(
        factory=lambda: {"Adam": {"learning_rate": 1e-3}}, kw_only=True
    )
    summaries: Summary | list[Summary] = field(default="all", kw_only=True)
    max_kl: PositiveFloat = field(default=0.01, kw_only=True)
    conjugate_gradient_iterations: PositiveInt = field(default=15, kw_only=True)
    damping: NonNegativeFloat = field(default=0.1, kw_only=True)
    line_search_steps: PositiveInt = field(default=10, kw_only=True)
    line_search_shrink: Fraction = field(default=0.8, kw_only=True)
    value_epochs: PositiveInt = field(default=10, kw_only=True)
    value_minibatch_size: PositiveInt | None = field(default=128, kw_only=True)
    normalize_advantages: bool = field(default=True, kw_only=True)

    def _learner(self, actor_critic: ActorCritic, seed: int) -> Learner:
        changed = variables_changed_in_training(actor_critic.policy)
        if changed:
            raise ComponentError(
                "TRPOModel measures how far one step moves a policy, and this policy has layers "
                f"that behave in another way in training ({', '.join(changed)}): leave them out of "
                "its graph (a value_graph of its own may have them), or use PPOModel"
            )
        return PolicyLearner(
            actor_critic,
            lambda batch: self._step(actor_critic, batch),
            policy_updater=None,
            value_optimizer=make("optimizers", self.optimizer),
            value_epochs=self.value_epochs,
            minibatch_size=self.value_minibatch_size,
            seed=seed,
            discount=self.discount,
            gae_lambda=self.gae_lambda,
        )

    def _step(self, actor_critic: ActorCritic, batch: Batch) -> dict[str, Tensor]:
        variables, distribution = actor_critic.policy_weights, actor_critic.distribution
        counts, advantages = batch["weights"], batch["advantage"]
        if self.normalize_advantages:
            advantages = standardize(advantages, counts)
        old = tf.stop_gradient(actor_critic.parameters(batch))
        log_prob_old = distribution.log_prob(old, batch["action"])

        def loss_and_kl() -> tuple[Tensor, Tensor]:
            parameters = actor_critic.parameters(batch)
            loss = surrogate(
                distribution.log_prob(parameters, batch["action"]), log_prob_old, advantages, counts
            )
            return loss + penalties(variables), weighted_mean(
                distribution.kl(old, parameters), counts
            )

        def product(vector: Tensor) -> Tensor:
            return fisher_vector_product(lambda: loss_and_kl()[1], variables, vector, self.damping)

        with tf.GradientTape() as tape:
            loss, _ = loss_and_kl()
        gradient = flatten(tape.gradient(loss, variables))
        direction = conjugate_gradient(product, -gradient, self.conjugate_gradient_iterations)
        curvature = tf.maximum(tf.reduce_sum(direction * product(direction)), 1e-12)
        step = direction * tf.sqrt(2.0 * self.max_kl / curvature)
        start = [tf.identity(variable) for variable in variables]

        def move(fraction: Tensor) -> None:
            for variable, origin, change in zip(
                variables, start, unflatten(step, variables), strict=True
            ):
                variable.assign(origin + tf.cast(fraction * change, origin.dtype))

        def is_accepted(fraction: Tensor) -> Tensor:
            move(fraction)
            new_loss, kl = loss_and_kl()
            return (new_loss < loss) & (kl <= self.max_kl) & tf.math.is_finite(new_loss)

        fraction, accepted = line_search(
            is_accepted, self.line_search_shrink, self.line_search_steps
        )
        move(fraction)
        new_loss, kl = loss_and_kl()
        entropy = weighted_mean(distribution.entropy(actor_critic.parameters(batch)), counts)
        return {
            "loss": new_loss,
            "kl": kl,
            "entropy": entropy,
            "line_search_accepted": tf.cast(accepted, tf.float32),
            "line_search_fraction": fraction,
        }
