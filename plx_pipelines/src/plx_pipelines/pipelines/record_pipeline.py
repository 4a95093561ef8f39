"""The base of pipelines over record files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from plx_core import BatchOptions, ElementSpec, IndexedPipeline
from plx_core.types import Array
from plx_pipelines.records.source import RecordSource


class RecordPipeline(IndexedPipeline):
    """A pipeline over the records of TFRecord files.

    Args:
        source: the records.
        spec: the features and labels before processing.
        lengths: see `plx_core.IndexedPipeline`.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        source: RecordSource,
        spec: ElementSpec,
        lengths: Array | None = None,
        **options: Unpack[BatchOptions],
    ) -> None:
        super().__init__(len(source), spec, lengths, **options)
        self._source = source

    def counters(self) -> Mapping[str, int]:
        """Return the number of corrupt records that were skipped, and of their bytes."""
        return self._source.counters()

    def failure(self) -> Exception | None:
        """Find the corrupt record, or the first one that cannot be parsed or decoded."""
        return self._source.failure or super().failure()

    def _prepare(self) -> bool:
        self._source.load()
        return False

    def _locate(self, index: int) -> str:
        return self._source.locate(index)
