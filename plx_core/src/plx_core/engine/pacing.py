"""How many steps to take per TensorFlow call, so that logging, saving and signals are on time."""

from __future__ import annotations

import time
from collections.abc import Iterable

from attrs import define

MAX_BLOCK_SECONDS = 0.5
"""The longest that one TensorFlow call should take, and a signal or a progress bar wait."""


@define
class BlockSize:
    """The number of steps in one call: as many as the periods and half a second allow.

    Args:
        largest: an upper bound; None for none.
    """

    largest: int | None = None
    _limit: int = 8

    def next(self, step: int, goal: int | None, periods: Iterable[int | None]) -> int:
        """Return the number of steps to the next multiple of a period, the goal, or the limit."""
        stops = [period - step % period for period in periods if period]
        stops += [goal - step] if goal is not None else []
        stops += [self.largest] if self.largest else []
        return max(1, min([self._limit, *stops]))

    def took(self, steps: int, seconds: float) -> None:
        """Adapt the limit to the time that a call took."""
        if steps >= self._limit and seconds < MAX_BLOCK_SECONDS / 2:
            self._limit *= 2
        elif seconds > MAX_BLOCK_SECONDS and self._limit > 1:
            self._limit = max(1, int(self._limit * MAX_BLOCK_SECONDS / seconds))


@define
class Clock:
    """Says when a number of seconds has passed.

    Args:
        period: seconds; None for never.
    """

    period: float | None
    _last: float | None = None

    def is_due(self) -> bool:
        """Whether the period has passed since it was last due, or since the first call."""
        now = time.monotonic()
        if self._last is None:
            self._last = now
        if self.period is None or now - self._last < self.period:
            return False
        self._last = now
        return True
