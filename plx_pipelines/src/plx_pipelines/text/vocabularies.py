"""Vocabularies of tokens or categories: their ids, in text files with one token a line."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from attrs import field, frozen

from plx_core.errors import DataError
from plx_pipelines.records.tfrecord import writing

if TYPE_CHECKING:
    import tensorflow as tf

PAD = "<pad>"
UNKNOWN = "<unk>"
START = "<s>"
STOP = "</s>"
SPECIALS = (PAD, UNKNOWN, START, STOP)


def _as_tuple(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(tokens)


@frozen
class Vocabulary:
    """Tokens in the order of their ids.

    A vocabulary of texts begins with `<pad>`, `<unk>`, `<s>` and `</s>`. A vocabulary of categories
    has no such tokens, and an unknown category is an error.

    Example:
        >>> Vocabulary.fit(["b", "a", "b"]).encode(["a", "b", "c"])
        [5, 4, 1]
    """

    tokens: tuple[str, ...] = field(converter=_as_tuple)
    _ids: dict[str, int] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(
            self, "_ids", {token: number for number, token in enumerate(self.tokens)}
        )
        if len(self._ids) < len(self.tokens):
            counts = Counter(self.tokens)
            duplicate = next(token for token, count in counts.items() if count > 1)
            raise DataError(
                f"a vocabulary holds each token once; {duplicate!r} occurs "
                f"{counts[duplicate]} times"
            )

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._ids

    @classmethod
    def fit(
        cls,
        tokens: Iterable[str],
        max_size: int | None = None,
        min_count: int = 1,
        specials: Sequence[str] = SPECIALS,
    ) -> Self:
        """Build a vocabulary of special tokens, then the others by count, then alphabetically.

        Args:
            tokens: all occurrences.
            max_size: the largest size of the vocabulary, including special tokens; None for no
                limit.
            min_count: the fewest occurrences of a token that is included.
            specials: the special tokens; empty for categories.
        """
        counts = Counter(tokens)
        frequent = [
            token for token, count in counts.items() if count >= min_count and token not in specials
        ]
        frequent.sort(key=lambda token: (-counts[token], token))
        room = len(frequent) if max_size is None else max(0, max_size - len(specials))
        return cls((*specials, *frequent[:room]))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file with one token a line.

        Raises:
            DataError: the file cannot be read, or has a token twice.
        """
        try:
            text = Path(path).read_bytes().decode("utf-8")  # a token may hold a carriage return
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"the vocabulary {path} cannot be read: {error}") from error
        return cls(text.removesuffix("\n").split("\n") if text else ())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a file with one token a line, atomically.

        Raises:
            DataError: a token contains a line break.
        """
        if any("\n" in token for token in self.tokens):
            raise DataError("a vocabulary file cannot hold a token with a line break")
        with writing(Path(path)) as file:
            file.write("".join(f"{token}\n" for token in self.tokens).encode())

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Return the id of each token; that of `<unk>` for an unknown one.

        Raises:
            DataError: a token is unknown, and there is no `<unk>`.
        """
        unknown = self._ids.get(UNKNOWN)
        ids = [self._ids.get(token, unknown) for token in tokens]
        if None in ids:
            raise DataError(
                f"a token is not among the {len(self)} of the vocabulary, and there is no {UNKNOWN}"
            )
        return ids  # type: ignore[return-value]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Return the token of each id, up to the first `</s>`, without `<pad>` and `<s>`."""
        tokens = []
        for number in ids:
            token = self.tokens[number]
            if token == STOP:
                break
            if token not in (PAD, START):
                tokens.append(token)
        return tokens

    def table(self) -> tf.lookup.StaticHashTable:
        """Return a table from string to int64; unknown tokens are `<unk>`, or -1 without it."""
        import tensorflow as tf

        with tf.init_scope():
            keys, values = tf.constant(self.tokens), tf.range(len(self), dtype=tf.int64)
            return tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(keys, values), self._ids.get(UNKNOWN, -1)
            )
