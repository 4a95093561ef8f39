"""How a check fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from plx_core.errors import PlxError

MAX_MESSAGE_LENGTH = 400


class CheckFailed(AssertionError):
    """A part fails a check; the message says what to change.

    Args:
        about: the part, such as `layer Scale`.
        did: what the check did, in the past tense.
        came: the result.
        expected: the result that the check expected.
        remedy: how to fix the part.
    """

    def __init__(self, about: str, did: str, came: str, expected: str, remedy: str) -> None:
        self.about = about
        self.did = did
        self.came = came
        self.expected = expected
        self.remedy = remedy
        super().__init__(
            f"{about}: {did}\n  got:      {came}\n  expected: {expected}\n  fix:      {remedy}"
        )


class CannotTry(PlxError):
    """A part was not checked, because the check needs something that only its author can know."""


def require(ok: object, about: str, did: str, came: object, expected: str, remedy: str) -> None:
    """Fail the check unless `ok` is true.

    Raises:
        CheckFailed: it is not.
    """
    if not ok:
        raise CheckFailed(about, did, str(came), expected, remedy)


@contextmanager
def expecting(about: str, did: str, expected: str, remedy: str) -> Iterator[None]:
    """Turn any exception of the body into a failure of the check.

    Raises:
        CheckFailed: the body raised.
    """
    try:
        yield
    except (CheckFailed, CannotTry):
        raise
    except Exception as error:  # a part may raise anything
        raise CheckFailed(about, did, describe(error), expected, remedy) from error


def describe(error: BaseException) -> str:
    """Return an error's type and the beginning of its message, in one line."""
    text = " ".join(str(error).split())
    if len(text) > MAX_MESSAGE_LENGTH:
        text = text[:MAX_MESSAGE_LENGTH] + "…"
    return f"{type(error).__name__}: {text}"
