"""Lines of text to tokens, to numbers, and to batches of one shape."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow as tf
from attrs import field, frozen

from plx_core.errors import DataError
from plx_pipelines.vocabularies import PAD, START, STOP, Vocabulary

_AT_ONCE = 10_000


@frozen
class Tokenizer:
    """Splits text into tokens.

    Args:
        delimiter: what stands between tokens; a space stands for any white space, and nothing splits into characters.
        lowercase: whether letters are made small first.
        split_punctuation: whether each punctuation mark is a token of its own.

    Example:
        >>> Tokenizer(lowercase=True, split_punctuation=True)(tf.constant(["A dog, running."])).to_list()
        [[b'a', b'dog', b',', b'running', b'.']]
    """

    delimiter: str = " "
    lowercase: bool = False
    split_punctuation: bool = False

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        """The tokens of each text: string [b] to ragged string [b, tokens]."""
        if self.lowercase:
            text = tf.strings.lower(text, encoding="utf-8")
        if self.split_punctuation:
            text = tf.strings.regex_replace(text, r"([\p{P}\p{S}])", r" \1 ")
        if not self.delimiter:
            return tf.strings.unicode_split(text, "UTF-8")
        return tf.strings.split(text, None if self.delimiter == " " else self.delimiter)


@frozen
class Encoder:
    """Text to the numbers of its tokens, or to the tokens where there is no vocabulary.

    Args:
        tokenizer: how text is split.
        vocabulary: the tokens' numbers.
        start: whether `<s>` is put in front.
        stop: whether `</s>` is put behind.
        max_length: how many tokens are kept of a text, those two among them.
    """

    tokenizer: Tokenizer
    vocabulary: Vocabulary | None = None
    start: bool = False
    stop: bool = False
    max_length: int | None = None
    _table: tf.lookup.StaticHashTable | None = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        needed = [
            token
            for token, wanted in ((PAD, True), (START, self.start), (STOP, self.stop))
            if wanted
        ]
        missing = [
            token
            for token in needed
            if self.vocabulary is not None and token not in self.vocabulary
        ]
        if missing:
            raise DataError(f"the vocabulary lacks {', '.join(missing)}")
        object.__setattr__(
            self, "_table", None if self.vocabulary is None else self.vocabulary.table()
        )

    @property
    def dtype(self) -> tf.DType:
        """Of the numbers, or of the tokens."""
        return tf.string if self._table is None else tf.int64

    def __call__(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Ragged int64 or string [b, tokens] for string [b]."""
        tokens = self.tokenizer(text)
        room = None if self.max_length is None else self.max_length - self.start - self.stop
        tokens = tokens[:, :room] if room is not None else tokens
        shape = [tf.size(text), 1]
        parts = [tf.fill(shape, START)] * self.start + [tokens] + [tf.fill(shape, STOP)] * self.stop
        tokens = tf.concat(parts, axis=1) if len(parts) > 1 else tokens
        return (
            tokens if self._table is None else tf.ragged.map_flat_values(self._table.lookup, tokens)
        )


def pad(sequences: tf.RaggedTensor, length: int | None = None) -> tf.Tensor:
    """Sequences of one batch made as long as the longest of them, or as `length`: zeros, or empty strings, are put behind."""
    shape = None if length is None else [None, length]
    return sequences.to_tensor(shape=shape)


def mask(lengths: tf.Tensor, longest: tf.Tensor) -> tf.Tensor:
    """Which places of padded sequences are filled: float32 [b, longest] of ones and zeros, for lengths int64 [b]."""
    return tf.sequence_mask(lengths, longest, tf.float32)


def read_lines(paths: Sequence[str], check: bool = True) -> list[bytes]:
    """The lines of text files, `.gz` or not, one file after the other; without their ends.

    Args:
        paths: the files.
        check: whether a line that is not UTF-8 is refused.

    Raises:
        DataError: a file cannot be read, or is not UTF-8.
    """
    lines: list[bytes] = []
    for path in paths:
        try:
            content = (
                gzip.decompress(Path(path).read_bytes())
                if path.endswith(".gz")
                else Path(path).read_bytes()
            )
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} cannot be read as text: {error}") from error
        found = content.replace(b"\r\n", b"\n").split(b"\n")
        lines += found[:-1] if found[-1] == b"" else found
        if check and (bad := find_undecodable(found)):
            raise DataError(f"{path} cannot be read as text: line {bad[0] + 1} is not UTF-8")
    return lines


def find_undecodable(lines: Sequence[bytes]) -> list[int]:
    """The places of lines that are not UTF-8."""

    def is_text(line: bytes) -> bool:
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return False
        return True

    return [place for place, line in enumerate(lines) if not is_text(line)]


def read_pairs(
    source: str | os.PathLike[str], target: str | os.PathLike[str]
) -> tuple[list[bytes], list[bytes]]:
    """The lines of two text files that belong together.

    Raises:
        DataError: a file cannot be read, or the files differ in length.
    """
    first, second = read_lines([os.fspath(source)]), read_lines([os.fspath(target)])
    if len(first) != len(second):
        raise DataError(
            f"{source} has {len(first)} lines and {target} {len(second)}; each line belongs to one of the other"
        )
    return first, second


def read_folder(folder: Path) -> list[bytes]:
    """The `.txt` files of a folder, each as one line of text, in the order of their names.

    Raises:
        DataError: there is none, or one is not UTF-8.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".txt")
    if not paths:
        raise DataError(f"{folder} has no .txt file")
    return [b" ".join(read_lines([os.fspath(path)])) for path in paths]


def iterate_tokens(lines: Sequence[bytes], tokenizer: Tokenizer) -> Iterator[str]:
    """All tokens of some lines, as `Vocabulary.fit` takes them."""
    for first in range(0, len(lines), _AT_ONCE):
        for token in tokenizer(
            tf.constant(lines[first : first + _AT_ONCE], tf.string)
        ).flat_values.numpy():
            yield token.decode("utf-8", "replace")
