"""Sequences: from `tf.train.SequenceExample`s, from texts in record files, and from pairs of text files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

import numpy as np
import tensorflow as tf

from plx_core import (
    BatchOptions,
    ElementSpec,
    IndexedPipeline,
    Order,
    Resident,
    batches,
)
from plx_core.annotations import DataFiles, ExistingPath, NonNegativeInt, PositiveInt
from plx_core.errors import CorruptData, DataError
from plx_pipelines.metadata import read_metadata
from plx_pipelines.record_pipeline import RecordPipeline
from plx_pipelines.records import find_files
from plx_pipelines.sources import OnCorrupt, RecordSource
from plx_pipelines.text import Encoder, Tokenizer, find_undecodable, pad, read_lines
from plx_pipelines.vocabularies import Vocabulary

TOKEN, LENGTH = "_token", "_len"
SOURCE, TARGET, LABEL = "source", "target", "label"
_DTYPES = {"int64": tf.int64, "float32": tf.float32, "string": tf.string}


class TFRecordSequencePipeline(RecordPipeline):
    """Sequences and what goes with them, from TFRecord files of `tf.train.SequenceExample`s.

    The metadata says what a record holds: `context_features` (one value, or several of a `shape`) and `sequence_features` (of any
    length), each a mapping of names to `{"dtype": "int64"|"float32"|"string", "shape": [...]}`; and `labels`, the names among them
    that are labels. A batch has each sequence feature padded with zeros, [batch, longest, ...], and its length, int64 [batch]: the
    length of `source_token` is `source_len`.

    Args:
        data_files: the record files, or patterns.
        meta_data_file: the JSON file described above.
        dynamic_pad: pad to the longest sequence of the batch; else to `max_length`.
        max_length: how much of a sequence is kept.
        bucket_by_length: whether a batch holds examples of like lengths, told by the bytes of their records.
        cache: whether the records are kept in memory; None for when they take less than 256 MiB.
        on_corrupt: whether a damaged record is an error, or left out and counted.
        corrupt_budget: with `skip`, how many damaged places are put up with.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        data_files: DataFiles,
        meta_data_file: ExistingPath,
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
        self._keys = (
            {
                name: tf.io.FixedLenFeature(shape, dtype)
                for name, (dtype, shape) in contexts.items()
            },
            {
                name: tf.io.FixedLenSequenceFeature(shape, dtype)
                for name, (dtype, shape) in sequences.items()
            },
        )
        specs = {
            name: tf.TensorSpec([None, *shape], dtype) for name, (dtype, shape) in contexts.items()
        }
        for name, (dtype, shape) in sequences.items():
            specs |= {
                name: tf.TensorSpec([None, self._width, *shape], dtype),
                length_name(name): tf.TensorSpec([None], tf.int64),
            }
        self._labels = label_names(self.meta_data.get("labels", []), specs, meta_data_file)
        records = RecordSource(data_files, on_corrupt, corrupt_budget, cache)
        lengths = records.lengths if bucket_by_length else None
        super().__init__(records, self._divide(specs), lengths, **options)

    def _read(self, indices: tf.Tensor) -> Any:
        found, sequences, lengths = tf.io.parse_sequence_example(
            self._source.read(indices), *self._keys
        )
        for name, values in sequences.items():
            found[name] = fit_width(values, self._max_length, self._width)
            found[length_name(name)] = (
                lengths[name]
                if self._max_length is None
                else tf.minimum(lengths[name], self._max_length)
            )
        return self._divide(found)

    def _divide(self, values: Mapping[str, Any]) -> ElementSpec:
        features = {name: value for name, value in values.items() if name not in self._labels}
        return features, {name: values[name] for name in self._labels}


