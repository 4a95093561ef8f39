"""Learning a policy and a value function together, by one loss: A2C and PPO."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

import numpy as np
import tensorflow as tf

from plx_core import Environment, FusedProgram, Memory, State, UpdateResult, clip_gradients
from plx_core.errors import ComponentError
from plx_core.types import Batch, Optimizer, Tensor
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.learners.base import penalties, programs
from plx_rl.learners.fused_actor_critic import FusedActorCritic
from plx_rl.learners.on_policy_learner import ActorCritic, OnPolicyLearner, first_batch, inputs
from plx_rl.losses.policy_gradients import explained_variance
from plx_rl.randomness import generator_state, restore_generator

LossFn = Callable[[Batch, Tensor], tuple[Tensor, dict[str, Tensor]]]


@final
class ActorCriticLearner(OnPolicyLearner):
    """Minimises a loss over minibatches of a batch, several times over.

    Args:
        actor_critic: what learns.
        optimizer: changes all weights.
        loss_fn: of a minibatch (`state`, `action`, `mask`, `log_prob`, `advantage`, `returns`, `value`, `weights`) and the clip range;
            the loss, and metrics by name, `approximate_kl` among them where there is a `target_kl`.
        metric_names: the names of those metrics.
        epochs: how many times each transition is learnt from.
        minibatch_size: how many transitions a minibatch has; the whole batch when None.
        clip_range: how far the policy may move, a scalar tensor, of the global step, another.
        target_kl: no further update of a batch once the policy has moved so far; never when None.
        clip_gradients: the largest global norm of the gradients.
        clip_embed_gradients: the largest norm of each embedding's gradient.
        seed: of the minibatches.
        discount: γ.
        gae_lambda: λ of generalised advantage estimates.
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
        super().__init__(
            actor_critic,
            {"optimizer": (optimizer, actor_critic.weights)},
            discount=discount,
            gae_lambda=gae_lambda,
        )
        self.optimizer, self.loss_fn, self._names = optimizer, loss_fn, ("loss", *metric_names)
        self.epochs, self.minibatch_size, self.clip_range, self.target_kl = (
            epochs,
            minibatch_size,
            clip_range,
            target_kl,
        )
        self.clip_gradients = clip_gradients
        self._clips = (clip_gradients, clip_embed_gradients)
        self._rng = np.random.default_rng(seed)
        self._programs = programs(self._updates)
        self.compile(xla=False)

    def compile(self, *, xla: bool) -> None:
        """Whether the program of updates is to be compiled with XLA."""
        self._xla = xla
        self._program = self._programs[xla]

    def check(self, memory: Memory) -> None:
        """Refuse batches that are smaller than a minibatch.

        Raises:
            ComponentError: the memory's are, or it makes transitions over several steps.
        """
        super().check(memory)
        if self.minibatch_size is not None and self.minibatch_size > memory.batch_size:
            raise ComponentError(
                f"minibatch_size is {self.minibatch_size}, and a batch of the {type(memory).__name__} has {memory.batch_size} transitions: "
                "make minibatch_size smaller, or batch_size larger",
                about="agent.memory",
            )

    def fuse(self, env: Environment, batch_size: int) -> FusedProgram | None:
        """One program that acts and learns, where the environment is a program."""
        if not isinstance(env, CompiledEnvironment):
            return None

        def updates(batch: Batch, seed: Tensor) -> dict[str, Tensor]:
            return self._updates(
                batch, self._drawn_minibatches(batch_size, self.minibatch_size or batch_size, seed)
            )

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
        """The updates of one batch: `epochs` times its number of minibatches."""
        batch = first_batch(batches)
        estimates = self.estimate(batch, num_envs)
        columns = inputs(batch) | {
            "advantage": estimates.advantages,
            "returns": estimates.returns,
            "value": estimates.values,
            "weights": estimates.weights,
        }
        size = self.minibatch_size or len(estimates.returns)
        found = self._program(columns, self._minibatches(len(estimates.returns), size))
        metrics = {name: float(value) for name, value in found.items()}
        return UpdateResult(metrics | {"value": float(estimates.values.mean())})

    def state(self) -> State:
        """The variables, and the generator of minibatches."""
        return {**super().state(), "minibatches": generator_state(self._rng)}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        super().restore(state)
        restore_generator(self._rng, state["minibatches"])

    def _minibatches(self, count: int, size: int) -> np.ndarray:
        """Which transitions each minibatch has, int32 [epochs · minibatches, size]; a rest that fills none is left out."""
        if size == count:
            return np.zeros((self.epochs, 0), np.int32)
        orders = [
            self._rng.permutation(count)[: count // size * size].reshape(-1, size)
            for _ in range(self.epochs)
        ]
        return np.concatenate(orders).astype(np.int32)

    def _drawn_minibatches(self, count: int, size: int, seed: Tensor) -> Tensor:
        """`_minibatches`, within a program."""
        if size == count:
            return tf.zeros((self.epochs, 0), tf.int32)
        keys = tf.random.stateless_uniform((self.epochs, count), tf.bitwise.invert(seed))
        orders = tf.argsort(keys, axis=-1)[:, : count // size * size]
        return tf.reshape(orders, [-1, size])

    def _updates(self, batch: Batch, minibatches: Tensor) -> dict[str, Tensor]:
        actor_critic, clip_range = (
            self.actor_critic,
            self.clip_range(tf.convert_to_tensor(self.optimizer.iterations)),
        )
        before = actor_critic.distribution.log_prob(actor_critic.parameters(batch), batch["action"])
        batch = {**batch, "log_prob": tf.stop_gradient(before)}
        total = tf.shape(minibatches)[0]

        def update(
            index: Tensor, going: Tensor, sums: dict[str, Tensor]
        ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
            found, going = self._update(self._take(batch, minibatches[index]), clip_range)
            return index + 1, going, {name: sums[name] + found[name] for name in sums}

        begin = (
            tf.constant(0),
            tf.constant(True),
            {name: tf.constant(0.0) for name in self._names},
        )
        count, _, sums = tf.while_loop(
            lambda index, going, _: going & (index < total), update, begin
        )
        means = {name: value / tf.cast(count, tf.float32) for name, value in sums.items()}
        return means | {
            "explained_variance": explained_variance(
                batch["value"], batch["returns"], batch["weights"]
            )
        }

    def _take(self, batch: Batch, rows: Tensor) -> Mapping[str, Tensor]:
        if rows.shape[0] == 0:
            return batch
        return tf.nest.map_structure(lambda column: tf.gather(column, rows), dict(batch))  # type: ignore[no-any-return]

    def _update(self, batch: Batch, clip_range: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """What came of a minibatch, and whether it was learnt from: not where the policy has moved too far already."""
        found, gradients = self._gradients(batch, clip_range)

        def learn() -> bool:
            self.optimizer.apply(gradients, self.actor_critic.weights)
            return True

        if (
            self.target_kl is None
        ):  # no branch is built, whose many operands cost more than a small network's update
            return found, learn()
        return found, tf.cond(found["approximate_kl"] <= 1.5 * self.target_kl, learn, lambda: False)

    def _gradients(
        self, batch: Batch, clip_range: Tensor
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """The loss and the metrics of a minibatch, and the gradients, clipped."""
        weights = self.actor_critic.weights
        with tf.GradientTape() as tape:
            loss, metrics = self.loss_fn(batch, clip_range)
            loss += penalties(weights)
            scaled = self.optimizer.scale_loss(loss)
        return {"loss": loss, **metrics}, clip_gradients(
            tape.gradient(scaled, weights), weights, *self._clips
        )
