"""What a plug-in implements: small abstract classes, which core calls and nothing else.

What changes over time has `state()` and `restore()`: a mapping of names to NumPy arrays, numbers, texts, and mappings
of these. A checkpoint is those states, so a part that returns all that it would miss resumes exactly.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Exporter(ABC):
    """Writes a model out after an evaluation; what it has written before, it finds in its folder."""

    @abstractmethod
    def export(
        self, run: Any, input_fn: Any, step: int, metrics: Mapping[str, float], *, is_final: bool
    ) -> Path | None:
        """Write the model of the checkpoint at `step`, if this is a time to do so; the same call again changes nothing.

        Args:
            run: the estimator or agent.
            input_fn: whose features the export takes.
            step: the checkpoint's global step.
            metrics: what the evaluation of that checkpoint gave.
            is_final: whether training has ended.

        Returns:
            What was written.
        """


class Tracker(ABC):
    """Where metrics go."""

    @abstractmethod
    def log(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """Keep the metrics of a step; `split` is "train" or "eval"."""

    def close(self) -> None:
        """Flush, and let go of files."""
