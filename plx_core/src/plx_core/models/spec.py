"""A model joins a graph to what it is trained with; calling it gives a specification that an estimator can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import field, frozen

from plx_core.models.bridge import SampleFn
from plx_core.types import Optimizer

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
SUMMARIES: tuple[str, ...] = (
    "activations",
    "loss",
    "learning_rate",
    "variables",
    "gradients",
    "image_input",
    "image_result",
)
DEFAULT_SUMMARIES = ("loss", "learning_rate")


@frozen(kw_only=True)
class EstimatorSpec:
    """What an estimator runs: the network, and pure functions of (features, labels, outputs).

    Args:
        mode: one of `Modes`.
        network: takes a mapping of features, gives the outputs.
        loss_fn: (features, labels, outputs) to a scalar, or to scalars by name that are added up; the penalties of
            regularizers are added by the estimator.
        optimizer: updates the network's trainable variables.
        metrics: Keras metrics by name.
        update_metrics: (features, labels, outputs) to nothing; updates each metric.
        predict_fn: (features, outputs) to the predictions by name.
        decode_fn: latents to predictions by name, of a model that generates.
        sample_fn: how many and a generator of random numbers to latents, of a model that draws them.
        clip_gradients: the largest global norm of the gradients.
        clip_embed_gradients: the largest norm of each embedding's gradient.
        summaries: what is written to TensorBoard; any of `SUMMARIES`.
    """

    mode: str
    network: keras.Model
    loss_fn: Callable[[Any, Any, Any], Any] | None = None
    optimizer: Any = None
    metrics: Mapping[str, Any] = field(factory=dict)
    update_metrics: Callable[[Any, Any, Any], None] = lambda features, labels, outputs: None
    predict_fn: Callable[[Any, Any], Mapping[str, Any]] = lambda features, outputs: (
        outputs if isinstance(outputs, Mapping) else {"results": outputs}
    )
    decode_fn: Callable[[Any], Mapping[str, Any]] | None = None
    sample_fn: SampleFn | None = None
    clip_gradients: float | None = None
    clip_embed_gradients: float | None = None
    summaries: frozenset[str] = frozenset(DEFAULT_SUMMARIES)

    @property
    def is_agent(self) -> bool:
        """Whether an agent runs this specification."""
        return False

    @property
    def has_schedule(self) -> bool:
        """Whether the optimizer's learning rate follows a schedule, so that it cannot be set."""
        return follows_schedule(self.optimizer)


def follows_schedule(optimizer: Optimizer) -> bool:
    """Whether the learning rate of an optimizer follows a schedule, so that it cannot be set."""
    import keras

    rate = getattr(optimizer, "_learning_rate", None)
    return isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
