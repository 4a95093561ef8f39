"""The decay family of TensorFlow 1, as a learning-rate schedule."""

from typing import Annotated, Any, Literal

import keras
import tensorflow as tf

from plx_core.annotations import NonNegativeFloat, NonNegativeInt, Range

DecayType = Literal["exponential_decay", "inverse_time_decay", "natural_exp_decay", "polynomial_decay", "piecewise_constant"]
DECAY_TYPES: tuple[str, ...] = ("exponential_decay", "inverse_time_decay", "natural_exp_decay", "polynomial_decay", "piecewise_constant")


@keras.saving.register_keras_serializable("plx_layers")
class Decay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that decays with the global step.

    With p = (min(step, stop_decay_at) − start_decay_at) / decay_steps, rounded down when `staircase` is set, the rate after
    `start_decay_at` is

    - `exponential_decay`: learning_rate · decay_rate^p
    - `natural_exp_decay`: learning_rate · exp(−decay_rate · p)
    - `inverse_time_decay`: learning_rate / (1 + decay_rate · p)
    - `polynomial_decay`: (learning_rate − end_learning_rate) · (1 − min(p, 1))^power + end_learning_rate
    - `piecewise_constant`: values[i], where i boundaries lie below the step

    and learning_rate before. It is never less than `min_learning_rate`.

    Args:
        learning_rate: the rate at the start.
        decay_type: which of the formulas.
        decay_rate: how much is lost in `decay_steps` steps.
        decay_steps: the steps after which that much is lost.
        start_decay_at: the step before which there is no decay.
        stop_decay_at: the step after which there is no further decay.
        min_learning_rate: the least rate.
        staircase: whether the rate falls in stairs of `decay_steps` steps.
        end_learning_rate: what `polynomial_decay` ends at.
        power: the exponent of `polynomial_decay`.
        boundaries: the steps at which `piecewise_constant` changes.
        values: its rates, one more than there are boundaries.
    """

    def __init__(
        self,
        learning_rate: NonNegativeFloat = 0.001,
        decay_type: DecayType = "exponential_decay",
        decay_rate: NonNegativeFloat = 0.0,
        decay_steps: Annotated[int, Range(minimum=1)] = 100,
        start_decay_at: NonNegativeInt = 0,
        stop_decay_at: NonNegativeInt = 2**31 - 1,
        min_learning_rate: NonNegativeFloat = 1e-12,
        staircase: bool = False,
        end_learning_rate: NonNegativeFloat = 0.0001,
        power: float = 1.0,
        boundaries: list[int] | None = None,
        values: list[float] | None = None,
    ) -> None:
        if decay_type not in DECAY_TYPES:
            raise ValueError(f"decay_type: expected one of {', '.join(DECAY_TYPES)}, got {decay_type!r}")
        if decay_type == "piecewise_constant" and len(values or ()) != len(boundaries or ()) + 1:
            raise ValueError(
                f"piecewise_constant takes one value more than boundaries; got {len(values or ())} and {len(boundaries or ())}"
            )
        self._config = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        self.__dict__.update(self._config)

    def __call__(self, step: Any) -> tf.Tensor:
        """The rate at a global step: a float32 scalar."""
        settings: Any = self
        step = tf.cast(step, tf.float32)
        if settings.decay_type == "piecewise_constant":
            index = tf.reduce_sum(tf.cast(step > tf.constant(settings.boundaries, tf.float32), tf.int32))
            return tf.gather(tf.constant(settings.values, tf.float32), index)
        periods = (tf.minimum(step, float(settings.stop_decay_at)) - settings.start_decay_at) / settings.decay_steps
        periods = tf.maximum(tf.floor(periods) if settings.staircase else periods, 0.0)
        rate = tf.where(step < settings.start_decay_at, tf.constant(settings.learning_rate, tf.float32), self._decayed(periods))
        return tf.maximum(rate, settings.min_learning_rate)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return dict(self._config)

    def _decayed(self, periods: tf.Tensor) -> tf.Tensor:
        settings: Any = self
        rate = tf.constant(settings.learning_rate, tf.float32)
        if settings.decay_type == "exponential_decay":
            return rate * tf.pow(tf.constant(settings.decay_rate, tf.float32), periods)
        if settings.decay_type == "natural_exp_decay":
            return rate * tf.exp(-settings.decay_rate * periods)
        if settings.decay_type == "inverse_time_decay":
            return rate / (1.0 + settings.decay_rate * periods)
        end = settings.end_learning_rate
        return (rate - end) * tf.pow(1.0 - tf.minimum(periods, 1.0), settings.power) + end
