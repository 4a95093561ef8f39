"""One training of a sweep, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from attrs import frozen

from plx_core import Callback, Permissions, Run, check_config, create_experiment
from plx_core.errors import PlxError, RunDirectoryError, did_you_mean

T = TypeVar("T")
LOG = "trial.log"
LOCK_SECONDS = 60.0
"""How long to wait for a process of an earlier, killed sweep to leave the run directory."""


@frozen
class Order:
    """What to train.

    Args:
        data: the experiment, as plain data.
        directory: the run directory.
        metric: the metric that counts.
        allowed: what the experiment may read and load.
        threads: the number of threads of TensorFlow.
    """

    data: Mapping[str, Any]
    directory: Path
    metric: str
    allowed: Permissions
    threads: int


@frozen
class Evaluation:
    """Sent to the sweep after each evaluation; the answer is whether to stop."""

    step: int
    value: float


@frozen
class Finished:
    """Sent to the sweep at the end of training."""

    value: float


@frozen
class Failed:
    """Sent to the sweep when training cannot go on.

    Args:
        reason: what happened.
        is_fatal: whether the other trials would fail in the same way.
    """

    reason: str
    is_fatal: bool = False


class UnknownMetric(PlxError):
    """The evaluations have no metric of the name that the sweep compares."""


class Reporter(Callback):
    """Sends evaluations to the sweep, and stops training when the sweep says so."""

    def __init__(self, connection: Connection, metric: str) -> None:
        self._connection = connection
        self._metric = metric

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Send the metric of an evaluation."""
        if split == "eval":
            self._connection.send(Evaluation(step, value_of(metrics, self._metric)))
            self.stop_training = self._connection.recv()


def value_of(metrics: Mapping[str, float], name: str) -> float:
    """Return the value of a metric.

    Raises:
        ComponentError: the evaluation has no such metric.
    """
    if name not in metrics:
        names = [each for each in metrics if each != "global_step"]
        raise UnknownMetric(
            f"tune.metric: an evaluation has no metric {name}{did_you_mean(name, names)} "
            f"(it has {', '.join(names)})"
        )
    return float(metrics[name])


def train(order: Order, connection: Connection, lifeline: Connection) -> None:
    """Train, and send the results; the main function of the process.

    Args:
        order: what to train.
        connection: to the sweep.
        lifeline: is closed when the sweep's process ends, however it ends.
    """
    order.directory.mkdir(parents=True, exist_ok=True)
    _redirect_output(order.directory / LOG)
    threading.Thread(target=_stop_with, args=(lifeline,), daemon=True).start()
    try:
        connection.send(Finished(_train(order, connection)))
    except PlxError as error:
        if error.exit_code > 128:  # a signal: the sweep can go on from the checkpoint
            sys.exit(error.exit_code)
        print(error, file=sys.stderr)
        connection.send(Failed(str(error), isinstance(error, UnknownMetric)))
    except (BrokenPipeError, EOFError, ConnectionResetError):  # the sweep was killed
        sys.exit(1)
    except Exception as error:  # code of a plug-in, or a fault: the other trials go on
        traceback.print_exc()
        connection.send(Failed(f"{type(error).__name__}: {error}"))


def _train(order: Order, connection: Connection) -> float:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(order.threads)
    tf.config.threading.set_inter_op_parallelism_threads(order.threads)
    checked = check_config(order.data, allowed=order.allowed)
    experiment = _when_free(lambda: create_experiment(checked, order.directory))
    experiment.extend_train_callbacks([Reporter(connection, order.metric)])
    metrics, _ = experiment.train_and_evaluate()
    return value_of(metrics, order.metric)


def _when_free(create: Callable[[], T]) -> T:
    """Create an experiment, as soon as no other process writes to its run directory."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            return create()
        except RunDirectoryError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _redirect_output(path: Path) -> None:
    """Write the output of this process to a file."""
    with path.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())


def _stop_with(lifeline: Connection) -> None:
    """Stop this process, with a checkpoint, when the process of the sweep has ended."""
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os.kill(os.getpid(), signal.SIGTERM)
