"""What the outputs of a classifier mean: one class or a set of classes, logits or probabilities."""

from __future__ import annotations

from attrs import frozen
from keras import ops

from plx_core.errors import ComponentError
from plx_core.types import Loss, Tensor
from plx_layers.losses.declared import is_multi_label, loss_name, takes_logits


@frozen
class ClassTask:
    """The meaning of outputs, float [batch, …, columns].

    Args:
        columns: the size of the last axis; 1 means the positive one of two classes.
        multi_label: an example has a set of classes, each with a column of its own, and not one
            class.
        from_logits: outputs are logits, not probabilities.
        is_sigmoid: each column has the sigmoid of its logit as its probability, and not all the
            softmax.
    """

    columns: int
    multi_label: bool
    from_logits: bool
    is_sigmoid: bool

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.columns if self.multi_label else max(2, self.columns)

    def probabilities(self, outputs: Tensor) -> Tensor:
        """Return the probability of each column, float [batch, …, columns].

        Outputs that are no logits are the probabilities. A linear layer, trained to estimate them
        by `MeanSquaredError`, may leave the interval from 0 to 1; they are clipped to it.
        """
        if not self.from_logits:
            return ops.clip(outputs, 0.0, 1.0)
        return ops.sigmoid(outputs) if self.is_sigmoid else ops.softmax(outputs, axis=-1)

    def decisions(self, outputs: Tensor) -> Tensor:
        """Return the class of each example, int [batch, …], or its set: 0 or 1, [batch, …, n]."""
        if self.multi_label or self.columns == 1:
            decided = ops.cast(self.probabilities(outputs) > 0.5, "int64")
            return decided if self.multi_label else decided[..., 0]
        return ops.argmax(outputs, axis=-1)


def class_task(
    loss: Loss, columns: int, multi_label: bool | None, *, one_hot_encode: bool
) -> ClassTask:
    """Return what a classifier's outputs mean, by its loss and its parameters.

    Args:
        loss: the loss.
        columns: the size of the last axis of the outputs.
        multi_label: as the model declares it; None leaves it to the loss.
        one_hot_encode: labels are class indices, converted for the loss.

    Raises:
        ComponentError: the loss and the model contradict each other, or neither declares it.
    """
    declared = is_multi_label(loss)
    from_logits = takes_logits(loss) is not False
    name = loss_name(loss)
    if columns == 1 and declared is False:
        raise ComponentError(
            f"the loss {name} compares classes that exclude each other, and the graph has one "
            "output; give it an output for each class, or take a loss such as SigmoidCrossEntropy"
        )
    if multi_label and one_hot_encode:
        raise ComponentError(
            "one_hot_encode is for labels that are class indices, one for each example; with "
            "multi_label, a label has a column for each class"
        )
    if multi_label and declared is False:
        raise ComponentError(
            f"multi_label: the loss {name} compares classes that exclude each other; take a loss "
            "of independent classes, such as SigmoidCrossEntropy"
        )
    is_known = declared is not None or multi_label is not None or columns == 1
    if not is_known and (from_logits or not one_hot_encode):
        raise ComponentError(
            f"the loss {name} does not say whether classes exclude each other: set multi_label to "
            "true (an example has any number of classes; sigmoid) or false (it has one; softmax), "
            "or declare it as the attribute `multi_label` of the loss"
        )
    if multi_label is None:
        multi_label = bool(declared) and columns > 1 and not one_hot_encode
    return ClassTask(
        columns=columns,
        multi_label=multi_label,
        from_logits=from_logits,
        is_sigmoid=bool(declared) or multi_label or columns == 1,
    )
