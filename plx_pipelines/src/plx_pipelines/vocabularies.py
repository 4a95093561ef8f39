"""Vocabularies: tokens or categories to numbers, and back; a text file with one token a line."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from attrs import field, frozen

from plx_core.errors import DataError
from plx_pipelines.records import writing

if TYPE_CHECKING:
    import tensorflow as tf

PAD, UNKNOWN, START, STOP = "<pad>", "<unk>", "<s>", "</s>"
SPECIALS = (PAD, UNKNOWN, START, STOP)


def _as_tuple(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(tokens)


@frozen
class Vocabulary:
    """Tokens in the order of their numbers.

    A text vocabulary begins with `<pad>`, `<unk>`, `<s>` and `</s>`; one of categories has no such tokens, and an unknown
    category is an error.

    Example:
        >>> Vocabulary.fit(["b", "a", "b"]).encode(["a", "b", "c"])
        [5, 4, 1]
    """

    tokens: tuple[str, ...] = field(converter=_as_tuple)
    _numbers: dict[str, int] = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(
            self, "_numbers", {token: number for number, token in enumerate(self.tokens)}
        )
        if len(self._numbers) < len(self.tokens):
            twice = next(token for token, count in Counter(self.tokens).items() if count > 1)
            raise DataError(
                f"a vocabulary holds each token once; {twice!r} is there {self.tokens.count(twice)} times"
            )

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._numbers

    @classmethod
    def fit(
        cls,
        tokens: Iterable[str],
        max_size: int | None = None,
        min_count: int = 1,
        specials: Sequence[str] = SPECIALS,
    ) -> Self:
        """The tokens that occur most, after the special ones; those that occur equally often in alphabetical order.

        Args:
            tokens: all occurrences.
            max_size: how many tokens the vocabulary may have, with the special ones; None for no limit.
            min_count: how often a token must occur.
            specials: what comes first; none for categories.
        """
        counts = Counter(tokens)
        kept = [
            token for token, count in counts.items() if count >= min_count and token not in specials
        ]
        kept.sort(key=lambda token: (-counts[token], token))
        room = len(kept) if max_size is None else max(0, max_size - len(specials))
        return cls((*specials, *kept[:room]))

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
        """Write a file with one token a line, which appears complete or not at all."""
        if any("\n" in token for token in self.tokens):
            raise DataError("a token with a line break cannot be kept in a vocabulary file")
        with writing(Path(path)) as file:
            file.write("".join(f"{token}\n" for token in self.tokens).encode())

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The number of each token; that of `<unk>` for one that is not known.

        Raises:
            DataError: a token is not known, and there is no `<unk>`.
        """
        unknown = self._numbers.get(UNKNOWN)
        numbers = [self._numbers.get(token, unknown) for token in tokens]
        if None in numbers:
            raise DataError(
                f"a token is not among the {len(self)} of the vocabulary, and there is no {UNKNOWN} to stand for it"
            )
        return numbers  # type: ignore[return-value]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """The token of each number, up to the first `</s>`; paddings and starts are left out."""
        decoded = []
        for number in numbers:
            token = self.tokens[number]
            if token == STOP:
                break
            if token not in (PAD, START):
                decoded.append(token)
        return decoded

    def table(self) -> tf.lookup.StaticHashTable:
        """The same for tensors: string to int64, with -1 for an unknown token where there is no `<unk>`."""
        import tensorflow as tf

        with tf.init_scope():
            keys, values = tf.constant(self.tokens), tf.range(len(self), dtype=tf.int64)
            return tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(keys, values), self._numbers.get(UNKNOWN, -1)
            )
