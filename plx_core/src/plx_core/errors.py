"""Errors that plx explains: each message says where, what was received and what is accepted."""

import difflib
import re
from collections.abc import Iterable, Sequence

from attrs import frozen


@frozen
class Place:
    """A position in a config.

    Args:
        source: the file, or the command-line option.
        line: counted from 1; 0 if unknown.
        column: counted from 1; 0 if unknown.
    """

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@frozen
class Problem:
    """One mistake in a config.

    Args:
        path: the path of the value in the config, such as `model.classifier.loss`; may be empty.
        message: what is wrong with the value.
        place: where the value was written.
    """

    path: str
    message: str
    place: Place | None = None

    def __str__(self) -> str:
        location = " ".join(str(part) for part in (self.place, self.path) if part)
        return f"{location}: {self.message}" if location else self.message


class PlxError(Exception):
    """An error that the user can fix; shown as one message, without a traceback."""

    exit_code = 2


class ConfigError(PlxError):
    """A config is wrong; `problems` lists every mistake, in the order of the file."""

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
    """A component rejected its parameters.

    Args:
        message: what is wrong.
        about: the config path of the value to change, if it belongs to another component.
    """

    def __init__(self, message: str, about: str = "") -> None:
        super().__init__(message)
        self.about = about


class DataError(PlxError):
    """Data cannot be read as the config describes it."""


class RunDirectoryError(PlxError):
    """A directory is in use, is not a run directory, or belongs to another experiment."""


class RunFailed(PlxError):
    """A run started but could not continue."""

    exit_code = 1


class RunFileError(RunFailed, RunDirectoryError):
    """A file of a run cannot be written or read, for example because the disk is full."""


class NonFiniteLoss(RunFailed):
    """The loss became infinite or not a number."""


class CorruptData(RunFailed, DataError):
    """A record on disk is corrupt, or an example has a label that is no class."""


class CheckpointError(RunFailed):
    """A checkpoint cannot be written, or does not fit the run that restores it."""


def reason_of(error: Exception) -> str:
    """Return the message of a Keras or TensorFlow error in one line, at most 300 characters long.

    ANSI codes, argument dumps and source lines are removed.
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.split(r"\n\s*(?:Arguments received by|Call arguments received)", text)[0]
    for prefix in (
        r"Exception encountered(?: when calling \S+|:)\s",
        r"\n\s+\w+(?:Error|Exception): ",
    ):
        text = re.split(prefix, text)[-1]
    return " ".join(text.split())[:300] or type(error).__name__


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `"; did you mean learning_rate?"` if a choice is similar to the word, else `""`."""
    folded = {choice.lower().replace("_", ""): choice for choice in choices}
    matches = difflib.get_close_matches(word.lower().replace("_", ""), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[matches[0]]}?" if matches else ""