class TFRecordSourceSequencePipeline(RecordPipeline):
    """Pairs of texts from TFRecord files of `tf.train.Example`s.

    Its batches are `{"source_token": [batch, longest], "source_len": int64 [batch], "target_token", "target_len"}` and `{"label":
    [batch, longest]}`. With a vocabulary tokens are numbers, int64, else text. `target_token` is what a decoder reads, beginning with
    `<s>`; `label` is what it has to say, one step ahead and ending with `</s>`. Both are padded with zeros, the number of `<pad>`.

    Args:
        data_files: the record files, or patterns.
        source_field: the feature of a record that holds the source.
        target_field: the one that holds the target.
        source_delimiter: what stands between tokens; a space is any white space, and nothing splits into characters.
        target_delimiter: the same for the target.
        source_vocabulary: a file with one token a line; text is left as it is without.
        target_vocabulary: the same for the target.
        lowercase: whether letters are made small.
        split_punctuation: whether each punctuation mark is a token of its own.
        dynamic_pad: pad to the longest sequence of the batch; else to `max_length`.
        max_length: how many tokens of a text are kept.
        bucket_by_length: whether a batch holds examples of like lengths, told by the bytes of their records.
        cache: whether the records are kept in memory; None for when they take less than 256 MiB.
        on_corrupt: whether a damaged record is an error, or left out and counted.
        corrupt_budget: with `skip`, how many damaged places are put up with.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        data_files: DataFiles,
        source_field: str = SOURCE,
        target_field: str = TARGET,
        source_delimiter: str = " ",
        target_delimiter: str = " ",
        source_vocabulary: ExistingPath | None = None,
        target_vocabulary: ExistingPath | None = None,
        lowercase: bool = False,
        split_punctuation: bool = False,
        dynamic_pad: bool = True,
        max_length: PositiveInt | None = None,
        bucket_by_length: bool = False,
        cache: bool | None = None,
        on_corrupt: OnCorrupt = "error",
        corrupt_budget: NonNegativeInt = 100,
        **options: Unpack[BatchOptions],
    ) -> None:
        source = Tokenizer(source_delimiter, lowercase, split_punctuation)
        target = Tokenizer(target_delimiter, lowercase, split_punctuation)
        self._pairs = PairEncoder(
            source,
            target,
            source_vocabulary,
            target_vocabulary,
            max_length,
            padded_width(dynamic_pad, max_length),
        )
        self._fields = (source_field, target_field)
        records = RecordSource(data_files, on_corrupt, corrupt_budget, cache)
        lengths = records.lengths if bucket_by_length else None
        super().__init__(records, self._pairs.spec, lengths, **options)

    def _read(self, indices: tf.Tensor) -> Any:
        keys = {name: tf.io.FixedLenFeature((), tf.string) for name in self._fields}
        rows = tf.io.parse_example(self._source.read(indices), keys)
        return self._pairs(*(rows[name] for name in self._fields))


class ParallelTextPipeline(IndexedPipeline):
    """Pairs of texts from two text files whose lines belong together, `.gz` or not; both are held in memory.

    Its batches are those of `TFRecordSourceSequencePipeline`.

    Args:
        source_files: the text files of the source.
        target_files: those of the target, with as many lines.
        source_delimiter: what stands between tokens; a space is any white space, and nothing splits into characters.
        target_delimiter: the same for the target.
        source_vocabulary: a file with one token a line; text is left as it is without.
        target_vocabulary: the same for the target.
        lowercase: whether letters are made small.
        split_punctuation: whether each punctuation mark is a token of its own.
        dynamic_pad: pad to the longest sequence of the batch; else to `max_length`.
        max_length: how many tokens of a text are kept.
        bucket_by_length: whether a batch holds pairs of like lengths.
        cache: whether tokens are kept in memory too, so that text is split only once.
        on_corrupt: whether a line that is not UTF-8 is an error, or left out with its partner and counted.
        corrupt_budget: with `skip`, how many such pairs are put up with.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        source_files: DataFiles,
        target_files: DataFiles,
        source_delimiter: str = " ",
        target_delimiter: str = " ",
        source_vocabulary: ExistingPath | None = None,
        target_vocabulary: ExistingPath | None = None,
        lowercase: bool = False,
        split_punctuation: bool = False,
        dynamic_pad: bool = True,
        max_length: PositiveInt | None = None,
        bucket_by_length: bool = False,
        cache: bool = False,
        on_corrupt: OnCorrupt = "error",
        corrupt_budget: NonNegativeInt = 100,
        **options: Unpack[BatchOptions],
    ) -> None:
        source = Tokenizer(source_delimiter, lowercase, split_punctuation)
        target = Tokenizer(target_delimiter, lowercase, split_punctuation)
        self._pairs = PairEncoder(
            source,
            target,
            source_vocabulary,
            target_vocabulary,
            max_length,
            padded_width(dynamic_pad, max_length),
        )
        self._skips = on_corrupt == "skip"
        lines, self._left_out = read_parallel(
            find_files(source_files),
            find_files(target_files),
            corrupt_budget if self._skips else None,
        )
        lengths = (
            np.array([len(first) + len(second) for first, second in zip(*lines, strict=True)])
            if bucket_by_length
            else None
        )
        super().__init__(len(lines[0]), self._pairs.spec, lengths, **options)
        self._lines = [Resident(tf.constant(side, tf.string)) for side in lines]
        self._cache = cache
        self._encoded: list[tuple[Resident, Resident, Resident]] | None = None

    def counters(self) -> Mapping[str, int]:
        """How many pairs were left out because a line of them is not UTF-8."""
        return {"corrupt_pairs": self._left_out} if self._skips else {}

    def _prepare(self) -> bool:
        if self._cache and self._encoded is None:
            once = Order(self._order.num_examples, min(self._order.num_examples, 1024), 1)
            parts = list(batches(once, lambda indices: self._pairs.encode(*self._texts(indices))))
            self._encoded = [
                _resident_ragged(tf.concat(pieces, axis=0)) for pieces in zip(*parts, strict=True)
            ]
        return self._cache

    def _texts(self, indices: tf.Tensor) -> list[tf.Tensor]:
        return [side.gather(indices) for side in self._lines]

    def _read(self, indices: tf.Tensor) -> Any:
        if self._encoded is None:
            return self._pairs(*self._texts(indices))
        return self._pairs.arrange(*(_gather_ragged(*parts, indices) for parts in self._encoded))


