"""Pairs of texts, in record files or in text files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, Unpack

import numpy as np
import tensorflow as tf

from plx_core import BatchOptions, ElementSpec, IndexedPipeline, Order, Resident, batches
from plx_core.annotations import DataFiles, ExistingPath, NonNegativeInt, PositiveInt
from plx_core.errors import CorruptData, DataError
from plx_core.types import Nested, Tensor
from plx_pipelines.pipelines.record_pipeline import RecordPipeline
from plx_pipelines.pipelines.sequences import LENGTH, TOKEN, padded_width
from plx_pipelines.records.source import OnCorrupt, RecordSource
from plx_pipelines.records.tfrecord import find_files
from plx_pipelines.text.tokens import Encoder, Tokenizer, find_undecodable, pad, read_lines
from plx_pipelines.text.vocabularies import Vocabulary

SOURCE = "source"
TARGET = "target"
LABEL = "label"

Ragged: TypeAlias = tuple[Resident, Resident, Resident]
"""The values, row starts and row lengths of a ragged tensor."""


class TFRecordSourceSequencePipeline(RecordPipeline):
    """Pairs of texts from TFRecord files of `tf.train.Example`s.

    The features are `{"source_token": [batch, longest], "source_len": int64 [batch],
    "target_token": [batch, longest], "target_len": int64 [batch]}`, the labels are `{"label":
    [batch, longest]}`. With a vocabulary, tokens are ids, int64; otherwise strings. `target_token`
    is the decoder's input, which begins with `<s>`. `label` is its target, one step ahead, which
    ends with `</s>`. All are padded with zeros, the id of `<pad>`.

    Args:
        data_files: the record files, or patterns.
        source_field: the feature of the source text.
        target_field: the feature of the target text.
        source_delimiter: separates the tokens of the source; a space stands for any white space,
            and an empty string splits into characters.
        target_delimiter: separates the tokens of the target.
        source_vocabulary: a file with one token a line; when None, tokens stay strings.
        target_vocabulary: the same for the target.
        lowercase: convert to lower case.
        split_punctuation: make each punctuation mark a token.
        dynamic_pad: pad to the longest sequence of the batch; otherwise to `max_length`.
        max_length: the number of tokens after which texts are cut off.
        bucket_by_length: batch examples whose records have similar sizes in bytes.
        cache: whether to keep the records in memory; when None, if they take at most 256 MiB.
        on_corrupt: raise an error at a corrupt record, or skip and count it.
        corrupt_budget: with `skip`, how many corrupt records are tolerated.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        data_files: DataFiles,
        *,
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
        self._pairs = PairEncoder(
            Tokenizer(source_delimiter, lowercase, split_punctuation),
            Tokenizer(target_delimiter, lowercase, split_punctuation),
            source_vocabulary,
            target_vocabulary,
            max_length,
            padded_width(dynamic_pad, max_length),
        )
        self._fields = (source_field, target_field)
        source = RecordSource(data_files, on_corrupt, corrupt_budget, cache)
        lengths = source.lengths if bucket_by_length else None
        super().__init__(source, self._pairs.spec, lengths, **options)

    def _read(self, indices: Tensor) -> tuple[dict[str, Tensor], Nested]:
        keys = {name: tf.io.FixedLenFeature((), tf.string) for name in self._fields}
        rows = tf.io.parse_example(self._source.read(indices), keys)
        return self._pairs(*(rows[name] for name in self._fields))


