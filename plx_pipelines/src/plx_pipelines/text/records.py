"""Write labelled texts, and pairs of texts, as record files with vocabularies."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import tensorflow as tf

from plx_pipelines.records.encoding import (
    bytes_feature,
    encode_example,
    encode_sequence_example,
    int64_feature,
)
from plx_pipelines.records.metadata import Metadata
from plx_pipelines.records.splits import class_metadata, write_splits
from plx_pipelines.text.tokens import Encoder, Tokenizer, iterate_tokens
from plx_pipelines.text.vocabularies import Vocabulary

Labelled: TypeAlias = tuple[Sequence[bytes], Sequence[int]]
"""Texts in UTF-8, and the label of each."""
Pairs: TypeAlias = tuple[Sequence[bytes], Sequence[bytes]]
"""Source texts in UTF-8, and the target text of each."""

VOCABULARY = "vocabulary.txt"
_CHUNK = 1_000
"""The number of texts that are tokenized at once."""


def write_texts(
    output_dir: str | os.PathLike[str],
    name: str,
    splits: Mapping[str, Labelled],
    classes: Sequence[str],
    tokenizer: Tokenizer,
    vocabulary_size: int | None = None,
    shards: int = 1,
) -> Metadata:
    """Write texts as token ids with a label, for `TFRecordSequencePipeline`.

    The features are `source_token` and `source_len`, the label is `label`. The tokens of the first
    split are written as `vocabulary.txt`.

    Args:
        output_dir: a folder, created if necessary.
        name: the prefix of the files' names.
        splits: texts and labels by split.
        classes: the name of the class of each label.
        tokenizer: splits texts into tokens.
        vocabulary_size: the number of tokens, including the special ones; None for all.
        shards: the number of files for each split.

    Returns:
        The metadata, and the `files` by split.
    """
    vocabulary = Vocabulary.fit(
        iterate_tokens(next(iter(splits.values()))[0], tokenizer), vocabulary_size
    )
    vocabulary.save(Path(output_dir) / VOCABULARY)
    metadata = {
        "pipeline": "TFRecordSequencePipeline",
        "context_features": {"label": {"dtype": "int64", "shape": []}},
        "sequence_features": {"source_token": {"dtype": "int64", "shape": []}},
        "labels": ["label"],
        **class_metadata(classes),
        **_describe(tokenizer),
        "vocabulary": VOCABULARY,
        "most_tokens": vocabulary_size,
        "vocabulary_size": len(vocabulary),
    }
    records = {
        split: _encode_texts(*labelled, Encoder(tokenizer, vocabulary))
        for split, labelled in splits.items()
    }
    return write_splits(output_dir, name, records, metadata, shards)


def write_pairs(
    output_dir: str | os.PathLike[str],
    name: str,
    splits: Mapping[str, Pairs],
    tokenizer: Tokenizer,
    vocabulary_size: int | None = None,
    shards: int = 1,
    extra_metadata: Metadata | None = None,
) -> Metadata:
    """Write pairs of texts, for `TFRecordSourceSequencePipeline`, and a vocabulary of each side.

    The vocabularies, `source_vocabulary.txt` and `target_vocabulary.txt`, have the tokens of the
    first split. The records keep the texts unchanged, so a pipeline must split them with the same
    options as `tokenizer`.

    Args:
        output_dir: a folder, created if necessary.
        name: the prefix of the files' names.
        splits: pairs by split.
        tokenizer: splits texts into tokens.
        vocabulary_size: the number of tokens of each side, including the special ones; None for
            all.
        shards: the number of files for each split.
        extra_metadata: further entries of the metadata.

    Returns:
        The metadata, and the `files` by split.
    """
    metadata: dict[str, Any] = {
        "pipeline": "TFRecordSourceSequencePipeline",
        **_describe(tokenizer),
        "most_tokens": vocabulary_size,
    }
    metadata |= extra_metadata or {}
    for side, texts in zip(("source", "target"), next(iter(splits.values())), strict=True):
        vocabulary = Vocabulary.fit(iterate_tokens(texts, tokenizer), vocabulary_size)
        vocabulary.save(Path(output_dir) / f"{side}_{VOCABULARY}")
        metadata |= {
            f"{side}_vocabulary": f"{side}_{VOCABULARY}",
            f"{side}_vocabulary_size": len(vocabulary),
        }
    records = {
        split: (
            encode_example({"source": bytes_feature([source]), "target": bytes_feature([target])})
            for source, target in zip(*pairs, strict=True)
        )
        for split, pairs in splits.items()
    }
    return write_splits(output_dir, name, records, metadata, shards)


def _encode_texts(
    texts: Sequence[bytes], labels: Sequence[int], encoder: Encoder
) -> Iterator[bytes]:
    numbers = [int64_feature([number]) for number in range(len(encoder.vocabulary or ()))]
    for first in range(0, len(texts), _CHUNK):
        rows = encoder(tf.constant(texts[first : first + _CHUNK], tf.string)).to_list()
        for tokens, label in zip(rows, labels[first : first + _CHUNK], strict=True):
            yield encode_sequence_example(
                {"label": int64_feature([label])},
                {"source_token": [numbers[token] for token in tokens]},
            )


def _describe(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "delimiter": tokenizer.delimiter,
        "lowercase": tokenizer.lowercase,
        "split_punctuation": tokenizer.split_punctuation,
    }
