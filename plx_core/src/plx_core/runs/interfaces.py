"""The interfaces of exporters and trackers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from plx_core.types import Array, Source

if TYPE_CHECKING:
    from plx_core.models.spec import EstimatorSpec
    from plx_core.runs.run import Run


class Exporter(ABC):
    """Writes a model after an evaluation; earlier exports are found in its folder."""

    def check(self, spec: EstimatorSpec) -> None:
        """Raise a `ComponentError` where the specification lacks what this exporter needs.

        Called by `plx check` and before training.
        """

    @abstractmethod
    def export(
        self,
        run: Run,
        source: Source,
        step: int,
        metrics: Mapping[str, float],
        *,
        is_final: bool,
    ) -> Path | None:
        """Write the model of the checkpoint at `step` if one is due; calling again changes nothing.

        Args:
            run: the estimator or agent.
            source: the `input_fn` or environment with the features that the exported model takes.
            step: the checkpoint's global step.
            metrics: the results of evaluating that checkpoint.
            is_final: whether training has ended, with this checkpoint as its result.

        Returns:
            The path of the export, or None.
        """


class Tracker(ABC):
    """A destination of metrics, and of whatever else it can show.

    A tracker that cannot show images, histograms or text leaves those methods out: what it would
    have been given is dropped for it alone.
    """

    @abstractmethod
    def log(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """Write the metrics of a step; `split` is "train" or "eval"."""

    def log_images(self, step: int, split: str, images: Mapping[str, Array]) -> None:
        """Write images by tag: arrays [N, height, width, channels] with 1, 3 or 4 channels."""

    def log_histograms(self, step: int, split: str, values: Mapping[str, Array]) -> None:
        """Write the distributions of values by tag: arrays of any shape."""

    def log_text(self, step: int, split: str, texts: Mapping[str, str]) -> None:
        """Write Markdown by tag."""

    def close(self) -> None:
        """Flush and close files and connections."""
