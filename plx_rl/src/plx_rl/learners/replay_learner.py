"""Learning from replayed transitions: many updates in one call of TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import tensorflow as tf

from plx_core import Memory, UpdateResult, clip_gradients
from plx_core.errors import ComponentError
from plx_core.types import Batch, Network, Optimizer, Tensor
from plx_rl.learners.base import OptimizedLearner, penalties, programs

LossFn = Callable[[Batch], tuple[Tensor, Tensor, Tensor]]


@final
class ReplayLearner(OptimizedLearner):
    """Minimises a loss over batches of transitions; a target network follows the one that learns.

    Args:
        network: learns and acts.
        target: what the targets are computed with; its variables are those of `network`, in the same order. None when there is none.
        optimizer: changes the network's weights.
        loss_fn: of a batch, its transitions' arrays [B, …] by name; the loss, how wrong each transition's value is [B], and the
            mean value.
        target_update_frequency: the target follows before each update whose number is a multiple of this.
        tau: how far it goes each time: 1 makes it equal to the network. Source: Lillicrap et al. 2016, section 3.
        needs_demonstrations: whether the loss reads which transitions are an expert's.
        clip_gradients: the largest global norm of the gradients.
        clip_embed_gradients: the largest norm of each embedding's gradient.
    """

    def __init__(
        self,
        network: Network,
        target: Network,
        optimizer: Optimizer,
        loss_fn: LossFn,
        *,
        target_update_frequency: int,
        tau: float,
        needs_demonstrations: bool = False,
        clip_gradients: float | None = None,
        clip_embed_gradients: float | None = None,
    ) -> None:
        weights = network.trainable_variables
        networks = {"variables": network} | ({"target": target} if target is not None else {})
        super().__init__(networks, {"optimizer": (optimizer, weights)})
        self._weights, self._optimizer, self._loss_fn = weights, optimizer, loss_fn
        self._pairs = (
            [] if target is None else list(zip(target.variables, network.variables, strict=True))
        )
        self._frequency, self._tau = target_update_frequency, tau
        self._needs_demonstrations = needs_demonstrations
        self._clips = (clip_gradients, clip_embed_gradients)
        self._programs = programs(self._updates)
        self.begin_from_weights()
        self.compile(xla=False)

    def compile(self, *, xla: bool) -> None:
        """Whether the program of updates is to be compiled with XLA."""
        self._program = self._programs[xla]

    def check(self, memory: Memory) -> None:
        """Refuse a memory without an expert's transitions where the loss needs them.

        Raises:
            ComponentError: it is one.
        """
        if self._needs_demonstrations and not memory.holds_demonstrations:
            raise ComponentError(
                "the model learns from an expert's demonstrations; "
                f"take a memory that has some, such as DemonstrationMemory, in place of {type(memory).__name__}",
                about="agent.memory",
            )

    def begin_from_weights(self) -> None:
        """Make the target equal to the network."""
        for follower, leader in self._pairs:
            follower.assign(leader)

    def update(self, batches: Batch, num_envs: int) -> UpdateResult:
        """One update for each of K batches."""
        used = {
            name: value for name, value in batches.items() if name not in ("indices", "truncated")
        }
        loss, value, errors = self._program(used)
        metrics = {"loss": float(loss), "value": float(value)}
        return UpdateResult(metrics, errors.numpy() if "weights" in batches else None)

    def _updates(self, batches: Batch) -> tuple[Tensor, Tensor, Tensor]:
        count = tf.shape(batches["reward"])[0]

        def update(
            index: Tensor, losses: Tensor, values: Tensor, errors: Tensor
        ) -> tuple[Tensor, ...]:
            self._follow()
            loss, error, value = self._update(
                tf.nest.map_structure(lambda column: column[index], dict(batches))
            )
            if "weights" in batches:
                errors = tf.tensor_scatter_nd_update(errors, [[index]], [error])
            return index + 1, losses + loss, values + value, errors

        begin = (
            tf.constant(0),
            tf.constant(0.0),
            tf.constant(0.0),
            tf.zeros_like(batches["reward"]),
        )
        _, losses, values, errors = tf.while_loop(lambda index, *_: index < count, update, begin)
        total = tf.cast(count, tf.float32)
        return losses / total, values / total, errors

    def _update(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        with tf.GradientTape() as tape:
            loss, error, value = self._loss_fn(batch)
            loss += penalties(self._weights)
            scaled = self._optimizer.scale_loss(loss)
        gradients = clip_gradients(
            tape.gradient(scaled, self._weights), self._weights, *self._clips
        )
        self._optimizer.apply(gradients, self._weights)
        return loss, error, value

    def _follow(self) -> None:
        if not self._pairs:
            return
        if self._frequency == 1:
            self._assign()
            return
        is_due = tf.equal(tf.cast(self._optimizer.iterations, tf.int64) % self._frequency, 0)
        tf.cond(is_due, self._assign, lambda: tf.constant(False))

    def _assign(self) -> Tensor:
        for follower, leader in self._pairs:
            is_blended = self._tau < 1.0 and leader.dtype.startswith("float")
            follower.assign(follower + self._tau * (leader - follower) if is_blended else leader)
        return tf.constant(True)
