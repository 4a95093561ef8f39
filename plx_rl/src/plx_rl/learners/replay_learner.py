"""Off-policy updates from replayed transitions, many in one TensorFlow call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, final

import tensorflow as tf

from plx_core import Memory, Updater, UpdateResult
from plx_core.errors import ComponentError
from plx_core.types import Batch, Network, Optimizer, Tensor, Variable
from plx_rl.learners.base import OptimizedLearner, penalties, programs

LossFn: TypeAlias = Callable[[Batch], tuple[Tensor, Tensor, Tensor]]


@final
class ReplayLearner(OptimizedLearner):
    """Minimises a loss over batches of transitions, with a target network.

    Args:
        network: the online network.
        target: the target network, with the same variables in the same order; None for none.
        optimizer: the optimizer of the online network.
        loss_fn: a function of a batch, arrays [B, …] by name, which returns the loss, the TD errors
            [B], and the mean value.
        target_update_frequency: the number of steps between two updates of the target network.
        tau: the Polyak averaging coefficient; 1 is a hard update. Source: Lillicrap et al. 2016,
            section 3.
        needs_demonstrations: whether the loss needs to know which transitions are an expert's.
        clip_gradients: the largest global norm of the gradients.
        clip_embed_gradients: the largest norm of the gradient of each embedding.
    """

    def __init__(
        self,
        network: Network,
        target: Network | None,
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
        self._updater = Updater(optimizer, weights, clip_gradients, clip_embed_gradients)
        super().__init__(networks, {"optimizer": self._updater})
        self._weights = weights
        self._loss_fn = loss_fn
        self._pairs: list[tuple[Variable, Variable]] = []
        if target is not None:
            self._pairs = list(zip(target.variables, network.variables, strict=True))
        self._frequency = target_update_frequency
        self._tau = tau
        self._needs_demonstrations = needs_demonstrations
        self._programs = programs(self._updates)
        self.begin_from_weights()
        self.compile(xla=False)

    def compile(self, *, xla: bool) -> None:
        """Set whether to compile the updates with XLA."""
        self._program = self._programs[xla]

    def check(self, memory: Memory) -> None:
        """Check that the memory has an expert's transitions, if the loss needs them.

        Raises:
            ComponentError: it has none.
        """
        if self._needs_demonstrations and not memory.holds_demonstrations:
            raise ComponentError(
                "the model learns from an expert's demonstrations; use a memory that holds some, "
                f"such as DemonstrationMemory, instead of {type(memory).__name__}",
                about="agent.memory",
            )

    def begin_from_weights(self) -> None:
        """Copy the weights of the online network to the target network and to the averages."""
        super().begin_from_weights()
        for target, online in self._pairs:
            target.assign(online)

    def update(self, batches: Batch, num_envs: int) -> UpdateResult:
        """Make one update for each of K batches."""
        columns = {
            name: value for name, value in batches.items() if name not in ("indices", "truncated")
        }
        loss, value, errors = self._program(columns)
        metrics = {"loss": float(loss), "value": float(value)}
        return UpdateResult(metrics, errors.numpy() if "weights" in batches else None)

    def _updates(self, batches: Batch) -> tuple[Tensor, Tensor, Tensor]:
        count = tf.shape(batches["reward"])[0]

        def update(
            index: Tensor, losses: Tensor, values: Tensor, errors: Tensor
        ) -> tuple[Tensor, ...]:
            self._update_target()
            loss, error, value = self._update(
                tf.nest.map_structure(lambda column: column[index], dict(batches))
            )
            if "weights" in batches:
                errors = tf.tensor_scatter_nd_update(errors, [[index]], [error])
            return index + 1, losses + loss, values + value, errors

        zero = tf.constant(0.0)
        start = (tf.constant(0), zero, zero, tf.zeros_like(batches["reward"]))
        _, losses, values, errors = tf.while_loop(lambda index, *_: index < count, update, start)
        total = tf.cast(count, tf.float32)
        return losses / total, values / total, errors

    def _update(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        with tf.GradientTape() as tape:
            loss, error, value = self._loss_fn(batch)
            loss += penalties(self._weights)
            scaled = self._updater.scale(loss)
        gradients = tape.gradient(scaled, self._weights)
        self._updater.apply(self._updater.clip(gradients))
        return loss, error, value

    def _update_target(self) -> None:
        if not self._pairs:
            return
        if self._frequency == 1:
            self._average()
            return
        is_due = tf.equal(self._updater.step % self._frequency, 0)
        tf.cond(is_due, self._average, lambda: tf.constant(False))

    def _average(self) -> Tensor:
        for target, online in self._pairs:
            is_averaged = self._tau < 1.0 and online.dtype.startswith("float")
            target.assign(target + self._tau * (online - target) if is_averaged else online)
        return tf.constant(True)
