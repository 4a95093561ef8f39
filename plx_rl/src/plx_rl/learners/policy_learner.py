"""Learning a policy by one step, and then a value function by several: VPG and TRPO."""

from __future__ import annotations

from typing import Protocol, final

import numpy as np
import tensorflow as tf

from plx_core import State, UpdateResult, as_features
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
from plx_rl.losses.policy_gradients import explained_variance, value_loss
from plx_rl.randomness import generator_state, restore_generator


class PolicyStep(Protocol):
    """Changes the policy's weights once."""

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """Take the step for a batch (`state`, `action`, `mask`, `advantage`, `weights`); metrics by name, `loss` among them."""


@final
class PolicyLearner(OnPolicyLearner):
    """A step of the policy for each batch, then updates of the value function towards the batch's returns.

    Args:
        actor_critic: what learns.
        policy_step: changes the policy.
        policy_optimizer: what the step uses, if it uses one.
        value_optimizer: changes the value function; None where there is none.
        value_epochs: how many times each transition is learnt from by the value function.
        minibatch_size: how many transitions one of its updates has; the whole batch when None.
        seed: of the minibatches.
        discount: γ.
        gae_lambda: λ of generalised advantage estimates.
    """

    def __init__(
        self,
        actor_critic: ActorCritic,
        policy_step: PolicyStep,
        *,
        policy_optimizer: Optimizer,
        value_optimizer: Optimizer,
        value_epochs: int,
        minibatch_size: int | None,
        seed: int,
        discount: float,
        gae_lambda: float,
    ) -> None:
        optimizers = (
            {}
            if policy_optimizer is None
            else {"optimizer": (policy_optimizer, actor_critic.policy_weights)}
        )
        if value_optimizer is not None:
            optimizers["value_optimizer"] = (value_optimizer, actor_critic.value_weights)
        super().__init__(actor_critic, optimizers, discount=discount, gae_lambda=gae_lambda)
        self._value_optimizer = value_optimizer
        self._epochs, self._size = value_epochs, minibatch_size
        self._steps = 0
        self._rng = np.random.default_rng(seed)
        self._steps_of_policy, self._fits = programs(policy_step), programs(self._fit_value)
        self.compile(xla=False)

    @property
    def global_step(self) -> int:
        """How many steps the policy has taken."""
        return self._steps

    def compile(self, *, xla: bool) -> None:
        """Whether the programs are to be compiled with XLA."""
        self._improve, self._fit = self._steps_of_policy[xla], self._fits[xla]

    def update(self, batches: Batch, num_envs: int) -> UpdateResult:
        """One step of the policy, and the value function's updates."""
        batch = first_batch(batches)
        has_value = self._value_optimizer is not None
        estimates = self.estimate(batch, num_envs) if has_value else self._returns(batch, num_envs)
        columns = inputs(batch) | {"advantage": estimates.advantages, "weights": estimates.weights}
        metrics = {name: float(value) for name, value in self._improve(columns).items()}
        if has_value:
            metrics |= self._learn_value(batch, estimates)
        self._steps += 1
        return UpdateResult(metrics)

    def state(self) -> State:
        """The variables, the number of steps, and the generator of minibatches."""
        return {**super().state(), "steps": self._steps, "minibatches": generator_state(self._rng)}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        super().restore(state)
        self._steps = state["steps"]
        restore_generator(self._rng, state["minibatches"])

    def _returns(self, batch: Batch, num_envs: int) -> Estimates:
        """Discounted returns, where there is no value function; an episode that the batch cuts has none, and does not count."""
        ended = batch["terminated"] | batch["truncated"]
        carry_t = self._rows(np.where(ended, 0.0, self.discount), num_envs)
        returns = returns_on_host(self._rows(batch["reward"], num_envs), carry_t).ravel()
        is_complete = np.flip(
            np.logical_or.accumulate(np.flip(ended.reshape(-1, num_envs), 0)), 0
        ).ravel()
        weights = (batch["valid"] & is_complete).astype(np.float32)
        if not weights.any():
            raise ComponentError(
                f"no episode ended within a batch of {len(ended)} transitions, and without a baseline nothing can be learnt from a part "
                "of one: make the memory's batch_size larger, or set baseline: true"
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

    def _fit_value(
        self, state: Tensor, returns: Tensor, weights: Tensor, minibatches: Tensor
    ) -> Tensor:
        optimizer, variables = self._value_optimizer, self.actor_critic.value_weights
        count = tf.shape(minibatches)[0]

        def update(index: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
            rows = minibatches[index]
            features = tf.nest.map_structure(
                lambda column: tf.gather(column, rows), as_features(state)
            )
            with tf.GradientTape() as tape:
                loss = value_loss(
                    self.actor_critic.value(features),
                    tf.gather(returns, rows),
                    tf.gather(weights, rows),
                )
                loss += penalties(variables)
                scaled = optimizer.scale_loss(loss)
            optimizer.apply(tape.gradient(scaled, variables), variables)
            return index + 1, total + loss

        _, total = tf.while_loop(
            lambda index, _: index < count, update, (tf.constant(0), tf.constant(0.0))
        )
        return total / tf.cast(count, tf.float32)
