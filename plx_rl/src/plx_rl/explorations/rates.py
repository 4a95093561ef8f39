"""Rates of exploration: functions of the timestep, from numbers and schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

import plx_core as plx
from plx_core.annotations import ScheduleLike
from plx_core.types import Array

Rate: TypeAlias = Callable[[int], Array | float]
"""A function of the timestep that returns a number, or one for each environment [N]."""

BLOCK = 4096
"""The number of timesteps for which a schedule is evaluated at once."""


def as_rate(value: ScheduleLike | float | Sequence[float]) -> Rate:
    """Return a number, one for each environment, or a schedule as a function of the timestep."""
    if isinstance(value, (int, float)):
        return lambda timestep: value
    if isinstance(value, (list, tuple, np.ndarray)):
        values = np.array(value)
        return lambda timestep: values
    return ScheduledRate(plx.make("schedules", value))


def annealed(start: ScheduleLike | float, end: float, steps: int | None) -> Rate:
    """Return the rate `start`, or the line from it to `end` where there is a number of `steps`.

    Raises:
        ValueError: `start` is a schedule and there is a number of steps.
    """
    if steps is None:
        return as_rate(start)
    if not isinstance(start, (int, float)):
        raise ValueError("decay_steps anneals a number; a schedule takes its own number of steps")
    return lambda timestep: start + (end - start) * min(1.0, timestep / steps)


class ScheduledRate:
    """The values of a schedule, evaluated for many timesteps at once.

    An eager call of a Keras schedule takes hundreds of microseconds, much longer than an action.
    Schedules are therefore called with an array of timesteps, int64 [BLOCK], and the values cached.
    A schedule that is not elementwise, such as one with a condition on the step, is called at each
    timestep. Blocks start at multiples of `BLOCK`, so that a resumed run computes the same values.

    Args:
        schedule: a `keras.optimizers.schedules.LearningRateSchedule` or another function of the
            timestep.
    """

    def __init__(self, schedule: Callable[..., Array]) -> None:
        self._schedule = schedule
        self._start = -1
        self._values: list[float] | None = None
        self._last = (-1, 0.0)

    def __call__(self, timestep: int) -> float:
        """Return the value at a timestep."""
        index = timestep % BLOCK
        if timestep - index != self._start:
            self._start = timestep - index
            self._values = self._block(self._start)
        if self._values is not None:
            return self._values[index]
        if self._last[0] != timestep:
            self._last = (timestep, self._scalar(timestep))
        return self._last[1]

    def _block(self, start: int) -> list[float] | None:
        """Return the values of a block; None where the schedule is not elementwise."""
        timesteps = np.arange(start, start + BLOCK)
        try:
            values = np.asarray(self._schedule(timesteps))
        except Exception:  # a broken schedule raises again when called with a number
            return None
        if values.shape != timesteps.shape:
            return None
        ends = [self._scalar(start), self._scalar(start + BLOCK - 1)]
        if not np.allclose(values[[0, -1]], ends, rtol=1e-5, equal_nan=True):
            return None
        block: list[float] = values.astype(float).tolist()
        return block

    def _scalar(self, timestep: int) -> float:
        return float(self._schedule(timestep))
