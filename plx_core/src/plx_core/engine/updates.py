"""Updates of weights by gradients: loss scale, clipping, optimizer, averages, and the clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import keras
import tensorflow as tf

from plx_core.engine.gradients import clip_gradients
from plx_core.errors import ComponentError
from plx_core.types import Optimizer, Tensor, Variable


class Updater:
    """Updates weights by the gradients of a loss, and counts the steps.

    A step is one call of `apply`, that is, one batch. It changes no weight where the optimizer
    accumulates gradients (`gradient_accumulation_steps`) or skips gradients that are not finite.

    In `mixed_float16` the loss is scaled by Keras's `LossScaleOptimizer`, as in Keras's `fit`,
    unless the optimizer has a `loss_scale_factor` of its own.

    Args:
        optimizer: a Keras optimizer; it is built here.
        weights: what it updates.
        clip_norm: the largest global norm of the gradients of a batch; None to leave it.
        clip_embedding_norm: the largest norm of the gradient of an embedding; None to leave it.

    Raises:
        ComponentError: there are no weights.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        weights: Sequence[Variable],
        clip_norm: float | None = None,
        clip_embedding_norm: float | None = None,
    ) -> None:
        if not weights:
            raise ComponentError(
                "the network has no trainable weights; add a layer that has some, or leave its "
                "layers trainable"
            )
        self.optimizer = _with_loss_scale(optimizer)
        self.weights = list(weights)
        self.step = tf.Variable(0, trainable=False, dtype=tf.int64)
        """The number of steps so far: the clock of a run."""
        self._norms = (clip_norm, clip_embedding_norm)
        self.optimizer.build(self.weights)
        self._averages = [
            (weight, average)
            for single in _single_optimizers(self.optimizer)
            if getattr(single, "use_ema", False)
            for weight, average in zip(
                single._trainable_variables, single._model_variables_moving_average, strict=True
            )
            if average is not None
        ]
        self.begin_from_weights()

    def begin_from_weights(self) -> None:
        """Start what follows the weights at the weights: averages, which Keras starts at 0."""
        for weight, average in self._averages:
            average.assign(weight)
        for single in _single_optimizers(self.optimizer):
            if isinstance(single, keras.optimizers.ScheduleFreeAdamW):
                for weight, iterate in zip(
                    single._trainable_variables, single._momentums, strict=True
                ):
                    if iterate is not None:
                        iterate.assign(weight)

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss, a scalar, times the loss scale; call it where the tape records."""
        return self.optimizer.scale_loss(loss)

    def unscale(self, gradients: list[Tensor]) -> list[Tensor]:
        """Return the gradients of the loss for those of the scaled loss; None stays None."""
        scale = self.optimizer.scale_loss(1.0)
        return [
            None if gradient is None else tf.convert_to_tensor(gradient) / scale
            for gradient in gradients
        ]

    def clip(self, gradients: list[Tensor]) -> list[Tensor]:
        """Clip the gradients of the scaled loss so that those of the loss have the norms set."""
        scale = self.optimizer.scale_loss(1.0)
        norms = (None if norm is None else norm * scale for norm in self._norms)
        return clip_gradients(gradients, self.weights, *norms)

    def apply(self, gradients: list[Tensor]) -> None:
        """Take a step.

        Args:
            gradients: those of the scaled loss, for each of the weights; None where there is none.
        """
        self.optimizer.apply(gradients, self.weights)
        self.step.assign_add(1)

    @property
    def variables(self) -> dict[str, Variable]:
        """The step, and the variables of the optimizer without averages, by name."""
        averages = {id(average) for _, average in self._averages}
        return {"step": self.step} | {
            f"{index:04d}": variable
            for index, variable in enumerate(self.optimizer.variables)
            if id(variable) not in averages
        }

    def averages(self, variables: Mapping[str, Variable]) -> dict[str, Variable]:
        """Return the averages that the optimizer keeps (`use_ema`), by the names of the weights.

        Args:
            variables: the variables of the network, by name.
        """
        averages = {id(weight): average for weight, average in self._averages}
        return {
            name: averages[id(variable)]
            for name, variable in variables.items()
            if id(variable) in averages
        }


def _with_loss_scale(optimizer: Optimizer) -> Optimizer:
    is_float16 = keras.config.dtype_policy().name == "mixed_float16"
    has_scale = isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or (
        getattr(optimizer, "loss_scale_factor", None) is not None
    )
    if not is_float16 or has_scale:
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)


def _single_optimizers(optimizer: Optimizer) -> Iterator[Optimizer]:
    """Yield the optimizers that Keras's `LossScaleOptimizer` and `MultiOptimizer` contain."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        yield from _single_optimizers(optimizer.inner_optimizer)
    elif isinstance(optimizer, keras.optimizers.MultiOptimizer):
        for single in optimizer.optimizers:
            yield from _single_optimizers(single)
    else:
        yield optimizer
