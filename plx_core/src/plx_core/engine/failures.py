"""Messages for what foreign code raises while a run works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from plx_core.errors import PlxError, RunFailed, failure_of


@contextmanager
def reporting(doing: str) -> Iterator[None]:
    """Turn whatever the body raises into a message, unless it is one already.

    Args:
        doing: what fails, such as `training after step 3`.

    Raises:
        RunFailed: the body raised any other exception than a `PlxError`.
    """
    try:
        yield
    except PlxError:
        raise
    except Exception as error:  # layers, losses, environments, …: foreign code
        raise RunFailed(
            f"{doing} failed: {failure_of(error)} (plx --traceback shows where)"
        ) from error
