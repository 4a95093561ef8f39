"""The mistakes plx explains to a person: each says where, what was received, and what would be accepted."""

import difflib
import re
from collections.abc import Iterable, Sequence

from attrs import frozen


@frozen
class Place:
    """A position in a config: a file (or a command-line option), a line and a column counted from 1."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@frozen
class Problem:
    """One mistake in a config."""

    path: str
    message: str
    place: Place | None = None

    def __str__(self) -> str:
        where = " ".join(str(part) for part in (self.place, self.path) if part)
        return f"{where}: {self.message}" if where else self.message


class PlxError(Exception):
    """A mistake that a person can mend; shown as one message, without a traceback."""

    exit_code = 2


class ConfigError(PlxError):
    """A config is wrong; `problems` holds every mistake that was found, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnknownComponent(PlxError):
    """No installed plug-in offers a component of this kind and name."""


class AmbiguousComponent(PlxError):
    """Two plug-ins offer a component of this kind and name."""


class PluginError(PlxError):
    """A plug-in, or one of its components, cannot be used."""


class ComponentError(PlxError):
    """A component refused its parameters.

    Args:
        message: what is wrong.
        about: the path in a config of what has to be changed, where that is another part of it.
    """

    def __init__(self, message: str, about: str = "") -> None:
        super().__init__(message)
        self.about = about


class DataError(PlxError):
    """Data cannot be read as it was described."""


class RunDirectoryError(PlxError):
    """A run directory is in use, is not a run's, or belongs to another experiment."""


class RunFailed(PlxError):
    """A run started, and could not go on."""

    exit_code = 1


class NonFiniteLoss(RunFailed):
    """The loss became infinite or not a number."""


class CorruptData(RunFailed, DataError):
    """A record on disk is not what was written."""


class CheckpointError(RunFailed):
    """A checkpoint cannot be written, or no longer fits what it is restored into."""


def reason_of(error: Exception) -> str:
    """The message of an error of Keras or TensorFlow in one line, without the frame: bold type, arguments, and lines of code."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.split(r"\n\s*(?:Arguments received by|Call arguments received)", text)[0]
    for frame in (
        r"Exception encountered(?: when calling \S+|:)\s",
        r"\n\s+\w+(?:Error|Exception): ",
    ):
        text = re.split(frame, text)[-1]
    return " ".join(text.split())[:300] or type(error).__name__


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`"; did you mean learning_rate?"` when a choice is near, and nothing otherwise."""
    folded = {choice.lower().replace("_", ""): choice for choice in choices}
    near = difflib.get_close_matches(word.lower().replace("_", ""), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]}?" if near else ""
