"""Decode `tf.train.Example` and `tf.train.SequenceExample` without TensorFlow."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np

from plx_core.errors import DataError

Values: TypeAlias = list[bytes] | np.ndarray
"""A list of bytes, or a float32 or int64 array [n]."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def decode_example(data: bytes) -> tuple[dict[str, Values], dict[str, list[Values]]]:
    """Decode an example: its features, and the feature lists of a sequence example, by name.

    Raises:
        DataError: the bytes are not such a message.
    """
    features: dict[str, Values] = {}
    sequences: dict[str, list[Values]] = {}
    try:
        for field, _, content in _fields(data):
            for _, _, entry in _fields(content):
                parts = {number: part for number, _, part in _fields(entry)}
                name = parts.get(1, b"").decode("utf-8")
                if field == 1:
                    features[name] = _feature(parts.get(2, b""))
                else:
                    sequences[name] = [
                        _feature(feature) for _, _, feature in _fields(parts.get(2, b""))
                    ]
    except (IndexError, ValueError, TypeError, AttributeError, struct.error) as error:
        raise DataError(f"the record is not a tf.train.Example: {error}") from error
    return features, sequences


def _feature(data: bytes) -> Values:
    for kind, _, content in _fields(data):
        if kind == 1:
            return [value for _, _, value in _fields(content)]
        if kind == 2:
            packed = (
                value if isinstance(value, bytes) else struct.pack("<I", value)
                for _, _, value in _fields(content)
            )
            return np.frombuffer(b"".join(packed), "<f4")
        if kind == 3:
            numbers: list[int] = []
            for _, wire, value in _fields(content):
                numbers += _varints(value) if wire == _BYTES else [value]
            return np.array(numbers, np.uint64).view(np.int64)
    return []


def _fields(data: bytes) -> Iterator[tuple[int, int, Any]]:
    offset = 0
    while offset < len(data):
        key, offset = _varint(data, offset)
        wire = key & 7
        if wire == _VARINT:
            value, offset = _varint(data, offset)
            yield key >> 3, wire, value
            continue
        size = {_FIXED64: 8, _FIXED32: 4}.get(wire)
        if wire == _BYTES:
            size, offset = _varint(data, offset)
        if size is None or offset + size > len(data):
            raise ValueError(f"its field {key >> 3} runs past the end of the record")
        content = data[offset : offset + size]
        offset += size
        yield key >> 3, wire, content if wire == _BYTES else int.from_bytes(content, "little")


def _varints(data: bytes) -> list[int]:
    values = []
    offset = 0
    while offset < len(data):
        value, offset = _varint(data, offset)
        values.append(value)
    return values


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, offset
        shift += 7
        if shift > 63:
            raise ValueError("an integer has more than 64 bits")
