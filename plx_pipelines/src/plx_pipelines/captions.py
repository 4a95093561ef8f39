"""Images with captions, in record files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import tensorflow as tf

from plx_core import BatchOptions, Order, batches
from plx_core.annotations import DataFiles, ExistingPath, NonNegativeInt, PositiveInt
from plx_pipelines.encoding import FORMAT, IMAGE
from plx_pipelines.images import MOST_UNROLLED, decode_images, decode_raw_images
from plx_pipelines.metadata import read_metadata
from plx_pipelines.record_pipeline import RecordPipeline
from plx_pipelines.sequences import LENGTH, TOKEN, fit_width, padded_width
from plx_pipelines.sources import OnCorrupt, RecordSource

CAPTION = "caption"
CAPTION_IDS = "image/caption_ids"


class ImageCaptioningPipeline(RecordPipeline):
    """Images and captions from TFRecord files of `tf.train.SequenceExample`s.

    A record has an image (PNG, JPEG, or the pixels themselves) and `image/format` in its context, and in its feature lists the numbers
    of a caption's tokens, from its start mark to its stop mark. A batch is `{"image": uint8 [batch, height, width, channels],
    "caption_token": int64 [batch, longest], "caption_len": int64 [batch]}` and `{"label": int64 [batch, longest]}`: what a decoder
    reads, without the last token, and what it has to say, without the first; padded with zeros.

    Args:
        data_files: the record files, or patterns.
        meta_data_file: a JSON file with `height`, `width` and `channels`.
        image_field: the feature of a record that holds the image.
        caption_ids_field: the feature list that holds the numbers.
        dynamic_pad: pad to the longest caption of the batch; else to `max_length`.
        max_length: how many tokens of a caption are kept.
        bucket_by_length: whether a batch holds captions of like lengths; all records are read for that beforehand.
        cache: whether the records are kept in memory; None for when they take less than 256 MiB.
        on_corrupt: whether a damaged record is an error, or left out and counted.
        corrupt_budget: with `skip`, how many damaged places are put up with.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        data_files: DataFiles,
        meta_data_file: ExistingPath,
        image_field: str = IMAGE,
        caption_ids_field: str = CAPTION_IDS,
        dynamic_pad: bool = True,
        max_length: PositiveInt | None = None,
        bucket_by_length: bool = False,
        cache: bool | None = None,
        on_corrupt: OnCorrupt = "error",
        corrupt_budget: NonNegativeInt = 100,
        **options: Unpack[BatchOptions],
    ) -> None:
        self.meta_data = read_metadata(
            meta_data_file, {"height": int, "width": int, "channels": int}
        )
        self._shape = tuple(self.meta_data[key] for key in ("height", "width", "channels"))
        self._max_length, self._width = max_length, padded_width(dynamic_pad, max_length)
        self._image, self._caption_ids = image_field, caption_ids_field
        source = RecordSource(data_files, on_corrupt, corrupt_budget, cache)
        tokens = tf.TensorSpec([None, self._width], tf.int64)
        features = {
            "image": tf.TensorSpec([None, *self._shape], tf.uint8),
            CAPTION + TOKEN: tokens,
            CAPTION + LENGTH: tf.TensorSpec([None], tf.int64),
        }
        lengths = read_caption_lengths(source, caption_ids_field) if bucket_by_length else None
        super().__init__(source, (features, {"label": tokens}), lengths, **options)

    def _read(self, indices: tf.Tensor) -> Any:
        contexts = {name: tf.io.FixedLenFeature((), tf.string) for name in (self._image, FORMAT)}
        context, ids, lengths = parse_captions(
            self._source.read(indices), self._caption_ids, contexts
        )
        said = tf.maximum(lengths - 1, 0)
        kept = said if self._max_length is None else tf.minimum(said, self._max_length)
        heard = tf.sequence_mask(kept, tf.maximum(tf.shape(ids)[1] - 1, 0), tf.int64)
        read, label = (
            fit_width(values * heard, self._max_length, self._width)
            for values in (ids[:, :-1], ids[:, 1:])
        )
        features = {
            "image": self._images(context[self._image], context[FORMAT]),
            CAPTION + TOKEN: read,
            CAPTION + LENGTH: kept,
        }
        return features, {"label": label}

    def _images(self, data: tf.Tensor, formats: tf.Tensor) -> tf.Tensor:
        group = min(self._order.batch_size, MOST_UNROLLED)
        images = tf.cond(
            tf.equal(formats[0], "raw"),
            lambda: decode_raw_images(data, self._shape),
            lambda: decode_images(data, self._shape, group),
        )
        return tf.ensure_shape(images, [None, *self._shape])


def parse_captions(
    records: tf.Tensor, field: str, contexts: Mapping[str, Any] | None = None
) -> tuple[Any, tf.Tensor, tf.Tensor]:
    """What records, string [b], hold: the context, the captions' numbers, int64 [b, longest], and their lengths, int64 [b]."""
    sequences = {field: tf.io.FixedLenSequenceFeature((), tf.int64)}
    context, found, lengths = tf.io.parse_sequence_example(records, contexts, sequences)
    return context, found[field], lengths[field]


def read_caption_lengths(source: RecordSource, field: str) -> tf.Tensor:
    """How many tokens the caption of each record has: int64 [n]."""
    once = Order(len(source), min(len(source), 1024), 1)
    parts = batches(once, lambda indices: parse_captions(source.read(indices), field)[2])
    return tf.concat(list(parts), axis=0)
