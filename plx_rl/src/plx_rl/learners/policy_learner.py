"""One policy update, then several value updates, for each rollout: VPG and TRPO."""

from __future__ import annotations

from typing import Protocol, final

import numpy as np
import tensorflow as tf

from plx_core import State, Updater, UpdateResult, as_features
from plx_core.errors import ComponentError
from plx_core.types import Batch, Optimizer, Tensor
from plx_rl.learners.base import penalties, programs
from plx_rl.learners.on_policy_learner import (
    ActorCritic,
    Estimates,
    OnPolicyLearner,
    first_batch,
    inputs,
)
from plx_rl.losses.multistep import returns_on_host
from plx_rl.losses.policy_gradients import explained_variance, value_loss, weighted_mean
from plx_rl.randomness import generator_state, restore_generator


class PolicyStep(Protocol):
    """A function that updates the policy once."""

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Update on a batch (`state`, `action`, `mask`, `advantage`, `weights`).

        Returns:
            Metrics by name, including `loss`.
        """


@final
class PolicyLearner(OnPolicyLearner):
    """Updates the policy once for each rollout, then regresses the value function to the returns.

    Args:
        actor_critic: the networks.
        policy_step: updates the policy.
        policy_updater: updates the weights of the policy; None if the step does it alone.
        value_optimizer: the optimizer of the value function; None without one.
        value_epochs: the number of passes over each rollout for the value function.
        minibatch_size: the number of transitions in a value update; the whole batch when None.
        seed: the seed of the minibatches.
        discount: γ.
        gae_lambda: λ of generalised advantage estimates.

    Raises:
        ComponentError: the optimizer of the value function averages weights (`use_ema`).
    """

    def __init__(
        self,
        actor_critic: ActorCritic,
        policy_step: PolicyStep,
        *,
        policy_updater: Updater | None,
        value_optimizer: Optimizer | None,
        value_epochs: int,
        minibatch_size: int | None,
        seed: int,
        discount: float,
        gae_lambda: float,
    ) -> None:
        updaters = {} if policy_updater is None else {"optimizer": policy_updater}
        self._value_updater: Updater | None = None
        if value_optimizer is not None:
            if getattr(value_optimizer, "use_ema", False):
                raise ComponentError(
                    "use_ema of the optimizer of the value function has no effect: an evaluation "
                    "uses the policy alone, whose weights it does not average; leave it out"
                )
            self._value_updater = Updater(value_optimizer, actor_critic.value_weights)
            updaters["value_optimizer"] = self._value_updater
        super().__init__(actor_critic, updaters, discount=discount, gae_lambda=gae_lambda)
        self._epochs = value_epochs
        self._size = minibatch_size
        self._steps = 0
        self._rng = np.random.default_rng(seed)
        self._policy_steps = programs(policy_step)
        self._value_fits = programs(self._fit_value)
        value_weights = {id(weight) for weight in actor_critic.value_weights}
        self._shares = any(id(weight) in value_weights for weight in actor_critic.policy_weights)
        self._parameters = tf.function(actor_critic.parameters, autograph=False)
        self._divergence = tf.function(self._mean_kl, autograph=False)
        self.compile(xla=False)

    @property
    def global_step(self) -> int:
        """The number of policy updates so far."""
        return self._steps

    def compile(self, *, xla: bool) -> None:
        """Set whether to compile the updates with XLA."""
        self._step_policy = self._policy_steps[xla]
        self._fit = self._value_fits[xla]

    def update(self, batches: Batch, num_envs: int) -> UpdateResult:
        """Make the policy update and the value updates of one rollout."""
        batch = first_batch(batches)
        has_value = self._value_updater is not None
        estimates = self.estimate(batch, num_envs) if has_value else self._returns(batch, num_envs)
        columns = inputs(batch) | {"advantage": estimates.advantages, "weights": estimates.weights}
        old = self._parameters(inputs(batch)) if self._shares else None
        metrics = {name: float(value) for name, value in self._step_policy(columns).items()}
        if has_value:
            metrics |= self._learn_value(batch, estimates)
        if old is not None and "kl" in metrics:  # fitting the values has moved the policy further
            metrics["kl"] = float(self._divergence(inputs(batch), old, estimates.weights))
        self._steps += 1
        return UpdateResult(metrics)

    def state(self) -> State:
        """Return the variables, the number of updates, and the state of the generator."""
        return {**super().state(), "steps": self._steps, "minibatches": generator_state(self._rng)}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        super().restore(state)
        self._steps = state["steps"]
        restore_generator(self._rng, state["minibatches"])

    def _returns(self, batch: Batch, num_envs: int) -> Estimates:
        """Return discounted returns, without a value function.

        Episodes that the end of the rollout cuts have no return, and weigh 0.
        """
        ended = batch["terminated"] | batch["truncated"]
        carry_t = self._rows(np.where(ended, 0.0, self.discount), num_envs)
        returns = returns_on_host(self._rows(batch["reward"], num_envs), carry_t).ravel()
        reversed_ends = np.flip(ended.reshape(-1, num_envs), 0)
        is_complete = np.flip(np.logical_or.accumulate(reversed_ends), 0).ravel()
        weights = (batch["valid"] & is_complete).astype(np.float32)
        if not weights.any():
            raise ComponentError(
                f"no episode ended within {len(ended)} transitions, and without a baseline only "
                "complete episodes can be used; increase the memory's batch_size, "
                "or set baseline: true"
            )
        return Estimates(returns, returns, np.zeros_like(returns), weights)

    def _learn_value(self, batch: Batch, estimates: Estimates) -> dict[str, float]:
        count = len(estimates.returns)
        size = min(self._size or count, count)
        orders = [
            self._rng.permutation(count)[: count // size * size].reshape(-1, size)
            for _ in range(self._epochs)
        ]
        loss = self._fit(
            batch["state"],
            estimates.returns,
            estimates.weights,
            np.concatenate(orders).astype(np.int32),
        )
        variance = explained_variance(estimates.values, estimates.returns, estimates.weights)
        return {
            "value_loss": float(loss),
            "value": float(estimates.values.mean()),
            "explained_variance": float(variance),
        }

    def _mean_kl(self, batch: Batch, old: Tensor, weights: Tensor) -> Tensor:
        """Return the mean of KL(π_old ‖ π), a scalar."""
        actor_critic = self.actor_critic
        return weighted_mean(
            actor_critic.distribution.kl(old, actor_critic.parameters(batch)), weights
        )

    def _fit_value(
        self, state: Tensor, returns: Tensor, weights: Tensor, minibatches: Tensor
    ) -> Tensor:
        updater, variables = self._value_updater, self.actor_critic.value_weights
        if updater is None:
            raise ComponentError("the model has no value function")
        count = tf.shape(minibatches)[0]

        def update(index: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            rows = minibatches[index]
            features = tf.nest.map_structure(
                lambda column: tf.gather(column, rows), as_features(state)
            )
            with tf.GradientTape() as tape:
                loss = value_loss(
                    self.actor_critic.value(features, training=True),
                    tf.gather(returns, rows),
                    tf.gather(weights, rows),
                )
                loss += penalties(variables)
                scaled = updater.scale(loss)
            updater.apply(tape.gradient(scaled, variables))
            return index + 1, total + loss

        _, total = tf.while_loop(
            lambda index, _: index < count, update, (tf.constant(0), tf.constant(0.0))
        )
        return total / tf.cast(count, tf.float32)
