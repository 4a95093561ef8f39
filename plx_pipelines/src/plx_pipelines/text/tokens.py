"""Lines of text files, as tokens, ids and padded batches."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf
from attrs import field, frozen

from plx_core.errors import DataError
from plx_core.types import Tensor
from plx_pipelines.expansion import read_maybe_gzip
from plx_pipelines.text.vocabularies import PAD, START, STOP, Vocabulary

_CHUNK = 10_000


@frozen
class Tokenizer:
    """Splits text into tokens.

    Args:
        delimiter: separates tokens; a space stands for any white space, and an empty string splits
            into characters.
        lowercase: convert to lower case first.
        split_punctuation: make each punctuation mark a token.

    Example:
        >>> Tokenizer(lowercase=True, split_punctuation=True)(tf.constant(["A dog."])).to_list()
        [[b'a', b'dog', b'.']]
    """

    delimiter: str = " "
    lowercase: bool = False
    split_punctuation: bool = False

    def __call__(self, text: Tensor) -> tf.RaggedTensor:
        """Return the tokens, ragged string [b, tokens], of texts, string [b]."""
        if self.lowercase:
            text = tf.strings.lower(text, encoding="utf-8")
        if self.split_punctuation:
            text = tf.strings.regex_replace(text, r"([\p{P}\p{S}])", r" \1 ")
        if not self.delimiter:
            return tf.strings.unicode_split(text, "UTF-8")
        return tf.strings.split(text, None if self.delimiter == " " else self.delimiter)


@frozen
class Encoder:
    """Converts text to the ids of its tokens, or to the tokens if there is no vocabulary.

    Args:
        tokenizer: splits the text.
        vocabulary: the ids of tokens.
        start: put `<s>` before each text.
        stop: put `</s>` after each text.
        max_length: the number of tokens, including those two, after which texts are cut off.
    """

    tokenizer: Tokenizer
    vocabulary: Vocabulary | None = None
    start: bool = False
    stop: bool = False
    max_length: int | None = None
    _table: tf.lookup.StaticHashTable | None = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        table = None
        if self.vocabulary is not None:
            required = {PAD: True, START: self.start, STOP: self.stop}
            missing = [
                token
                for token, is_required in required.items()
                if is_required and token not in self.vocabulary
            ]
            if missing:
                raise DataError(f"the vocabulary lacks {', '.join(missing)}")
            table = self.vocabulary.table()
        object.__setattr__(self, "_table", table)

    @property
    def dtype(self) -> tf.DType:
        """The dtype of ids, or of tokens."""
        return tf.string if self._table is None else tf.int64

    def __call__(self, text: Tensor) -> tf.RaggedTensor:
        """Return the ids or tokens, ragged int64 or string [b, tokens], of texts, string [b]."""
        tokens = self.tokenizer(text)
        if self.max_length is not None:
            marks = [self.start, self.stop].count(True)
            tokens = tokens[:, : self.max_length - marks]
        parts = [tokens]
        shape = [tf.size(text), 1]
        if self.start:
            parts.insert(0, tf.fill(shape, START))
        if self.stop:
            parts.append(tf.fill(shape, STOP))
        if len(parts) > 1:
            tokens = tf.concat(parts, axis=1)
        if self._table is None:
            return tokens
        return tf.ragged.map_flat_values(self._table.lookup, tokens)


def pad(sequences: tf.RaggedTensor, length: int | None = None) -> Tensor:
    """Pad sequences with zeros or empty strings to the length of the longest, or to `length`."""
    return sequences.to_tensor(shape=None if length is None else [None, length])


def mask(lengths: Tensor, longest: Tensor) -> Tensor:
    """Return float32 [b, longest]: one within sequences of these lengths, int64 [b], else zero."""
    return tf.sequence_mask(lengths, longest, tf.float32)


def read_lines(paths: Sequence[str], check: bool = True) -> list[bytes]:
    """Return the lines of text files, `.gz` or not, one file after the other, without line ends.

    Args:
        paths: the files.
        check: whether a line that is not UTF-8 is an error.

    Raises:
        DataError: a file cannot be read, or is not UTF-8.
    """
    lines: list[bytes] = []
    for path in paths:
        content = read_maybe_gzip(Path(path), " as text")
        file_lines = content.replace(b"\r\n", b"\n").split(b"\n")
        if file_lines[-1] == b"":
            file_lines.pop()
        if check and (corrupt := find_undecodable(file_lines)):
            raise DataError(f"{path} cannot be read as text: line {corrupt[0] + 1} is not UTF-8")
        lines += file_lines
    return lines


def find_undecodable(lines: Sequence[bytes]) -> list[int]:
    """Return the indices of lines that are not UTF-8."""

    def is_utf8(line: bytes) -> bool:
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True

    return [index for index, line in enumerate(lines) if not is_utf8(line)]


def read_pairs(
    source: str | os.PathLike[str], target: str | os.PathLike[str]
) -> tuple[list[bytes], list[bytes]]:
    """Return the lines of two text files whose lines correspond.

    Raises:
        DataError: a file cannot be read, or the files differ in length.
    """
    first, second = read_lines([os.fspath(source)]), read_lines([os.fspath(target)])
    if len(first) != len(second):
        raise DataError(
            f"{source} has {len(first)} lines and {target} {len(second)}; their lines must "
            "correspond"
        )
    return first, second


def read_folder(folder: Path) -> list[bytes]:
    """Return the `.txt` files of a folder, in the order of their names, each as one line.

    Raises:
        DataError: there is no such file, or one is not UTF-8.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".txt")
    if not paths:
        raise DataError(f"{folder} has no .txt file")
    return [b" ".join(read_lines([os.fspath(path)])) for path in paths]


def iterate_tokens(lines: Sequence[bytes], tokenizer: Tokenizer) -> Iterator[str]:
    """Yield all tokens of the lines, for `Vocabulary.fit`."""
    for start in range(0, len(lines), _CHUNK):
        tokens = tokenizer(tf.constant(lines[start : start + _CHUNK], tf.string))
        for token in tokens.flat_values.numpy():
            yield token.decode("utf-8", "replace")
