"""Encode values as `tf.train.Example`, and images as bytes, without TensorFlow.

The wire format is protobuf's (https://protobuf.dev/programming-guides/encoding/). The messages are
defined in tensorflow/core/example/{example,feature}.proto.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

Encoding: TypeAlias = Literal["png", "raw", "jpeg"]
IMAGE = "image/encoded"
FORMAT = "image/format"
LABEL = "image/class/label"


def encode_varint(value: int) -> bytes:
    """Encode an integer as a protobuf varint; negative ones as 64-bit two's complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def bytes_feature(values: Iterable[bytes]) -> bytes:
    """Return a serialized `Feature` with a `BytesList`."""
    return _message(1, b"".join(_message(1, value) for value in values))


def float_feature(values: Iterable[float]) -> bytes:
    """Return a serialized `Feature` with a `FloatList`."""
    return _message(2, _message(1, np.asarray(list(values), "<f4").tobytes()))


def int64_feature(values: Iterable[int]) -> bytes:
    """Return a serialized `Feature` with an `Int64List`."""
    return _message(3, _message(1, b"".join(encode_varint(int(value)) for value in values)))


def encode_example(features: Mapping[str, bytes]) -> bytes:
    """Return a serialized `tf.train.Example` of serialized features."""
    return _message(1, _map_entries(features))


def encode_sequence_example(
    context: Mapping[str, bytes], sequences: Mapping[str, Iterable[bytes]]
) -> bytes:
    """Return a serialized `tf.train.SequenceExample` of serialized features and lists of them."""
    lists = {
        name: b"".join(_message(1, feature) for feature in features)
        for name, features in sequences.items()
    }
    return _message(1, _map_entries(context)) + _message(2, _map_entries(lists))


def encode_image(image: np.ndarray, encoding: Encoding) -> bytes:
    """Encode an image, uint8 [height, width, 1, 3 or 4], as PNG, JPEG or raw pixels."""
    if encoding == "raw":
        return np.ascontiguousarray(image, np.uint8).tobytes()
    buffer = io.BytesIO()
    options = {"quality": 95} if encoding == "jpeg" else {}
    pixels = image[..., 0] if image.shape[-1] == 1 else image
    Image.fromarray(pixels).save(buffer, encoding, **options)
    return buffer.getvalue()


def encode_labelled_image(image: np.ndarray, label: int, encoding: Encoding) -> bytes:
    """Return an image, uint8 [height, width, channels], and its label as a `tf.train.Example`."""
    features = {
        IMAGE: bytes_feature([encode_image(image, encoding)]),
        FORMAT: bytes_feature([encoding.encode()]),
        LABEL: int64_feature([label]),
    }
    return encode_example(features)


def _message(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + encode_varint(len(content)) + content


def _map_entries(values: Mapping[str, bytes]) -> bytes:
    # Sort the keys, so that equal examples have equal bytes.
    return b"".join(
        _message(1, _message(1, key.encode()) + _message(2, values[key])) for key in sorted(values)
    )
