"""The trackers of the core: TensorBoard, CSV and JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from plx_core.runs.interfaces import Tracker
from plx_core.runs.run_directory import as_json
from plx_core.types import Array

SummaryWriter: TypeAlias = Any
"""A `tf.summary.SummaryWriter`."""


class TensorBoardTracker(Tracker):
    """Writes TensorBoard events, with a folder for each split.

    Args:
        directory: the run directory; filled in by core.
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)
        self._writers: dict[str, SummaryWriter] = {}

    def log(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """Write a scalar for each metric, all in one record."""
        import tensorflow as tf

        summary = tf.compat.v1.Summary(
            value=[
                tf.compat.v1.Summary.Value(tag=name, simple_value=value)
                for name, value in metrics.items()
            ]
        )
        with self._writer(split).as_default(step=step):
            tf.summary.experimental.write_raw_pb(summary.SerializeToString())

    def log_images(self, step: int, split: str, images: Mapping[str, Array]) -> None:
        """Write up to four images a tag, scaled so that they span black to white."""
        import tensorflow as tf

        with self._writer(split).as_default(step=step):
            for tag, values in images.items():
                low, high = float(values.min()), float(values.max())
                scaled = (values - low) / max(high - low, 1e-12)
                tf.summary.image(tag, scaled, max_outputs=4)

    def log_histograms(self, step: int, split: str, values: Mapping[str, Array]) -> None:
        """Write a histogram for each tag."""
        import tensorflow as tf

        with self._writer(split).as_default(step=step):
            for tag, value in values.items():
                tf.summary.histogram(tag, value)

    def log_text(self, step: int, split: str, texts: Mapping[str, str]) -> None:
        """Write Markdown for each tag."""
        import tensorflow as tf

        with self._writer(split).as_default(step=step):
            for tag, text in texts.items():
                tf.summary.text(tag, text)

    def close(self) -> None:
        """Flush and close the files."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _writer(self, split: str) -> SummaryWriter:
        import tensorflow as tf

        if split not in self._writers:
            self._writers[split] = tf.summary.create_file_writer(
                str(self._directory / "events" / split)
            )
        return self._writers[split]


class CSVTracker(Tracker):
    """Writes a CSV file for each split, with a row for each log.

    When the set of metrics changes, a new file is started.

    Args:
        directory: the run directory; filled in by core.
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    def log(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """Append a row."""
        columns = ["step", *sorted(metrics)]
        path = self._path(split, columns)
        is_new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(columns)
            writer.writerow([step, *(metrics[name] for name in sorted(metrics))])

    def _path(self, split: str, columns: list[str]) -> Path:
        number = 0
        while True:
            path = self._directory / (f"{split}.csv" if number == 0 else f"{split}-{number}.csv")
            if not path.exists():
                return path
            with path.open(newline="", encoding="utf-8") as file:
                if next(csv.reader(file), None) == columns:
                    return path
            number += 1


class JSONLTracker(Tracker):
    """Writes a file of JSON lines for each split, such as `{"step": 100, "loss": 0.5}`.

    `metrics.jsonl`, with every split, is written without it.

    Args:
        directory: the run directory; filled in by core.
    """

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    def log(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """Append a line; numbers that are not finite become strings, as in `metrics.jsonl`."""
        line = {"step": step} | {name: as_json(value) for name, value in metrics.items()}
        with (self._directory / f"{split}.jsonl").open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")
