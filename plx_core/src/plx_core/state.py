"""The state of parts that change during a run, which checkpoints save; seeds; and run modes.

A checkpoint holds the `state()` of every stateful part. A part whose `state()` is complete resumes
exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

State: TypeAlias = Mapping[str, Any]
"""Names to NumPy arrays, numbers, strings, None, lists of plain values, or mappings of these."""


class Modes(StrEnum):
    """The purpose for which a model or a pipeline is built."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "predict"
    GENERATE = "generate"
    ENCODE = "encode"
    DECODE = "decode"

    @classmethod
    def is_train(cls, mode: str) -> bool:
        """Return whether the mode is `TRAIN`, in which weights are updated."""
        return mode == cls.TRAIN


class Stateful(ABC):
    """A part that changes during a run."""

    @abstractmethod
    def state(self) -> State:
        """Return everything that `restore` needs to continue exactly from here."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Continue from a state."""


class Seedable(ABC):
    """A part that may draw random numbers; its user calls `reseed` if its `seed` is None."""

    seed: int | None = None

    @abstractmethod
    def reseed(self, seed: int) -> None:
        """Restart the random generators from this seed; do nothing where there are none."""
