"""What a check says when a part fails it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from plx_core.errors import PlxError


class CheckFailed(AssertionError):
    """A part does not do what a run relies on; the message says what to change.

    Args:
        about: the part.
        did: what the check did.
        came: what came of it.
        expected: what should have come.
        remedy: how to mend it.
    """

    def __init__(self, about: str, did: str, came: str, expected: str, remedy: str) -> None:
        self.about, self.did, self.came, self.expected, self.remedy = (
            about,
            did,
            came,
            expected,
            remedy,
        )
        super().__init__(
            f"{about}: {did}\n  came:     {came}\n  expected: {expected}\n  mend it:  {remedy}"
        )


class CannotTry(PlxError):
    """A part was not tried, for want of something that only its author can know."""


def require(ok: Any, about: str, did: str, came: Any, expected: str, remedy: str) -> None:
    """Fail the check unless `ok`."""
    if not ok:
        raise CheckFailed(about, did, str(came), expected, remedy)


@contextmanager
def expecting(about: str, did: str, expected: str, remedy: str) -> Iterator[None]:
    """Fail the check where the body raises: no error of a part should reach a person as a traceback."""
    try:
        yield
    except (CheckFailed, CannotTry):
        raise
    except Exception as error:  # whatever a stranger's part raises is what the check has to tell
        raise CheckFailed(about, did, describe(error), expected, remedy) from error


def describe(error: BaseException) -> str:
    """An error's type and the gist of its message."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text if len(text) <= 400 else text[:400] + '…'}"