class ParallelTextPipeline(IndexedPipeline):
    """Pairs of texts from two text files, `.gz` or not, whose lines correspond.

    The features and labels are those of `TFRecordSourceSequencePipeline`. Both files are kept in
    memory.

    Args:
        source_files: the text files of the source.
        target_files: the text files of the target, with as many lines.
        source_delimiter: separates the tokens of the source; a space stands for any white space,
            and an empty string splits into characters.
        target_delimiter: separates the tokens of the target.
        source_vocabulary: a file with one token a line; when None, tokens stay strings.
        target_vocabulary: the same for the target.
        lowercase: convert to lower case.
        split_punctuation: make each punctuation mark a token.
        dynamic_pad: pad to the longest sequence of the batch; otherwise to `max_length`.
        max_length: the number of tokens after which texts are cut off.
        bucket_by_length: batch pairs of similar lengths in bytes.
        cache: whether to keep the tokens in memory too, so that texts are split only once.
        on_corrupt: raise an error at a line that is not UTF-8, or skip and count the pair.
        corrupt_budget: with `skip`, how many corrupt pairs are tolerated.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        source_files: DataFiles,
        target_files: DataFiles,
        *,
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
        self._pairs = PairEncoder(
            Tokenizer(source_delimiter, lowercase, split_punctuation),
            Tokenizer(target_delimiter, lowercase, split_punctuation),
            source_vocabulary,
            target_vocabulary,
            max_length,
            padded_width(dynamic_pad, max_length),
        )
        self._skips = on_corrupt == "skip"
        sides, self._num_skipped = read_parallel(
            find_files(source_files),
            find_files(target_files),
            corrupt_budget if self._skips else None,
        )
        lengths = None
        if bucket_by_length:
            lengths = np.array([sum(map(len, pair)) for pair in zip(*sides, strict=True)])
        super().__init__(len(sides[0]), self._pairs.spec, lengths, **options)
        self._lines = [Resident(tf.constant(side, tf.string)) for side in sides]
        self._cache = cache
        self._cached: list[Ragged] | None = None

    def counters(self) -> Mapping[str, int]:
        """Return the number of pairs that were skipped because a line is not UTF-8."""
        return {"corrupt_pairs": self._num_skipped} if self._skips else {}

    def _prepare(self) -> bool:
        if self._cache and self._cached is None:
            once = Order(self._order.num_examples, min(self._order.num_examples, 1024), 1)
            parts = list(batches(once, lambda indices: self._pairs.encode(*self._texts(indices))))
            self._cached = [
                _resident_ragged(tf.concat(pieces, axis=0)) for pieces in zip(*parts, strict=True)
            ]
        return self._cache

    def _texts(self, indices: Tensor) -> list[Tensor]:
        return [side.gather(indices) for side in self._lines]

    def _read(self, indices: Tensor) -> tuple[dict[str, Tensor], Nested]:
        if self._cached is None:
            return self._pairs(*self._texts(indices))
        return self._pairs.arrange(*(_gather_ragged(side, indices) for side in self._cached))


def read_parallel(
    source: Sequence[str], target: Sequence[str], budget: int | None
) -> tuple[list[list[bytes]], int]:
    """Read corresponding lines of text files.

    Args:
        source: the files of the source.
        target: the files of the target.
        budget: the number of pairs with a line that is not UTF-8 that may be skipped; None makes
            the first one an error.

    Returns:
        The lines of the source and of the target, and the number of pairs that were skipped.

    Raises:
        DataError: a file cannot be read, or source and target differ in length.
        CorruptData: there are more lines that are not UTF-8 than the budget.
    """
    sides = [read_lines(files, check=budget is None) for files in (source, target)]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"the source has {len(sides[0])} lines and the target {len(sides[1])}; their lines "
            "must correspond"
        )
    if budget is None:
        return sides, 0
    corrupt = {index for side in sides for index in find_undecodable(side)}
    if len(corrupt) > budget:
        raise CorruptData(
            f"pair {min(corrupt) + 1} of {', '.join(source)} is not UTF-8; {len(corrupt)} are more "
            f"than corrupt_budget: {budget}"
        )
    intact = [[line for index, line in enumerate(side) if index not in corrupt] for side in sides]
    return intact, len(corrupt)


class PairEncoder:
    """Encodes pairs of texts as the batches of an encoder-decoder.

    Args:
        source: splits the source.
        target: splits the target.
        source_vocabulary: the file of the source's vocabulary, or None.
        target_vocabulary: the file of the target's vocabulary, or None.
        max_length: the number of tokens after which texts are cut off.
        width: the width of padded sequences; None for that of the longest in the batch.
    """

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
        # One more token: the decoder's input drops the last one, and its target the first one.
        self._target = Encoder(
            target,
            vocabularies[1],
            start=True,
            stop=True,
            max_length=None if max_length is None else max_length + 1,
        )

    @property
    def spec(self) -> ElementSpec:
        """The specification of the features and labels."""
        lengths = tf.TensorSpec([None], tf.int64)
        source = tf.TensorSpec([None, self._width], self._source.dtype)
        target = tf.TensorSpec([None, self._width], self._target.dtype)
        features = {
            SOURCE + TOKEN: source,
            SOURCE + LENGTH: lengths,
            TARGET + TOKEN: target,
            TARGET + LENGTH: lengths,
        }
        return features, {LABEL: target}

    def __call__(self, source: Tensor, target: Tensor) -> tuple[dict[str, Tensor], Nested]:
        """Return the (features, labels) of texts, string [b] each."""
        return self.arrange(*self.encode(source, target))

    def encode(self, source: Tensor, target: Tensor) -> tuple[tf.RaggedTensor, tf.RaggedTensor]:
        """Return the tokens of texts, string [b] each."""
        return self._source(source), self._target(target)

    def arrange(
        self, source: tf.RaggedTensor, target: tf.RaggedTensor
    ) -> tuple[dict[str, Tensor], Nested]:
        """Return the (features, labels) of tokens."""
        inputs = target[:, :-1]
        features = {
            SOURCE + TOKEN: pad(source, self._width),
            SOURCE + LENGTH: source.row_lengths(),
            TARGET + TOKEN: pad(inputs, self._width),
            TARGET + LENGTH: inputs.row_lengths(),
        }
        return features, {LABEL: pad(target[:, 1:], self._width)}


def _resident_ragged(values: tf.RaggedTensor) -> Ragged:
    return (
        Resident(values.flat_values),
        Resident(values.row_starts()),
        Resident(values.row_lengths()),
    )


def _gather_ragged(rows: Ragged, indices: Tensor) -> tf.RaggedTensor:
    values, starts, lengths = rows
    first = starts.gather(indices)
    places = tf.ragged.range(first, first + lengths.gather(indices))
    return tf.ragged.map_flat_values(values.gather, places)
