"""Values to `tf.train.Example` and images to bytes, without TensorFlow.

The wire format is protobuf's (https://protobuf.dev/programming-guides/encoding/); the messages are those of
tensorflow/core/example/{example,feature}.proto.
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
    """A number as protobuf writes it; negative ones as 64-bit two's complement."""
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def bytes_feature(values: Iterable[bytes]) -> bytes:
    """A `Feature` that holds a `BytesList`."""
    return _message(1, b"".join(_message(1, value) for value in values))


def float_feature(values: Iterable[float]) -> bytes:
    """A `Feature` that holds a `FloatList`."""
    return _message(2, _message(1, np.asarray(list(values), "<f4").tobytes()))


def int64_feature(values: Iterable[int]) -> bytes:
    """A `Feature` that holds an `Int64List`."""
    return _message(3, _message(1, b"".join(encode_varint(int(value)) for value in values)))


def encode_example(features: Mapping[str, bytes]) -> bytes:
    """A serialized `tf.train.Example` of features made by the functions above."""
    return _message(1, _map_entries(features))


def encode_sequence_example(
    context: Mapping[str, bytes], sequences: Mapping[str, Iterable[bytes]]
) -> bytes:
    """A serialized `tf.train.SequenceExample`: features, and lists of features, made by the functions above."""
    lists = {
        name: b"".join(_message(1, feature) for feature in features)
        for name, features in sequences.items()
    }
    return _message(1, _map_entries(context)) + _message(2, _map_entries(lists))


def encode_image(image: np.ndarray, encoding: Encoding) -> bytes:
    """An image, uint8 [height, width, channels] with 1, 3 or 4 channels, as PNG, JPEG or its pixels."""
    if encoding == "raw":
        return np.ascontiguousarray(image, np.uint8).tobytes()
    buffer = io.BytesIO()
    options = {"quality": 95} if encoding == "jpeg" else {}
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(
        buffer, encoding, **options
    )
    return buffer.getvalue()


def encode_labelled_image(image: np.ndarray, label: int, encoding: Encoding) -> bytes:
    """An image, uint8 [height, width, channels], and its label as a serialized `tf.train.Example`."""
    features = {
        IMAGE: bytes_feature([encode_image(image, encoding)]),
        FORMAT: bytes_feature([encoding.encode()]),
        LABEL: int64_feature([label]),
    }
    return encode_example(features)


def _message(field: int, content: bytes) -> bytes:
    return bytes([field << 3 | 2]) + encode_varint(len(content)) + content


def _map_entries(values: Mapping[str, bytes]) -> bytes:
    # Sorted, so that equal examples have equal bytes.
    return b"".join(
        _message(1, _message(1, key.encode()) + _message(2, values[key])) for key in sorted(values)
    )
