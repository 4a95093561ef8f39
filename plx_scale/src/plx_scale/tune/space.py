"""The space of a sweep: the values to try at each path of an experiment file."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import frozen

from plx_core.errors import ComponentError

if TYPE_CHECKING:
    from optuna import Trial

Value: TypeAlias = Any
"""A value of an experiment file: plain data."""

Values: TypeAlias = Mapping[str, Value]
"""Values by path."""

FORMS = (
    "a list of values, {float: [low, high]}, {log: [low, high]}, {int: [low, high]}, "
    "{int: [low, high, step]} or {log_int: [low, high]}"
)
MOST_CORNERS = 32
"""The largest number of combinations of extreme values that are checked one by one."""


@frozen
class Choice:
    """One of several values, which have no order.

    Args:
        values: plain data: numbers, strings, lists or mappings.
    """

    values: tuple[Value, ...]

    @property
    def extremes(self) -> tuple[Value, ...]:
        """Every value."""
        return self.values

    @property
    def size(self) -> int:
        """The number of values."""
        return len(self.values)

    def value_at(self, index: int) -> Value:
        """Return the value at an index, from 0 to `size - 1`."""
        return self.values[index]

    def suggest(self, trial: Trial, path: str) -> None:
        """Choose a value for a trial; Optuna stores lists and mappings as JSON."""
        trial.suggest_categorical(path, [as_choice(value) for value in self.values])

    def value_of(self, sampled: Value) -> Value:
        """Return the value that Optuna's value stands for."""
        return next(value for value in self.values if _same(as_choice(value), sampled))


@frozen
class Interval:
    """The numbers from `low` to `high`, both included.

    Args:
        low: the smallest value.
        high: the largest value.
        step: the distance between values; None for any number between the two.
        is_log: whether the logarithm is uniform, and not the value.
        is_integer: whether the values are integers.
    """

    low: float
    high: float
    step: float | None = None
    is_log: bool = False
    is_integer: bool = False

    @property
    def extremes(self) -> tuple[Value, ...]:
        """The smallest and the largest value."""
        last = self.high
        if self.step is not None:
            last = self.low + math.floor((self.high - self.low) / self.step + 1e-9) * self.step
        return (self.low,) if last == self.low else (self.low, last)

    @property
    def size(self) -> int | None:
        """The number of values; None if there are infinitely many."""
        step = self.step if self.step is not None else (1 if self.is_integer else None)
        return None if step is None else math.floor((self.high - self.low) / step + 1e-9) + 1

    def value_at(self, index: int) -> Value:
        """Return the value at an index, from 0 to `size - 1`, of an interval with steps."""
        step = 1 if self.step is None else self.step
        return self.low + index * step

    def suggest(self, trial: Trial, path: str) -> None:
        """Choose a value for a trial."""
        if self.is_integer:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            trial.suggest_int(path, low, high, step=step, log=self.is_log)
        else:
            trial.suggest_float(path, self.low, self.high, step=self.step, log=self.is_log)

    def value_of(self, sampled: Value) -> Value:
        """Return the value that Optuna's value stands for: itself."""
        return sampled


Dimension: TypeAlias = Choice | Interval


def parse(given: Value) -> Dimension:
    """Return the dimension that an entry of the space describes.

    Raises:
        ComponentError: it describes none.
    """
    if isinstance(given, Sequence) and not isinstance(given, str):
        return _choice(given)
    if not isinstance(given, Mapping) or len(given) != 1:
        raise ComponentError(f"expected {FORMS}, got {given!r}")
    ((kind, bounds),) = given.items()
    if kind not in ("float", "log", "int", "log_int"):
        raise ComponentError(f"expected {FORMS}, got {given!r}")
    is_integer, is_log = kind.endswith("int"), kind.startswith("log")
    numbers = _numbers(kind, bounds, is_integer=is_integer, most=2 if is_log else 3)
    low, high, *rest = numbers
    if low > high:
        raise ComponentError(f"the low end of {kind} is above the high end: {low} > {high}")
    if is_log and low <= 0:
        raise ComponentError(f"the low end of {kind} has no logarithm: {low}; give one above 0")
    if rest and rest[0] <= 0:
        raise ComponentError(f"the step of {kind} has to be above 0, and is {rest[0]}")
    return Interval(low, high, rest[0] if rest else None, is_log=is_log, is_integer=is_integer)


def grid_point(space: Mapping[str, Dimension], number: int) -> Values:
    """Return one of the points of a finite space; the last dimension varies fastest."""
    point: dict[str, Value] = {}
    for path, dimension in reversed(list(space.items())):
        number, index = divmod(number, dimension.size or 1)
        point[path] = dimension.value_at(index)
    return {path: point[path] for path in space}


def size_of(space: Mapping[str, Dimension]) -> int | None:
    """Return the number of points of a space; None if there are infinitely many."""
    sizes = [dimension.size for dimension in space.values()]
    return None if None in sizes else math.prod(size or 0 for size in sizes)


def corners(space: Mapping[str, Dimension]) -> Iterator[Values]:
    """Yield points that together have every extreme value of each dimension.

    A small space is covered by all combinations of extreme values. In a larger one, each extreme
    value stands once among the first values of the other dimensions, and once among the last.
    """
    extremes = {path: dimension.extremes for path, dimension in space.items()}
    if math.prod(map(len, extremes.values())) <= MOST_CORNERS:
        for combination in itertools.product(*extremes.values()):
            yield dict(zip(extremes, combination, strict=True))
        return
    seen: list[Values] = []
    for end in (0, -1):
        base = {path: values[end] for path, values in extremes.items()}
        for path, values in extremes.items():
            for value in values:
                point = base | {path: value}
                if point not in seen:
                    seen.append(point)
                    yield point


def _choice(values: Sequence[Value]) -> Choice:
    if not values:
        raise ComponentError("the list of values is empty")
    for index, value in enumerate(values):
        if any(_same(value, other) for other in values[:index]):
            raise ComponentError(f"the value {value!r} is listed twice")
    return Choice(tuple(values))


def _numbers(kind: str, bounds: Value, *, is_integer: bool, most: int) -> list[float]:
    types = (int,) if is_integer else (int, float)
    is_right = (
        isinstance(bounds, Sequence)
        and not isinstance(bounds, str)
        and 2 <= len(bounds) <= most
        and all(isinstance(each, types) and not isinstance(each, bool) for each in bounds)
        and all(math.isfinite(each) for each in bounds)
    )
    if not is_right:
        noun = "integers" if is_integer else "numbers"
        form = "[low, high]" if most == 2 else "[low, high] or [low, high, step]"
        raise ComponentError(f"{kind} takes {noun}, {form}; got {bounds!r}")
    return list(bounds) if is_integer else [float(each) for each in bounds]


def as_choice(value: Value) -> bool | int | float | str | None:
    """Return what stands for a value in Optuna: the value itself, or JSON of a list or mapping."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return json.dumps(value)


def _same(one: Value, other: Value) -> bool:
    """Return whether two values are equal and of one type, since `1 == True`."""
    return type(one) is type(other) and bool(one == other)
