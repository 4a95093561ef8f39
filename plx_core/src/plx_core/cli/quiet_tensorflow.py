"""Silence what TensorFlow's C++ code prints during its import, before a log level can be set."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class QuietTensorFlow(MetaPathFinder):
    """Finds TensorFlow as usual, and discards standard error while it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return TensorFlow's usual spec with a quiet loader, and None for other modules."""
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_quietly(module: ModuleType) -> None:
            with discarded_standard_error():
                execute(module)
                module.constant(0)  # the first tensor initialises the devices, which prints too

        spec.loader.exec_module = execute_quietly  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Make the first import of TensorFlow quiet."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.meta_path.insert(0, QuietTensorFlow())


@contextmanager
def discarded_standard_error() -> Iterator[None]:
    """Discard what is written to the file descriptor of standard error."""
    sys.stderr.flush()
    try:
        original = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    with open(os.devnull, "wb") as null:  # noqa: PTH123 (a descriptor is needed, not a path)
        os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
