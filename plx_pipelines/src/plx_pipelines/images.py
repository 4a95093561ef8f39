"""Images in record files."""

from __future__ import annotations

from typing import Any, Unpack

import tensorflow as tf

from plx_core import BatchOptions, Order, Resident, batches
from plx_core.annotations import DataFiles, ExistingPath, NonNegativeInt
from plx_core.errors import DataError
from plx_pipelines.encoding import FORMAT, IMAGE, LABEL
from plx_pipelines.metadata import read_metadata
from plx_pipelines.record_pipeline import RecordPipeline
from plx_pipelines.sources import OnCorrupt, RecordSource

FORMATS = ("raw", "png", "jpeg", "jpg")
_METADATA = {"height": int, "width": int, "channels": int}
_KEYS = {IMAGE: tf.io.FixedLenFeature((), tf.string), LABEL: tf.io.FixedLenFeature((), tf.int64)}
MOST_UNROLLED = 64
"""So many images are decoded side by side in one graph, where a loop over them would cost more than decoding small ones."""


class TFRecordImagePipeline(RecordPipeline):
    """Images and their classes from TFRecord files.

    A record is a `tf.train.Example` with `image/encoded` (PNG, JPEG, or the pixels themselves), `image/format` and
    `image/class/label`. Its batches are `{"image": uint8 [batch, height, width, channels]}` and `{"label": int64 [batch]}`.

    Args:
        data_files: the record files, or patterns.
        meta_data_file: a JSON file with `height`, `width` and `channels`.
        dynamic_pad: whether examples of different shapes are padded to the largest of their batch; images of one size need none.
        cache: True keeps the decoded images in memory; False keeps nothing there; None keeps the undecoded records there when they
            take less than 256 MiB.
        on_corrupt: whether a damaged record is an error, or left out and counted.
        corrupt_budget: with `skip`, how many damaged places are put up with.
        options: see `plx_core.IndexedPipeline`.

    Raises:
        DataError: the files are not what is described above.
        CorruptData: a file is damaged.
    """

    def __init__(
        self,
        data_files: DataFiles,
        meta_data_file: ExistingPath,
        dynamic_pad: bool = False,
        cache: bool | None = None,
        on_corrupt: OnCorrupt = "error",
        corrupt_budget: NonNegativeInt = 100,
        **options: Unpack[BatchOptions],
    ) -> None:
        self.meta_data = read_metadata(meta_data_file, _METADATA)
        self._shape = tuple(self.meta_data[key] for key in _METADATA)
        source = RecordSource(
            data_files, on_corrupt, corrupt_budget, resident=None if cache is None else False
        )
        self._raw = _is_raw(source.first(), self._shape, source.files[0])
        spec = (
            {"image": tf.TensorSpec([None, *self._shape], tf.uint8)},
            {"label": tf.TensorSpec([None], tf.int64)},
        )
        super().__init__(source, spec, None, **options)
        self._cached: Any = None
        self._cache = bool(cache)

    def _prepare(self) -> bool:
        self._source.load()
        if self._cache and self._cached is None:
            once = Order(len(self._source), min(len(self._source), 256), 1)
            parts = list(batches(once, self._decode))
            self._cached = tf.nest.map_structure(
                lambda *pieces: Resident(tf.concat(pieces, axis=0)), *parts
            )
        return self._cache

    def _read(self, indices: tf.Tensor) -> Any:
        return (
            tf.nest.map_structure(lambda part: part.gather(indices), self._cached)
            if self._cached
            else self._decode(indices)
        )

    def _decode(self, indices: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        rows = tf.io.parse_example(self._source.read(indices), _KEYS)
        if self._raw:
            images = decode_raw_images(rows[IMAGE], self._shape)
        else:
            images = decode_images(
                rows[IMAGE], self._shape, min(self._order.batch_size, MOST_UNROLLED)
            )
        return {"image": images}, {"label": rows[LABEL]}


def decode_raw_images(data: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Pixels as bytes, string [b], to uint8 [b, *shape]."""
    return tf.reshape(tf.io.decode_raw(data, tf.uint8), [-1, *shape])


def decode_images(data: tf.Tensor, shape: tuple[int, ...], group: int = MOST_UNROLLED) -> tf.Tensor:
    """PNG or JPEG images of one shape, string [b], to uint8 [b, *shape]; `group` of them are decoded side by side."""

    def decode(encoded: tf.Tensor) -> tf.Tensor:
        return tf.stack(
            [
                tf.ensure_shape(tf.io.decode_png(one, channels=shape[-1]), shape)
                for one in tf.unstack(encoded, group)
            ]
        )

    count = tf.size(data)
    groups = -(-count // group)
    places = tf.minimum(
        tf.range(groups * group), count - 1
    )  # the last group is filled up with its last image
    grouped = tf.reshape(tf.gather(data, places), [groups, group])
    images = tf.cond(
        groups == 1,
        lambda: decode(grouped[0]),
        lambda: tf.reshape(
            tf.map_fn(
                decode, grouped, fn_output_signature=tf.TensorSpec([group, *shape], tf.uint8)
            ),
            [-1, *shape],
        ),
    )
    return images[:count]


def _is_raw(record: bytes, shape: tuple[int, ...], path: str) -> bool:
    """Whether the images are pixels, told by the first of them, which is checked on the way."""
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # protobuf's own errors differ between its implementations
        raise DataError(f"{path}: the first record is not a tf.train.Example: {error}") from error
    missing = [key for key in (IMAGE, FORMAT, LABEL) if key not in features]
    if missing:
        raise DataError(
            f"{path}: the first record lacks {', '.join(missing)}; it has {', '.join(sorted(features))}"
        )
    form = b"".join(features[FORMAT].bytes_list.value).decode(errors="replace").lower()
    data = b"".join(features[IMAGE].bytes_list.value)
    if form not in FORMATS:
        raise DataError(
            f"{path}: {FORMAT} of the first record is {form!r}; it may be {', '.join(FORMATS)}"
        )
    pixels = shape[0] * shape[1] * shape[2]
    if form == "raw" and len(data) != pixels:
        raise DataError(
            f"{path}: the first image has {len(data)} bytes; height, width and channels {shape} make {pixels}"
        )
    return form == "raw"
