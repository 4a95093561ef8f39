"""Environments in processes of their own: creation, failures, and workers that answer no more."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path
from typing import final

import cloudpickle
import gymnasium
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from plx_core import State, load_plugins
from plx_core.errors import EnvironmentFailed, PlxError
from plx_core.types import Nested
from plx_rl.environments.serialization import NotSerializable
from plx_rl.environments.simulator_state import AnyEnv, capture, changes, restore, with_changes
from plx_rl.types import Action, Env, ResetResult, StepResult, Wrapper

SILENT = 100
"""A level of gymnasium's logger above all of its own."""
POLL_SECS = 1.0
"""How often the processes are looked at while one does not answer."""
ENDING_SECS = 5.0
"""How long to wait for the end of a process that has closed its pipe."""
STOPPED_SECS = 15.0
"""After how long a stopped process is given up; a run that is stopped and continued goes on."""


@final
class WorkerFactory:
    """Creates an environment in another process, after the plug-ins of the run.

    Args:
        factory: creates the environment; may refer to what the plug-ins define.
        index: which of the N environments it is.
        plugins: the modules and files to load first.
    """

    def __init__(self, factory: Callable[[], Env], index: int, plugins: Sequence[str]) -> None:
        self._factory = cloudpickle.dumps(factory)
        self._index = index
        self._plugins = list(plugins)
        self._parent = os.getpid()

    def __call__(self) -> Capturable:
        """Create the environment; a process of its own that fails to says why, and ends."""
        if os.getpid() == self._parent:
            return Capturable(cloudpickle.loads(self._factory)(), self._index)
        try:
            load_plugins(self._plugins)
            return Capturable(cloudpickle.loads(self._factory)(), self._index)
        except Exception as error:
            sys.stderr.write(f"{about(self._index)} cannot be created: {_reason(error)}\n")
            raise SystemExit(1) from error


class Capturable(Wrapper):
    """Gets and sets the state of an environment in another process, and explains its errors.

    Args:
        env: the environment.
        index: which of the N environments it is.
    """

    def __init__(self, env: Env, index: int) -> None:
        super().__init__(env)
        self._index = index
        self._steps = 0
        self._base = base_state(env)

    def reset(self, **params: Nested) -> ResetResult:
        """Start an episode."""
        try:
            return self.env.reset(**params)
        except PlxError:
            raise
        except Exception as error:
            raise failure(self._index, self.env, "was reset", error) from error

    def step(self, action: Action) -> StepResult:
        """Take an action."""
        self._steps += 1
        try:
            return self.env.step(action)
        except PlxError:
            raise
        except Exception as error:
            doing = f"took step {self._steps}, action {action}"
            raise failure(self._index, self.env, doing, error) from error

    def captured_changes(self) -> State:
        """Return what changed in the environment since it was created."""
        return changes(capture(self.env), self._base)

    def restore_changes(self, states: State) -> None:
        """Continue from this environment's state among those of all environments."""
        restore(self.env, with_changes(self._base, states[str(self._index)]))


def base_state(env: AnyEnv) -> dict[str, dict[str, Nested]]:
    """Return the state of a new environment; empty if it cannot be captured.

    `GymEnvironment.inexact_because` then says why.
    """
    try:
        return capture(env)
    except NotSerializable:
        return {}


def about(index: int, env: AnyEnv | None = None) -> str:
    """Return the words for one of N environments."""
    return f"environment {index}" + ("" if env is None else f" ({env.unwrapped})")


def failure(index: int, env: AnyEnv, doing: str, error: Exception) -> EnvironmentFailed:
    """Return an error that names the environment that raised one, and what it did."""
    return EnvironmentFailed(f"{about(index, env)} failed when it {doing}: {_reason(error)}")


def make_async_vector(
    factories: Sequence[Callable[[], Env]], plugins: Sequence[str]
) -> AsyncVectorEnv:
    """Create one process per environment; spawned, because TensorFlow is not safe to fork.

    Args:
        factories: create the environments.
        plugins: the modules and files that each process loads first.

    Raises:
        EnvironmentFailed: a process ended while it created its environment.
    """
    workers = [WorkerFactory(factory, index, plugins) for index, factory in enumerate(factories)]
    try:
        return AsyncVectorEnv(workers, context="spawn", autoreset_mode=AutoresetMode.SAME_STEP)
    except (EOFError, OSError) as error:
        raise EnvironmentFailed(
            "the process of an environment ended while it created it; the reason is above"
        ) from error


@contextmanager
def watched(envs: AsyncVectorEnv) -> Iterator[None]:
    """Watch the processes during a call, and end all of them if one of them fails.

    Raises:
        EnvironmentFailed: a process has ended, has been stopped, or an environment failed.
    """
    if envs.closed:
        raise EnvironmentFailed("the processes of the environments have ended; create new ones")
    level = gymnasium.logger.min_level
    gymnasium.logger.min_level = SILENT  # it would show the traceback of a worker as a warning
    try:
        yield
    except (EOFError, OSError) as error:
        reason = "; ".join(_ends(envs)) or f"an environment answers no more: {error}"
        _end(envs)
        raise EnvironmentFailed(reason) from error
    except Exception:
        _end(envs)
        raise
    finally:
        gymnasium.logger.min_level = level


def await_answers(envs: AsyncVectorEnv) -> None:
    """Wait until each process has answered, or ended.

    Raises:
        EnvironmentFailed: a process has been stopped for `STOPPED_SECS`.
    """
    for index, (pipe, process) in enumerate(zip(envs.parent_pipes, envs.processes, strict=True)):
        since = None
        while not pipe.poll(POLL_SECS):
            now = time.monotonic()
            since = (since or now) if _is_stopped(process.pid) else None
            if since is not None and now - since > STOPPED_SECS:
                raise EnvironmentFailed(
                    f"the process of {about(index)} (pid {process.pid}) has been stopped, by "
                    f"SIGSTOP or a debugger, for {STOPPED_SECS:.0f} seconds"
                )


def _ends(envs: AsyncVectorEnv) -> list[str]:
    """Return which processes have ended and how; wait a moment for one that is about to."""
    ready = wait([process.sentinel for process in envs.processes], ENDING_SECS)
    for process in envs.processes:
        if process.sentinel in ready:
            process.join(ENDING_SECS)
    return [
        f"the process of {about(index)} has ended ({_cause(process.exitcode)})"
        for index, process in enumerate(envs.processes)
        if process.exitcode is not None
    ]


def _end(envs: AsyncVectorEnv) -> None:
    """End all processes at once, stopped ones too."""
    envs.closed = True
    for process in envs.processes:
        process.kill()
    for process in envs.processes:
        process.join()
    for pipe in envs.parent_pipes:
        if pipe is not None:
            pipe.close()


def _is_stopped(pid: int | None) -> bool:
    """Whether a process is stopped; False where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] in ("T", "t")


def _cause(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def _reason(error: Exception) -> str:
    """Return an error in one line, with the place where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    name = Path(place.filename).name
    return f"{type(error).__name__}: {error} ({name}:{place.lineno})"
