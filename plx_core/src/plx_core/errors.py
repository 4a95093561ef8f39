"""Errors that plx explains: each message says where, what was received and what is accepted."""

import difflib
import re
from collections.abc import Iterable, Sequence

from attrs import frozen

MAX_MESSAGE = 2000
"""The length at which a message about one mistake is cut."""
MAX_PATH = 200
"""The length at which the path and the source of a mistake are cut."""
MAX_PROBLEMS = 1000
"""The number of mistakes in a config after which no more are looked for."""
MAX_PROBLEMS_SHOWN = 100
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Characters that a terminal obeys, and those that turn the direction of text."""


def printable(text: str) -> str:
    r"""Return a text in which control characters are written out, such as `\x1b`.

    Tabs and line breaks are kept.

    Example:
        >>> printable("a\x1b[31mb")
        'a\\x1b[31mb'
    """
    return CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def shorten(text: str, length: int) -> str:
    """Return a text of at most this length on one line; `…` stands for what is left out."""
    line = printable(text).replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= length else f"{line[: length - 1]}…"


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
        source = shorten(self.source, MAX_PATH)
        return f"{source}:{self.line}:{self.column}" if self.line else source


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
        parts = (self.place, shorten(self.path, MAX_PATH))
        location = " ".join(str(part) for part in parts if part)
        message = shorten(self.message, MAX_MESSAGE)
        return f"{location}: {message}" if location else message


class PlxError(Exception):
    """An error that the user can fix; shown as one message, without a traceback."""

    exit_code = 2


class ConfigError(PlxError):
    """A config is wrong; `problems` lists every mistake, in the order of the file.

    The message has the first 100.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:MAX_PROBLEMS_SHOWN]]
        if (rest := len(self.problems) - len(lines)) > 0:
            least = "at least " if len(self.problems) >= MAX_PROBLEMS else ""
            lines.append(f"… and {least}{rest:,} more mistakes")
        super().__init__("\n".join(lines))


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


class ArgumentError(ComponentError, ValueError):
    """An estimator, agent or experiment was given what it cannot use."""


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


class EnvironmentFailed(RunFailed):
    """An environment raised an error, or its process ended."""


class CheckpointError(RunFailed):
    """A checkpoint cannot be written, or does not fit the run that restores it."""


MAX_SEARCHED = 20_000
"""The length of the beginning of a foreign message that is searched for the reason."""
REFUSALS = (TypeError, ValueError)
"""What code raises to refuse its arguments; the type of any other error is part of its message."""


def reason_of(error: BaseException) -> str:
    """Return the message of a Keras or TensorFlow error in one line, at most 300 characters long.

    ANSI codes, argument dumps and source lines are removed.
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error)[:MAX_SEARCHED])
    text = re.split(r"\n\s*(?:Arguments received by|Call arguments received)", text)[0]
    text = re.split(r"\.?\s+Inputs received: \[", text)[0]
    for prefix in (
        r"Exception encountered(?: when calling \S+|:)\s",
        r"\n\s+\w+(?:Error|Exception): ",
    ):
        text = re.split(prefix, text)[-1]
    return " ".join(text.split())[:300] or type(error).__name__


def failure_of(error: BaseException) -> str:
    """Return the `reason_of` an error behind its type, unless it refuses arguments."""
    reason, name = reason_of(error), type(error).__name__
    return reason if isinstance(error, REFUSALS) or reason == name else f"{name}: {reason}"


_FAILED = "plx: failed in "


def note_failure(error: BaseException, doing: str) -> None:
    """Attach what failed to an error of foreign code, as a note that tracebacks show.

    The error stays what it is, so that a program can handle it; the command line shows the note
    instead of the traceback. A first note is kept.

    Args:
        error: the error, which is about to be raised again.
        doing: what failed, such as `training after step 3`.
    """
    if noted_failure(error) is None:
        error.add_note(f"{_FAILED}{doing}")


def noted_failure(error: BaseException) -> str | None:
    """Return a message about an error with a note of `note_failure`; None for any other error."""
    for note in getattr(error, "__notes__", ()):
        if note.startswith(_FAILED):
            doing = note.removeprefix(_FAILED)
            return f"{doing} failed: {failure_of(error)} (plx --traceback shows where)"
    return None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return `"; did you mean learning_rate?"` if a choice is similar to the word, else `""`."""
    if len(word) > MAX_PATH:  # comparing takes quadratic time
        return ""
    folded = {choice.lower().replace("_", ""): choice for choice in choices}
    matches = difflib.get_close_matches(word.lower().replace("_", ""), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[matches[0]]}?" if matches else ""
