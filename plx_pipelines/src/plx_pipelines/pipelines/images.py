"""Images in record files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, Unpack

import tensorflow as tf

from plx_core import BatchOptions, Order, Resident, batches
from plx_core.annotations import DataFiles, ExistingPath, NonNegativeInt
from plx_core.errors import DataError
from plx_core.types import Nested
from plx_pipelines.pipelines.record_pipeline import RecordPipeline
from plx_pipelines.records.encoding import FORMAT, IMAGE, LABEL
from plx_pipelines.records.metadata import num_classes_of, read_metadata
from plx_pipelines.records.source import OnCorrupt, RecordSource

FORMATS = ("raw", "png", "jpeg", "jpg")
_METADATA = {"height": int, "width": int, "channels": int}
_KEYS = {IMAGE: tf.io.FixedLenFeature((), tf.string), LABEL: tf.io.FixedLenFeature((), tf.int64)}

Images: TypeAlias = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]
"""A batch of images and labels."""

MOST_UNROLLED = 64
"""The largest number of images that a graph decodes in parallel.

For small images, a loop would take longer than the decoding.
"""


class TFRecordImagePipeline(RecordPipeline):
    """Images and their classes from TFRecord files.

    A record is a `tf.train.Example` with `image/encoded` (PNG, JPEG or raw pixels), `image/format`
    and `image/class/label`. The features are `{"image": uint8 [batch, height, width, channels]}`,
    the labels are `{"label": int64 [batch]}`.

    Args:
        data_files: the record files, or patterns.
        meta_data_file: a JSON file with `height`, `width` and `channels`.
        dynamic_pad: no effect, as all images have the same size.
        cache: True keeps the decoded images in memory, False keeps nothing; None keeps the encoded
            records in memory if they take at most 256 MiB.
        on_corrupt: raise an error at a corrupt record, or skip and count it.
        corrupt_budget: with `skip`, how many corrupt records are tolerated.
        options: see `plx_core.IndexedPipeline`.

    Raises:
        DataError: a file does not have this format.
        CorruptData: a file is corrupt.
    """

    def __init__(
        self,
        data_files: DataFiles,
        meta_data_file: ExistingPath,
        *,
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
        super().__init__(source, spec, **options)
        self._cached: Nested = None
        self._cache = bool(cache)

    @property
    def num_classes(self) -> Mapping[str, int]:
        """The number of classes in the metadata, by the name of the label."""
        return num_classes_of(self.meta_data, ["label"])

    def _prepare(self) -> bool:
        self._source.load()
        if self._cache and self._cached is None:
            once = Order(len(self._source), min(len(self._source), 256), 1)
            parts = list(batches(once, self._decode))
            self._cached = tf.nest.map_structure(
                lambda *pieces: Resident(tf.concat(pieces, axis=0)), *parts
            )
        return self._cache

    def _read(self, indices: tf.Tensor) -> Images:
        if self._cached is None:
            return self._decode(indices)
        batch: Images = tf.nest.map_structure(lambda part: part.gather(indices), self._cached)
        return batch

    def _decode(self, indices: tf.Tensor) -> Images:
        rows = tf.io.parse_example(self._source.read(indices), _KEYS)
        if self._raw:
            images = decode_raw_images(rows[IMAGE], self._shape)
        else:
            group = min(self._order.batch_size, MOST_UNROLLED)
            images = decode_images(rows[IMAGE], self._shape, group)
        return {"image": images}, {"label": rows[LABEL]}


def decode_raw_images(data: tf.Tensor, shape: tuple[int, ...]) -> tf.Tensor:
    """Convert raw pixels, string [b], to uint8 [b, *shape]."""
    return tf.reshape(tf.io.decode_raw(data, tf.uint8), [-1, *shape])


def decode_images(data: tf.Tensor, shape: tuple[int, ...], group: int = MOST_UNROLLED) -> tf.Tensor:
    """Decode PNG or JPEG images of one shape, string [b], to uint8 [b, *shape].

    The graph decodes `group` images in parallel, and loops over such groups.
    """

    def decode(encoded: tf.Tensor) -> tf.Tensor:
        images = [
            tf.io.decode_png(image, channels=shape[-1]) for image in tf.unstack(encoded, group)
        ]
        return tf.stack([tf.ensure_shape(image, shape) for image in images])

    def decode_in_loop() -> tf.Tensor:
        spec = tf.TensorSpec([group, *shape], tf.uint8)
        return tf.reshape(tf.map_fn(decode, grouped, fn_output_signature=spec), [-1, *shape])

    count = tf.size(data)
    num_groups = (count + group - 1) // group  # rounded up
    # Repeat the last image to fill the last group.
    indices = tf.minimum(tf.range(num_groups * group), count - 1)
    grouped = tf.reshape(tf.gather(data, indices), [num_groups, group])
    images = tf.cond(num_groups == 1, lambda: decode(grouped[0]), decode_in_loop)
    return images[:count]


def _is_raw(record: bytes, shape: tuple[int, ...], path: str) -> bool:
    """Check the first record, and return whether its image is raw pixels."""
    try:
        features = tf.train.Example.FromString(record).features.feature
    except Exception as error:  # protobuf's own errors differ between its implementations
        raise DataError(f"{path}: the first record is not a tf.train.Example: {error}") from error
    missing = [key for key in (IMAGE, FORMAT, LABEL) if key not in features]
    if missing:
        raise DataError(
            f"{path}: the first record lacks {', '.join(missing)}; "
            f"it has {', '.join(sorted(features))}"
        )
    form = b"".join(features[FORMAT].bytes_list.value).decode(errors="replace").lower()
    data = b"".join(features[IMAGE].bytes_list.value)
    if form not in FORMATS:
        raise DataError(
            f"{path}: {FORMAT} of the first record is {form!r}; "
            f"expected one of {', '.join(FORMATS)}"
        )
    pixels = shape[0] * shape[1] * shape[2]
    if form == "raw" and len(data) != pixels:
        raise DataError(
            f"{path}: the first image has {len(data)} bytes; "
            f"height, width and channels {shape} make {pixels}"
        )
    return form == "raw"
