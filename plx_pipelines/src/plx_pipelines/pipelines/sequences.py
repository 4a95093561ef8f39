"""Sequences in record files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Unpack

import tensorflow as tf

from plx_core import BatchOptions
from plx_core.annotations import DataFiles, ExistingPath, NonNegativeInt, PositiveInt
from plx_core.errors import DataError
from plx_core.types import Nested, Tensor
from plx_pipelines.pipelines.record_pipeline import RecordPipeline
from plx_pipelines.records.metadata import num_classes_of, read_metadata
from plx_pipelines.records.source import OnCorrupt, RecordSource

TOKEN = "_token"
LENGTH = "_len"
_DTYPES = {"int64": tf.int64, "float32": tf.float32, "string": tf.string}


class TFRecordSequencePipeline(RecordPipeline):
    """Sequences from TFRecord files of `tf.train.SequenceExample`s.

    The metadata describes a record. `context_features` (of a fixed shape) and `sequence_features`
    (of any length) map names to `{"dtype": "int64"|"float32"|"string", "shape": [...]}`. `labels`
    lists the features that are labels. A batch has each sequence feature padded with zeros,
    [batch, longest, ...], and its lengths, int64 [batch]. `source_len` has those of `source_token`.

    Args:
        data_files: the record files, or patterns.
        meta_data_file: the JSON file described above.
        dynamic_pad: pad to the longest sequence of the batch; otherwise to `max_length`.
        max_length: the number of steps after which sequences are cut off.
        bucket_by_length: batch examples whose records have similar sizes in bytes.
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
        dynamic_pad: bool = True,
        max_length: PositiveInt | None = None,
        bucket_by_length: bool = False,
        cache: bool | None = None,
        on_corrupt: OnCorrupt = "error",
        corrupt_budget: NonNegativeInt = 100,
        **options: Unpack[BatchOptions],
    ) -> None:
        self.meta_data = read_metadata(meta_data_file, {"sequence_features": dict})
        self._width = padded_width(dynamic_pad, max_length)
        self._max_length = max_length
        contexts = parse_features(self.meta_data.get("context_features", {}), meta_data_file)
        sequences = parse_features(self.meta_data["sequence_features"], meta_data_file)
        self._context_features = {
            name: tf.io.FixedLenFeature(shape, dtype) for name, (dtype, shape) in contexts.items()
        }
        self._sequence_features = {
            name: tf.io.FixedLenSequenceFeature(shape, dtype)
            for name, (dtype, shape) in sequences.items()
        }
        specs = {
            name: tf.TensorSpec([None, *shape], dtype) for name, (dtype, shape) in contexts.items()
        }
        for name, (dtype, shape) in sequences.items():
            specs[name] = tf.TensorSpec([None, self._width, *shape], dtype)
            specs[length_name(name)] = tf.TensorSpec([None], tf.int64)
        self._labels = label_names(self.meta_data.get("labels", []), specs, meta_data_file)
        source = RecordSource(data_files, on_corrupt, corrupt_budget, cache)
        lengths = source.lengths if bucket_by_length else None
        super().__init__(source, self._split(specs), lengths, **options)

    @property
    def num_classes(self) -> Mapping[str, int]:
        """The number of classes in the metadata, by the name of the only label."""
        return num_classes_of(self.meta_data, list(self._labels))

    def _read(self, indices: Tensor) -> tuple[dict[str, Tensor], Nested]:
        rows, sequences, lengths = tf.io.parse_sequence_example(
            self._source.read(indices), self._context_features, self._sequence_features
        )
        for name, values in sequences.items():
            length = lengths[name]
            if self._max_length is not None:
                length = tf.minimum(length, self._max_length)
            rows[name] = fit_width(values, self._max_length, self._width)
            rows[length_name(name)] = length
        return self._split(rows)

    def _split(self, values: Mapping[str, Nested]) -> tuple[dict[str, Nested], Nested]:
        """Split values by name into (features, labels)."""
        features = {name: value for name, value in values.items() if name not in self._labels}
        return features, {name: values[name] for name in self._labels}


def padded_width(dynamic_pad: bool, max_length: int | None) -> int | None:
    """Return the width of padded sequences; None for that of the longest sequence in the batch.

    Raises:
        ValueError: `dynamic_pad` is false and `max_length` is None.
    """
    if not dynamic_pad and max_length is None:
        raise ValueError("dynamic_pad: false needs max_length, the width of padded sequences")
    return None if dynamic_pad else max_length


def fit_width(values: Tensor, max_length: int | None, width: int | None) -> Tensor:
    """Cut padded sequences, [b, longest, ...], off at `max_length`, and pad them to `width`."""
    values = values if max_length is None else values[:, :max_length]
    if width is None:
        return values
    padding = [[0, 0], [0, width - tf.shape(values)[1]]] + [[0, 0]] * (len(values.shape) - 2)
    padded = tf.pad(values, padding, constant_values="" if values.dtype == tf.string else 0)
    return tf.ensure_shape(padded, [None, width, *values.shape[2:]])


def length_name(name: str) -> str:
    """Return the name of the length of a sequence: `source_len` for `source_token`."""
    return name.removesuffix(TOKEN) + LENGTH


def parse_features(features: object, path: str) -> dict[str, tuple[tf.DType, list[int]]]:
    """Return dtypes and shapes by name, from the metadata.

    Args:
        features: the features in the metadata, which may be anything.
        path: the metadata's file.

    Raises:
        DataError: a feature has no valid dtype and shape.
    """
    if not isinstance(features, Mapping):
        features = {"features": features}
    parsed = {}
    for name, entry in features.items():
        fields = entry if isinstance(entry, Mapping) else {}
        dtype, shape = fields.get("dtype"), fields.get("shape", [])
        is_shape = isinstance(shape, list) and all(isinstance(size, int) for size in shape)
        if dtype not in _DTYPES or not is_shape:
            raise DataError(
                f'the metadata {path}: {name} must be like {{"dtype": "int64", "shape": []}}, with '
                f"{', '.join(_DTYPES)}; got {entry!r}"
            )
        parsed[name] = (_DTYPES[dtype], shape)
    return parsed


def label_names(names: object, specs: Mapping[str, Nested], path: str) -> Sequence[str]:
    """Return the names of labels, from the metadata.

    Args:
        names: the labels in the metadata, which may be anything.
        specs: the features by name.
        path: the metadata's file.

    Raises:
        DataError: `names` is not a list of names of features.
    """
    if not isinstance(names, list) or any(name not in specs for name in names):
        raise DataError(
            f"the metadata {path}: labels must be a list of names among {', '.join(specs)}; got "
            f"{names!r}"
        )
    return names
