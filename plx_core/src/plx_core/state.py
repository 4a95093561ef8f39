"""What a plug-in implements: small abstract classes, which core calls and nothing else.

What changes over time has `state()` and `restore()`: a mapping of names to NumPy arrays, numbers, texts, and mappings
of these. A checkpoint is those states, so a part that returns all that it would miss resumes exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeAlias

State: TypeAlias = Mapping[str, Any]
"""Names to NumPy arrays, numbers, texts, None, lists of plain values, and mappings of these."""


class Modes(StrEnum):
    """What a model or a pipeline is built for."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "predict"
    INFER = "predict"
    GENERATE = "generate"
    ENCODE = "encode"
    DECODE = "decode"

    @classmethod
    def is_train(cls, mode: str) -> bool:
        """Whether the mode is the one in which weights are updated."""
        return mode == cls.TRAIN


class Stateful(ABC):
    """What changes over time."""

    @abstractmethod
    def state(self) -> State:
        """All that `restore` needs to go on exactly from here."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Go on from a state."""


class Seedable:
    """What draws at random; whoever uses it gives a seed where the person who made it gave none."""

    seed: int | None = None

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
