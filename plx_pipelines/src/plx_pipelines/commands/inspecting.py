"""Verify and describe record files without TensorFlow: `plx data verify` and `plx data show`."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from attrs import field, frozen
from PIL import Image

from plx_core.errors import DataError
from plx_pipelines.expansion import open_image
from plx_pipelines.records.decoding import Values, decode_example
from plx_pipelines.records.metadata import META_DATA, read_metadata
from plx_pipelines.records.tfrecord import Fault, Index, RecordReader, find_files, scan, writing

_MAX_EXAMINED = 1_000
MAX_SIDE = 512
"""Larger images are made smaller for a contact sheet."""


@frozen
class Report:
    """Result of verifying record files.

    Attributes:
        records: the number of intact records by file.
        faults: the corrupt records.
    """

    records: Mapping[str, int]
    faults: Sequence[Fault]

    @property
    def exit_code(self) -> int:
        """0 if all records are intact, else 1."""
        return 1 if self.faults else 0

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        lines = []
        for path, count in self.records.items():
            faults = [fault for fault in self.faults if fault.path == path]
            state = "all intact"
            if faults:
                lost_bytes = sum(fault.lost_bytes for fault in faults)
                state = f"{len(faults)} corrupt ({lost_bytes} bytes lost)"
            lines.append(f"{path}: {count} records, {state}")
            lines += [
                f"  record {fault.record} at byte {fault.offset}: {fault.reason} "
                f"({fault.lost_bytes} bytes lost)"
                for fault in faults
            ]
        return lines


@frozen
class Summary:
    """Summary of the records of some files.

    Attributes:
        records: the number of intact records.
        features: a description of each feature: its type and shape, or range of lengths.
        examined: the number of records that were decoded for it.
        faults: the corrupt records.
    """

    records: int
    features: Mapping[str, str]
    examined: int
    faults: Sequence[Fault] = field(factory=tuple)

    def lines(self) -> list[str]:
        """Return the summary as lines of text."""
        lines = [f"{self.records} records"]
        if self.faults:
            lines[0] += f", {len(self.faults)} corrupt"
        if self.examined:
            examined = "all" if self.examined == self.records else f"the first {self.examined}"
            lines.append(f"features of {examined} records:")
        lines += [f"  {name}: {text}" for name, text in self.features.items()]
        return lines


def verify(paths: str | Sequence[str]) -> Report:
    """Check the length and data of every record against their checksums."""
    indexes = _scan(paths)
    return Report(
        {index.path: len(index) for index in indexes},
        [fault for index in indexes for fault in index.faults],
    )


def show(
    paths: str | Sequence[str],
    sheet: str | os.PathLike[str] | None = None,
    columns: int = 8,
    rows: int = 4,
) -> Summary:
    """Describe the records of files, and write a contact sheet of the first images if requested.

    Args:
        paths: files or patterns.
        sheet: the PNG file of the contact sheet; None for none.
        columns: the number of columns of the sheet.
        rows: the largest number of rows of the sheet.

    Raises:
        DataError: a record is not an example, or there is no image for the sheet.
    """
    indexes = _scan(paths)
    reader = RecordReader(indexes)
    examined = min(len(reader), _MAX_EXAMINED)
    examples = [decode_example(data) for data in reader.read(np.arange(examined))]
    kinds: dict[str, list[str]] = {}
    for features, sequences in examples:
        for name, values in features.items():
            kinds.setdefault(name, []).append(_describe(values))
        for name, steps in sequences.items():
            kinds.setdefault(f"{name} (sequence)", []).append(
                f"{_describe(steps[0]) if steps else 'nothing'} x {len(steps)}"
            )
    if sheet is not None:
        _write_sheet(Path(sheet), [features for features, _ in examples], reader, columns, rows)
    faults = [fault for index in indexes for fault in index.faults]
    summaries = {name: _summarize(descriptions) for name, descriptions in kinds.items()}
    return Summary(len(reader), summaries, examined, faults)


def contact_sheet(images: Sequence[Image.Image], columns: int) -> Image.Image:
    """Arrange images in a grid, each in the middle of a square cell."""
    side = max(max(image.size) for image in images) + 4
    sheet = Image.new("RGB", (side * columns, side * math.ceil(len(images) / columns)), "white")
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        left = column * side + (side - image.width) // 2
        top = row * side + (side - image.height) // 2
        sheet.paste(image.convert("RGB"), (left, top))
    return sheet


def _scan(paths: str | Sequence[str]) -> list[Index]:
    files = find_files(paths)
    try:
        return [scan(path, verify=True) for path in files]
    except OSError as error:
        raise DataError(
            f"{error.filename or ', '.join(files)} cannot be read: {error.strerror}"
        ) from error


def _describe(values: Values) -> str:
    if isinstance(values, list):
        if len(values) == 1:
            return _describe_image(values[0]) or f"{len(values[0])} bytes"
        return f"{len(values)} byte strings"
    return f"{values.dtype.name}[{len(values)}]" if len(values) != 1 else values.dtype.name


def _describe_image(data: bytes) -> str:
    if data.startswith(b"\x89PNG"):
        kind = "PNG"
    elif data.startswith(b"\xff\xd8\xff"):
        kind = "JPEG"
    else:
        return ""
    try:
        with open_image(data) as image:
            return f"{kind} of {image.height} x {image.width} x {len(image.getbands())}"
    except (OSError, SyntaxError, ValueError):
        return f"{kind} that cannot be decoded"


def _summarize(descriptions: Sequence[str]) -> str:
    distinct = sorted(set(descriptions))
    if len(distinct) <= 3:
        return ", ".join(distinct)
    steps = [text.rpartition(" x ") for text in distinct]
    if len({kind for kind, _, _ in steps}) == 1 and all(count.isdigit() for _, _, count in steps):
        counts = [int(count) for _, _, count in steps]
        return f"{steps[0][0]} x {min(counts)} to {max(counts)}"
    sizes = [int(text.removesuffix(" bytes")) for text in distinct if text.endswith(" bytes")]
    if len(sizes) == len(distinct):
        return f"{min(sizes)} to {max(sizes)} bytes"
    return f"{len(distinct)} different shapes"


def _write_sheet(
    path: Path,
    examples: Sequence[Mapping[str, Values]],
    reader: RecordReader,
    columns: int,
    rows: int,
) -> None:
    images: list[Image.Image] = []
    folder = Path(reader.locate(0)[0].path).parent if examples else Path()
    for number, features in enumerate(examples):
        if "image/encoded" in features and len(images) < columns * rows:
            try:
                images.append(_open(features["image/encoded"][0], folder))
            except (OSError, SyntaxError, ValueError) as error:
                index, row = reader.locate(number)
                raise DataError(
                    f"{index.path}: record {index.numbers[row]}: "
                    f"its image cannot be decoded: {error}"
                ) from error
    if not images:
        raise DataError("no image/encoded in the records, so no contact sheet can be written")
    buffer = io.BytesIO()
    contact_sheet(images, columns).save(buffer, "png")
    with writing(path) as file:
        file.write(buffer.getvalue())


def _open(data: bytes, folder: Path) -> Image.Image:
    if _describe_image(data):
        image = open_image(data)
        image.thumbnail((MAX_SIDE, MAX_SIDE))  # decodes it, too
        return image
    size = read_metadata(folder / META_DATA, {"height": int, "width": int, "channels": int})
    height, width, channels = (size[key] for key in ("height", "width", "channels"))
    if len(data) != height * width * channels:
        raise DataError(
            f"an image of {len(data)} bytes is neither PNG nor JPEG, "
            f"nor the raw pixels of {height} x {width} x {channels}"
        )
    pixels = np.frombuffer(data, np.uint8).reshape(height, width, channels)
    return Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
