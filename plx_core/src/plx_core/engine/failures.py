"""Notes on what foreign code raises while a run works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from plx_core.errors import PlxError, note_failure


@contextmanager
def reporting(doing: str) -> Iterator[None]:
    """Note what failed on whatever the body raises, unless it is a message already.

    Args:
        doing: what fails, such as `training after step 3`.
    """
    try:
        yield
    except PlxError:
        raise
    except Exception as error:  # layers, losses, environments, …: foreign code
        note_failure(error, doing)
        raise
