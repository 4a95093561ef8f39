"""Updates a policy and a value function by one loss: A2C and PPO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, final

import numpy as np
import tensorflow as tf

from plx_core import Environment, FusedProgram, Memory, State, Updater, UpdateResult
from plx_core.errors import ComponentError
from plx_core.types import Array, Batch, Optimizer, Tensor
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.learners.base import penalties, programs
from plx_rl.learners.fused_actor_critic import FusedActorCritic
from plx_rl.learners.on_policy_learner import ActorCritic, OnPolicyLearner, first_batch, inputs
from plx_rl.losses.policy_gradients import explained_variance
from plx_rl.randomness import generator_state, restore_generator

LossFn: TypeAlias = Callable[[Batch, Tensor], tuple[Tensor, dict[str, Tensor]]]


@final
class ActorCriticLearner(OnPolicyLearner):
    """Minimises a loss over the minibatches of a rollout, for several epochs.

    Args:
        actor_critic: the networks.
        optimizer: the optimizer of all weights.
        loss_fn: a function of a minibatch (`state`, `action`, `mask`, `log_prob`, `advantage`,
            `returns`, `value`, `weights`) and the clip range. It returns the loss, and metrics by
            name, which include `approximate_kl` if there is a `target_kl`.
        metric_names: the names of those metrics.
        epochs: the number of passes over each rollout.
        minibatch_size: the number of transitions in a minibatch; the whole batch when None.
        clip_range: the clip range as a function of the global step, both scalar tensors.
        target_kl: stop updating on a rollout when the KL divergence exceeds 1.5 times this; never
            when None.
        clip_gradients: the largest global norm of the gradients.
        clip_embed_gradients: the largest norm of the gradient of each embedding.
        seed: the seed of the minibatches.
        discount: γ.
        gae_lambda: λ of generalised advantage estimation.
    """

    def __init__(
        self,
        actor_critic: ActorCritic,
        optimizer: Optimizer,
        loss_fn: LossFn,
        metric_names: Sequence[str],
        *,
        epochs: int,
        minibatch_size: int | None,
        clip_range: Callable[[Tensor], Tensor],
        target_kl: float | None,
        clip_gradients: float | None,
        clip_embed_gradients: float | None,
        seed: int,
        discount: float,
        gae_lambda: float,
    ) -> None:
        self.updater = Updater(
            optimizer, actor_critic.weights, clip_gradients, clip_embed_gradients
        )
        super().__init__(
            actor_critic,
            {"optimizer": self.updater},
            discount=discount,
            gae_lambda=gae_lambda,
        )
        self.optimizer = optimizer
        self.loss_fn = loss_fn
        self.epochs = epochs
        self.minibatch_size = minibatch_size
        self.clip_range = clip_range
        self.target_kl = target_kl
        self._names = ("loss", *metric_names)
        self.clip_gradients = clip_gradients
        self._rng = np.random.default_rng(seed)
        self._programs = programs(self._updates)
        self.compile(xla=False)

    def compile(self, *, xla: bool) -> None:
        """Set whether to compile the updates with XLA."""
        self._xla = xla
        self._program = self._programs[xla]

    def check(self, memory: Memory) -> None:
        """Check that a batch has enough transitions for a minibatch.

        Raises:
            ComponentError: it has not, or the memory stores n-step transitions.
        """
        super().check(memory)
        if self.minibatch_size is not None and self.minibatch_size > memory.batch_size:
            raise ComponentError(
                f"minibatch_size is {self.minibatch_size}, but a batch of the "
                f"{type(memory).__name__} has {memory.batch_size} transitions; "
                "use a smaller minibatch_size or a larger batch_size",
                about="agent.memory",
            )

    def fuse(self, env: Environment, batch_size: int) -> FusedProgram | None:
        """Return a program for rollouts and updates, if the environment is compiled."""
        if not isinstance(env, CompiledEnvironment):
            return None

        def updates(batch: Batch, seed: Tensor) -> dict[str, Tensor]:
            size = self.minibatch_size or batch_size
            return self._updates(batch, self._drawn_minibatches(batch_size, size, seed))

        return FusedActorCritic(
            env,
            self.actor_critic,
            updates,
            lambda: self._rng.integers(0, 2**31, 2, np.int32),
            steps=batch_size // env.num_envs,
            discount=self.discount,
            gae_lambda=self.gae_lambda,
            xla=self._xla,
        )

    def update(self, batches: Batch, num_envs: int) -> UpdateResult:
        """Make the updates of one rollout: one for each minibatch of each epoch."""
        batch = first_batch(batches)
        estimates = self.estimate(batch, num_envs)
        columns = inputs(batch) | {
            "advantage": estimates.advantages,
            "returns": estimates.returns,
            "value": estimates.values,
            "weights": estimates.weights,
        }
        size = self.minibatch_size or len(estimates.returns)
        results = self._program(columns, self._minibatches(len(estimates.returns), size))
        metrics = {name: float(value) for name, value in results.items()}
        return UpdateResult(metrics | {"value": float(estimates.values.mean())})

    def state(self) -> State:
        """Return the variables and the state of the minibatches' generator."""
        return {**super().state(), "minibatches": generator_state(self._rng)}

    def restore(self, state: State) -> None:
        """Restore what `state` returned."""
        super().restore(state)
        restore_generator(self._rng, state["minibatches"])

    def _minibatches(self, count: int, size: int) -> Array:
        """Draw the indices of each minibatch, int32 [epochs · minibatches, size].

        Transitions that do not fill a minibatch are left out. [epochs, 0] means the whole batch.
        """
        if size == count:
            return np.zeros((self.epochs, 0), np.int32)
        orders = [
            self._rng.permutation(count)[: count // size * size].reshape(-1, size)
            for _ in range(self.epochs)
        ]
        return np.concatenate(orders).astype(np.int32)

    def _drawn_minibatches(self, count: int, size: int, seed: Tensor) -> Tensor:
        """Draw `_minibatches` within a compiled program."""
        if size == count:
            return tf.zeros((self.epochs, 0), tf.int32)
        keys = tf.random.stateless_uniform((self.epochs, count), tf.bitwise.invert(seed))
        orders = tf.argsort(keys, axis=-1)[:, : count // size * size]
        return tf.reshape(orders, [-1, size])

    def _updates(self, batch: Batch, minibatches: Tensor) -> dict[str, Tensor]:
        actor_critic = self.actor_critic
        clip_range = self.clip_range(tf.convert_to_tensor(self.updater.step))
        before = actor_critic.distribution.log_prob(actor_critic.parameters(batch), batch["action"])
        batch = {**batch, "log_prob": tf.stop_gradient(before)}
        total = tf.shape(minibatches)[0]

        def update(
            index: Tensor, proceed: Tensor, sums: dict[str, Tensor]
        ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
            metrics, proceed = self._update(self._take(batch, minibatches[index]), clip_range)
            return index + 1, proceed, {name: sums[name] + metrics[name] for name in sums}

        zeros = {name: tf.constant(0.0) for name in self._names}
        count, _, sums = tf.while_loop(
            lambda index, proceed, _: proceed & (index < total),
            update,
            (tf.constant(0), tf.constant(True), zeros),
        )
        means = {name: value / tf.cast(count, tf.float32) for name, value in sums.items()}
        variance = explained_variance(batch["value"], batch["returns"], batch["weights"])
        return means | {"explained_variance": variance}

    def _take(self, batch: Batch, rows: Tensor) -> Batch:
        if rows.shape[0] == 0:
            return batch
        minibatch: Batch = tf.nest.map_structure(
            lambda column: tf.gather(column, rows), dict(batch)
        )
        return minibatch

    def _update(self, batch: Batch, clip_range: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Update on a minibatch; return its metrics and whether the policy may move further."""
        metrics, gradients = self._gradients(batch, clip_range)

        def learn() -> bool:
            self.updater.apply(gradients)
            return True

        if self.target_kl is None:  # a tf.cond costs more than the update of a small network
            return metrics, learn()
        is_close = metrics["approximate_kl"] <= 1.5 * self.target_kl
        return metrics, tf.cond(is_close, learn, lambda: False)

    def _gradients(
        self, batch: Batch, clip_range: Tensor
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """Return the loss and metrics of a minibatch, and the clipped gradients."""
        weights = self.actor_critic.weights
        with tf.GradientTape() as tape:
            loss, metrics = self.loss_fn(batch, clip_range)
            loss += penalties(weights)
            scaled = self.updater.scale(loss)
        return {"loss": loss, **metrics}, self.updater.clip(tape.gradient(scaled, weights))
