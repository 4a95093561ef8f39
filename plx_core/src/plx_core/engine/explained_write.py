"""Explain the errors of writing, whether Python or TensorFlow writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from plx_core.errors import RunFileError, reason_of


@contextmanager
def explained_write(what: str) -> Iterator[None]:
    """Replace an error of the file system by one that says what could not be written.

    Args:
        what: such as `the tracker CSV`.

    Raises:
        RunFileError: the body raised such an error.
    """
    try:
        yield
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        raise RunFileError(f"{what} cannot be written: {place}{error.strerror or error}") from error
    except tf.errors.OpError as error:
        raise RunFileError(f"{what} cannot be written: {reason_of(error)}") from error