def read_parallel(
    source: Sequence[str], target: Sequence[str], budget: int | None
) -> tuple[list[list[bytes]], int]:
    """The lines of both sides, and how many pairs were left out.

    Args:
        source: the files of one side.
        target: those of the other.
        budget: how many pairs with a line that is not UTF-8 may be left out; None makes the first one an error.

    Raises:
        DataError: a file cannot be read, or the sides differ in length.
        CorruptData: more lines are not UTF-8 than may be left out.
    """
    sides = [read_lines(files, check=budget is None) for files in (source, target)]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"the source has {len(sides[0])} lines and the target {len(sides[1])}; each line belongs to one of the other"
        )
    if budget is None:
        return sides, 0
    bad = {place for side in sides for place in find_undecodable(side)}
    if len(bad) > budget:
        raise CorruptData(
            f"pair {min(bad) + 1} of {', '.join(source)} is not UTF-8; {len(bad)} are more than corrupt_budget: {budget}"
        )
    return [[line for place, line in enumerate(side) if place not in bad] for side in sides], len(
        bad
    )


class PairEncoder:
    """Source and target texts to what a batch of an encoder-decoder holds."""

    def __init__(
        self,
        source: Tokenizer,
        target: Tokenizer,
        source_vocabulary: str | None,
        target_vocabulary: str | None,
        max_length: int | None,
        width: int | None,
    ) -> None:
        vocabularies = [
            None if path is None else Vocabulary.load(path)
            for path in (source_vocabulary, target_vocabulary)
        ]
        self._width = width
        self._source = Encoder(source, vocabularies[0], max_length=max_length)
        # One token more, since the decoder's input leaves out the last, and what it has to say the first.
        self._target = Encoder(
            target,
            vocabularies[1],
            start=True,
            stop=True,
            max_length=None if max_length is None else max_length + 1,
        )

    @property
    def spec(self) -> ElementSpec:
        """Of the features and labels."""
        width, lengths = self._width, tf.TensorSpec([None], tf.int64)
        source, target = (
            tf.TensorSpec([None, width], self._source.dtype),
            tf.TensorSpec([None, width], self._target.dtype),
        )
        return {
            SOURCE + TOKEN: source,
            SOURCE + LENGTH: lengths,
            TARGET + TOKEN: target,
            TARGET + LENGTH: lengths,
        }, {LABEL: target}

    def __call__(self, source: tf.Tensor, target: tf.Tensor) -> Any:
        """The (features, labels) of texts, string [b] each."""
        return self.arrange(*self.encode(source, target))

    def encode(
        self, source: tf.Tensor, target: tf.Tensor
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """The tokens or numbers of texts, string [b] each."""
        return self._source(source), self._target(target)

    def arrange(self, source: tf.RaggedTensor, target: tf.RaggedTensor) -> Any:
        """The (features, labels) of tokens or numbers."""
        said, heard = target[:, :-1], target[:, 1:]
        features = {
            SOURCE + TOKEN: pad(source, self._width),
            SOURCE + LENGTH: source.row_lengths(),
            TARGET + TOKEN: pad(said, self._width),
            TARGET + LENGTH: said.row_lengths(),
        }
        return features, {LABEL: pad(heard, self._width)}


def padded_width(dynamic_pad: bool, max_length: int | None) -> int | None:
    """The width of padded sequences; None for that of the longest in the batch.

    Raises:
        ValueError: a fixed width is wanted, and not given.
    """
    if not dynamic_pad and max_length is None:
        raise ValueError("with dynamic_pad: false, max_length says how long sequences become")
    return None if dynamic_pad else max_length


def fit_width(values: tf.Tensor, max_length: int | None, width: int | None) -> tf.Tensor:
    """Padded sequences, [b, longest, ...], cut to `max_length`, and padded on to `width`."""
    values = values if max_length is None else values[:, :max_length]
    if width is None:
        return values
    padding = [[0, 0], [0, width - tf.shape(values)[1]]] + [[0, 0]] * (len(values.shape) - 2)
    padded = tf.pad(values, padding, constant_values="" if values.dtype == tf.string else 0)
    return tf.ensure_shape(padded, [None, width, *values.shape[2:]])


def length_name(name: str) -> str:
    """The feature that holds a sequence's length: `source_len` for `source_token`."""
    return name.removesuffix(TOKEN) + LENGTH


def parse_features(described: Any, path: str) -> dict[str, tuple[tf.DType, list[int]]]:
    """Types and shapes by name, from the metadata.

    Raises:
        DataError: a description is not one.
    """
    found = {}
    for name, entry in (
        described.items() if isinstance(described, Mapping) else [("features", described)]
    ):
        dtype = entry.get("dtype") if isinstance(entry, Mapping) else None
        shape = entry.get("shape", []) if isinstance(entry, Mapping) else []
        if (
            dtype not in _DTYPES
            or not isinstance(shape, list)
            or not all(isinstance(size, int) for size in shape)
        ):
            raise DataError(
                f'the metadata {path}: {name} must be like {{"dtype": "int64", "shape": []}}, with {", ".join(_DTYPES)}; got {entry!r}'
            )
        found[name] = (_DTYPES[dtype], shape)
    return found


def label_names(names: Any, specs: Mapping[str, Any], path: str) -> Sequence[str]:
    """The names of labels, from the metadata.

    Raises:
        DataError: they are not names of features.
    """
    if not isinstance(names, list) or any(name not in specs for name in names):
        raise DataError(
            f"the metadata {path}: labels must be a list of names among {', '.join(specs)}; got {names!r}"
        )
    return names


def _resident_ragged(values: tf.RaggedTensor) -> tuple[Resident, Resident, Resident]:
    return (
        Resident(values.flat_values),
        Resident(values.row_starts()),
        Resident(values.row_lengths()),
    )


def _gather_ragged(
    flat: Resident, starts: Resident, lengths: Resident, indices: tf.Tensor
) -> tf.RaggedTensor:
    first = starts.gather(indices)
    places = tf.ragged.range(first, first + lengths.gather(indices))
    return tf.ragged.map_flat_values(flat.gather, places)
