"""The specification that a model returns and an estimator runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from attrs import field, frozen

from plx_core.annotations import OneOrMany
from plx_core.errors import ComponentError, did_you_mean
from plx_core.models.bridge import SampleFn
from plx_core.networks.fitted_layers import require_fitted
from plx_core.types import Features, Labels, Metric, Nested, Optimizer, Tensor

if TYPE_CHECKING:
    import keras

Summary: TypeAlias = Literal[
    "all",
    "activations",
    "loss",
    "learning_rate",
    "variables",
    "gradients",
    "image_input",
    "image_result",
]
"""The name of something that a model can write to TensorBoard; `all` for everything."""
SUMMARIES: tuple[str, ...] = get_args(Summary)[1:]
DEFAULT_SUMMARIES = ("loss", "learning_rate")
"""The summaries that a model writes by default."""


def _summaries(value: OneOrMany | frozenset[str] | None) -> frozenset[str]:
    """Return the names of summaries, with those that `all` stands for.

    Raises:
        ComponentError: there is no such summary.
    """
    names = [value] if isinstance(value, str) else list(value or ())
    for name in names:
        if name not in ("all", *SUMMARIES):
            raise ComponentError(
                f"there is no summary called {name}{did_you_mean(name, SUMMARIES)} "
                f"(there are all, {', '.join(SUMMARIES)})"
            )
    return frozenset(SUMMARIES if "all" in names else names)


def _no_update(features: Features, labels: Labels, outputs: Nested) -> None:
    """Update no metric."""


def _outputs_by_name(features: Features, outputs: Nested) -> Mapping[str, Nested]:
    return outputs if isinstance(outputs, Mapping) else {"results": outputs}


@frozen
class LabelRange:
    """The valid values of a label: numbers from 0 to `highest`, and `padding`.

    Args:
        highest: the largest value.
        is_index: the label is the index of a class, so that only whole numbers are valid.
        padding: a further valid value; None for none.
    """

    highest: int
    is_index: bool = True
    padding: int | None = None

    def __str__(self) -> str:
        """Return the valid values in words."""
        text = f"0 to {self.highest}"
        return text if self.padding is None else f"{text}, or {self.padding} for padding"


@frozen(kw_only=True)
class EstimatorSpec:
    """A network, and pure functions of (features, labels, outputs) to train and use it.

    Args:
        mode: one of `Modes`.
        network: takes a mapping of features and returns the outputs.
        loss_fn: converts (features, labels, outputs) to a scalar, or to scalars by name that are
            summed. The estimator adds the penalties of regularizers.
        optimizer: updates the trainable variables of the network.
        label_ranges: the valid values of labels, by the label's name. Training and evaluation stop
            at others, and name the example.
        metrics: Keras metrics by name.
        update_metrics: updates each metric with (features, labels, outputs).
        predict_fn: converts (features, outputs) to predictions by name.
        decode_fn: converts latents to predictions by name, for generative models.
        sample_fn: draws latents, for generative models.
        clip_gradients: the largest global norm of the gradients.
        clip_embed_gradients: the largest norm of the gradient of each embedding.
        summaries: what to write to TensorBoard; `all`, or any of `SUMMARIES`.
    """

    mode: str
    network: keras.Model
    loss_fn: Callable[[Features, Labels, Nested], Tensor | Mapping[str, Tensor]] | None = None
    optimizer: Optimizer = None
    label_ranges: Mapping[str, LabelRange] = field(factory=dict)
    metrics: Mapping[str, Metric] = field(factory=dict)
    update_metrics: Callable[[Features, Labels, Nested], None] = _no_update
    predict_fn: Callable[[Features, Nested], Mapping[str, Nested]] = _outputs_by_name
    decode_fn: Callable[[Nested], Mapping[str, Nested]] | None = None
    sample_fn: SampleFn | None = None
    clip_gradients: float | None = None
    clip_embed_gradients: float | None = None
    summaries: frozenset[str] = field(default=DEFAULT_SUMMARIES, converter=_summaries)

    def __attrs_post_init__(self) -> None:
        for layer in self.network._flatten_layers(include_self=False):
            require_fitted(layer)

    @property
    def is_agent(self) -> bool:
        """Whether an agent runs this specification."""
        return False

    @property
    def evaluation_metrics(self) -> tuple[str, ...]:
        """The names of the metrics of an evaluation; one with several values has further ones."""
        return ("loss", *self.metrics)

    @property
    def has_schedule(self) -> bool:
        """Whether the optimizer's learning rate follows a schedule, so that it cannot be set."""
        return follows_schedule(self.optimizer)


def follows_schedule(optimizer: Optimizer) -> bool:
    """Return whether an optimizer's learning rate follows a schedule, so that it cannot be set."""
    import keras

    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of Keras's LossScaleOptimizer
    rate = getattr(inner, "_learning_rate", None)
    return isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
