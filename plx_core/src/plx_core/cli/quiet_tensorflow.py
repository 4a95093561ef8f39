"""Drop the lines that TensorFlow's C++ side writes while it is imported, before anyone can set a log level."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class QuietTensorFlow(MetaPathFinder):
    """Finds TensorFlow as usual, and keeps standard error closed while it is loaded; what it raises is raised."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The usual specification, with a loader that keeps quiet."""
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            usual = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                with closed_standard_error():
                    usual(module)
                    module.constant(
                        0
                    )  # the devices are looked for at the first tensor, and that is talked about too

            loader.exec_module = exec_module
        return spec


def install() -> None:
    """Have TensorFlow keep quiet when it is imported, now or later."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.meta_path.insert(0, QuietTensorFlow())


@contextmanager
def closed_standard_error() -> Iterator[None]:
    """Send what is written to the file descriptor of standard error nowhere."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # it is closed already
        yield
        return
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (a descriptor is needed, not a path)
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
