"""Learning rates that change with the global step: the decays of TensorFlow 1, and warm-up."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

import keras
import tensorflow as tf

from plx_core.annotations import NonNegativeFloat, NonNegativeInt, PositiveInt, Range, ScheduleLike
from plx_core.types import Tensor

DecayType = Literal[
    "exponential_decay",
    "inverse_time_decay",
    "natural_exp_decay",
    "polynomial_decay",
    "piecewise_constant",
    "cosine_decay",
]
DECAY_TYPES: tuple[str, ...] = get_args(DecayType)
END_OF_POLYNOMIAL = 0.0001
"""The default end of TensorFlow 1's polynomial decay."""


@keras.saving.register_keras_serializable("plx_layers")
class Decay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that decays with the global step.

    With p = (min(step, stop_decay_at) − start_decay_at) / decay_steps, rounded down if `staircase`
    is set, the rate, a scalar, is `learning_rate` before `start_decay_at`, and then

    - `exponential_decay`: learning_rate · decay_rate^p
    - `natural_exp_decay`: learning_rate · exp(−decay_rate · p)
    - `inverse_time_decay`: learning_rate / (1 + decay_rate · p)
    - `polynomial_decay`: (learning_rate − end_learning_rate) · (1 − min(p, 1))^power +
      end_learning_rate
    - `cosine_decay`: (learning_rate − end_learning_rate) · ½(1 + cos(π · min(p, 1))) +
      end_learning_rate, without restarts (Loshchilov and Hutter 2017, SGDR)
    - `piecewise_constant`: values[i] for the number i of boundaries below the step

    It is never lower than `min_learning_rate`.

    Args:
        learning_rate: the initial rate.
        decay_type: the formula.
        decay_rate: the decay in `decay_steps` steps.
        decay_steps: the number of steps of that decay.
        start_decay_at: the step at which the decay starts.
        stop_decay_at: the step at which the decay stops.
        min_learning_rate: the lowest rate.
        staircase: whether to decay in steps, every `decay_steps`.
        end_learning_rate: the end of `polynomial_decay` and `cosine_decay`; 0.0001 and 0 when
            omitted.
        power: the exponent of `polynomial_decay`.
        boundaries: the steps at which `piecewise_constant` changes.
        values: the rates of `piecewise_constant`, one more than boundaries.
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
        end_learning_rate: NonNegativeFloat | None = None,
        power: float = 1.0,
        boundaries: list[int] | None = None,
        values: list[float] | None = None,
    ) -> None:
        if decay_type not in DECAY_TYPES:
            raise ValueError(
                f"decay_type: expected one of {', '.join(DECAY_TYPES)}, got {decay_type!r}"
            )
        if not isinstance(learning_rate, (int, float)):
            raise ValueError(
                f"learning_rate: a decay starts at a number, got {type(learning_rate).__name__}"
            )
        if decay_type == "piecewise_constant" and len(values or ()) != len(boundaries or ()) + 1:
            raise ValueError(
                "piecewise_constant takes one more value than boundaries; "
                f"got {len(values or ())} and {len(boundaries or ())}"
            )
        self._config = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        self.__dict__.update(self._config)

    def __call__(self, step: Tensor) -> tf.Tensor:
        """Return the rate at a global step, a float32 scalar."""
        settings: Any = self
        step = tf.cast(step, tf.float32)
        if settings.decay_type == "piecewise_constant":
            index = tf.reduce_sum(
                tf.cast(step > tf.constant(settings.boundaries, tf.float32), tf.int32)
            )
            return tf.gather(tf.constant(settings.values, tf.float32), index)
        periods = (
            tf.minimum(step, float(settings.stop_decay_at)) - settings.start_decay_at
        ) / settings.decay_steps
        periods = tf.maximum(tf.floor(periods) if settings.staircase else periods, 0.0)
        rate = tf.where(
            step < settings.start_decay_at,
            tf.constant(settings.learning_rate, tf.float32),
            self._decayed(periods),
        )
        return tf.maximum(rate, settings.min_learning_rate)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
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
        progress = tf.minimum(periods, 1.0)
        if settings.decay_type == "cosine_decay":
            end = 0.0 if end is None else end
            return (rate - end) * 0.5 * (1.0 + tf.cos(math.pi * progress)) + end
        end = END_OF_POLYNOMIAL if end is None else end
        return (rate - end) * tf.pow(1.0 - progress, settings.power) + end


@keras.saving.register_keras_serializable("plx_layers")
class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly, and then follows another schedule.

    In step s, counted from 0, it is the scalar learning_rate · (s + 1) / warmup_steps while
    s < warmup_steps. If `learning_rate` is a schedule, it rises to the rate of step `warmup_steps`.
    The schedule counts all steps, including those of the warm-up.

    Source: Goyal et al. 2017, Accurate, Large Minibatch SGD, section 2.2, gradual warm-up.

    Args:
        learning_rate: the rate after the warm-up: a number or a schedule.
        warmup_steps: the number of steps of the warm-up.
    """

    def __init__(
        self, learning_rate: ScheduleLike | NonNegativeFloat, warmup_steps: PositiveInt
    ) -> None:
        if warmup_steps < 1:
            raise ValueError(f"warmup_steps: expected a positive integer, got {warmup_steps}")
        self.learning_rate = learning_rate
        self.warmup_steps = warmup_steps

    def __call__(self, step: Tensor) -> tf.Tensor:
        """Return the rate at a global step, a float32 scalar."""
        step = tf.cast(step, tf.float32)
        later = tf.maximum(step, float(self.warmup_steps))
        rate = self.learning_rate(later) if callable(self.learning_rate) else self.learning_rate
        return tf.cast(rate, tf.float32) * tf.minimum((step + 1.0) / self.warmup_steps, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        rate = self.learning_rate
        if callable(rate):
            rate = keras.optimizers.schedules.serialize(rate)
        return {"learning_rate": rate, "warmup_steps": self.warmup_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Warmup:
        """Build a schedule from its configuration."""
        rate = config["learning_rate"]
        if isinstance(rate, dict):
            rate = keras.optimizers.schedules.deserialize(rate)
        return cls(rate, config["warmup_steps"])
