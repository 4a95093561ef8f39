"""Images with captions, in record files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

import tensorflow as tf

from plx_core import BatchOptions, Order, batches
from plx_core.annotations import DataFiles, ExistingPath, NonNegativeInt, PositiveInt
from plx_core.types import Batch, Labels
from plx_pipelines.pipelines.images import MOST_UNROLLED, decode_images, decode_raw_images
from plx_pipelines.pipelines.record_pipeline import RecordPipeline
from plx_pipelines.pipelines.sequences import LENGTH, TOKEN, fit_width, padded_width
from plx_pipelines.records.encoding import FORMAT, IMAGE
from plx_pipelines.records.metadata import read_metadata
from plx_pipelines.records.source import OnCorrupt, RecordSource

CAPTION = "caption"
CAPTION_IDS = "image/caption_ids"


class ImageCaptioningPipeline(RecordPipeline):
    """Images and captions from TFRecord files of `tf.train.SequenceExample`s.

    A record has an image (PNG, JPEG or raw pixels) and `image/format` in its context, and in its
    feature lists the token ids of a caption, including the start and stop tokens. The features are
    `{"image": uint8 [batch, height, width, channels], "caption_token": int64 [batch, longest],
    "caption_len": int64 [batch]}`, the labels are `{"label": int64 [batch, longest]}`.
    `caption_token` is the decoder's input, without the last token. `label` is its target, without
    the first token. Both are padded with zeros.

    Args:
        data_files: the record files, or patterns.
        meta_data_file: a JSON file with `height`, `width` and `channels`.
        image_field: the context feature of the image.
        caption_ids_field: the feature list of the token ids.
        dynamic_pad: pad to the longest caption of the batch; otherwise to `max_length`.
        max_length: the number of tokens after which captions are cut off.
        bucket_by_length: batch captions of similar lengths; this reads all records before the
            first batch.
        cache: whether to keep the records in memory; when None, if they take at most 256 MiB.
        on_corrupt: raise an error at a corrupt record, or skip and count it.
        corrupt_budget: with `skip`, how many corrupt records are tolerated.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        data_files: DataFiles,
        meta_data_file: ExistingPath,
        *,
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
        self._max_length = max_length
        self._width = padded_width(dynamic_pad, max_length)
        self._image = image_field
        self._caption_ids = caption_ids_field
        source = RecordSource(data_files, on_corrupt, corrupt_budget, cache)
        tokens = tf.TensorSpec([None, self._width], tf.int64)
        features = {
            "image": tf.TensorSpec([None, *self._shape], tf.uint8),
            CAPTION + TOKEN: tokens,
            CAPTION + LENGTH: tf.TensorSpec([None], tf.int64),
        }
        lengths = read_caption_lengths(source, caption_ids_field) if bucket_by_length else None
        super().__init__(source, (features, {"label": tokens}), lengths, **options)

    def _read(self, indices: tf.Tensor) -> tuple[dict[str, tf.Tensor], Labels]:
        contexts = {name: tf.io.FixedLenFeature((), tf.string) for name in (self._image, FORMAT)}
        context, ids, lengths = parse_captions(
            self._source.read(indices), self._caption_ids, contexts
        )
        lengths = tf.maximum(lengths - 1, 0)
        if self._max_length is not None:
            lengths = tf.minimum(lengths, self._max_length)
        mask = tf.sequence_mask(lengths, tf.maximum(tf.shape(ids)[1] - 1, 0), tf.int64)
        tokens, label = (
            fit_width(values * mask, self._max_length, self._width)
            for values in (ids[:, :-1], ids[:, 1:])
        )
        features = {
            "image": self._images(context[self._image], context[FORMAT]),
            CAPTION + TOKEN: tokens,
            CAPTION + LENGTH: lengths,
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
    records: tf.Tensor,
    field: str,
    contexts: Mapping[str, tf.io.FixedLenFeature] | None = None,
) -> tuple[Batch, tf.Tensor, tf.Tensor]:
    """Parse records, string [b].

    Returns:
        The context, the token ids, int64 [b, longest], and their lengths, int64 [b].
    """
    features = {field: tf.io.FixedLenSequenceFeature((), tf.int64)}
    context, sequences, lengths = tf.io.parse_sequence_example(records, contexts, features)
    return context, sequences[field], lengths[field]


def read_caption_lengths(source: RecordSource, field: str) -> tf.Tensor:
    """Return the number of tokens in the caption of each record: int64 [n]."""
    once = Order(len(source), min(len(source), 1024), 1)
    parts = batches(once, lambda indices: parse_captions(source.read(indices), field)[2])
    return tf.concat(list(parts), axis=0)
