"""Sweeps: choose values, train a trial with each, and go on where an earlier process stopped."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import filelock
import numpy as np
from attrs import define, field

from plx_core.errors import PlxError, RunDirectoryError, RunFailed
from plx_scale.tune import trial as trials
from plx_scale.tune.section import TuneConfig
from plx_scale.tune.space import Values

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerProcess

    import optuna

    from plx_core import CheckedConfig

STUDY = "study.db"
"""The file of the study, which optuna-dashboard reads too."""
DEFINITION = "definition"
ERROR = "error"
PRELOADED = ["tensorflow", "keras", "plx_core.experiments.from_config", "plx_scale.tune.trial"]
"""What the processes of trials have imported before they start."""


class Stopped(PlxError):
    """A signal stopped the sweep; the same command goes on with it."""

    def __init__(self, number: int, directory: Path) -> None:
        super().__init__(f"stopped; the same command goes on with the sweep in {directory}")
        self.exit_code = 128 + number


@define
class _Process:
    """A trial that is being trained.

    Args:
        trial: the trial.
        process: its process.
        connection: to the process.
        lifeline: the process stops when this is closed.
        values: the results of the seeds that are done.
    """

    trial: optuna.Trial
    process: ForkServerProcess
    connection: Connection
    lifeline: Connection
    values: list[float] = field(factory=list)


@define
class Sweep:
    """The trials of an experiment with a section `tune`.

    Args:
        checked: the experiment.
        directory: the folder of the study and of the trials' run directories.
        tell: called with a line of text when a trial ends.
    """

    checked: CheckedConfig
    directory: Path
    tell: Callable[[str], None] = print

    @property
    def config(self) -> TuneConfig:
        """The section `tune`."""
        section: TuneConfig = self.checked.sections["tune"]
        return section

    def run(self) -> optuna.Study:
        """Train the trials that are missing.

        Returns:
            The study of Optuna with every trial.

        Raises:
            RunDirectoryError: the folder has another sweep, or another process writes to it.
            RunFailed: every trial failed.
            Stopped: a signal stopped the sweep.
        """
        with self._lock(), _signals_raise(self.directory):
            study = self._open()
            self._train_all(study)
        if not any(trial.state.name in ("COMPLETE", "PRUNED") for trial in study.trials):
            reasons = dict.fromkeys(trial.user_attrs.get(ERROR, "") for trial in study.trials)
            raise RunFailed("every trial failed: " + "; ".join(reasons))
        return study

    def values_of(self, trial: optuna.trial.FrozenTrial | optuna.Trial) -> Values:
        """Return the values of a trial by path."""
        dimensions = self.config.dimensions()
        return {path: dimensions[path].value_of(value) for path, value in trial.params.items()}

    def data_of(self, trial: optuna.trial.FrozenTrial | optuna.Trial) -> dict[str, Any]:
        """Return the experiment of a trial as plain data."""
        return self.checked.override(self.values_of(trial)).data

    def run_directory(self, number: int, seed: int = 0) -> Path:
        """Return the run directory of a trial."""
        path = self.directory / "trials" / f"{number:04d}"
        return path / f"seed-{seed}" if self.config.seeds > 1 else path

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.directory.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(self.directory / ".lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise RunDirectoryError(
                f"another process is running the sweep in {self.directory}"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def _open(self) -> optuna.Study:
        """Return the study of the folder, new or of an earlier process."""
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        storage = optuna.storages.RDBStorage(
            f"sqlite:///{self.directory / STUDY}",
            engine_kwargs={"connect_args": {"timeout": 60}},
        )
        study = optuna.create_study(
            storage=storage,
            study_name="sweep",
            direction=self.config.goal,
            pruner=self.config.create_pruner(),
            load_if_exists=True,
        )
        definition = self._definition()
        earlier = study.user_attrs.get(DEFINITION)
        if earlier is None:
            study.set_user_attr(DEFINITION, definition)
        elif changed := [key for key in definition if definition[key] != earlier.get(key)]:
            raise RunDirectoryError(
                f"{self.directory} holds a sweep that differs in {', '.join(changed)}; give "
                "another --output-dir, or undo these changes to go on with that sweep"
            )
        return study

    def _definition(self) -> dict[str, str]:
        """Return what must not change between two processes of a sweep."""
        keys = ("space", "metric", "goal", "sampler", "pruner", "seeds", "seed")
        values = {f"tune.{key}": getattr(self.config, key) for key in keys}
        return {
            key: json.dumps(value, sort_keys=True, default=str)
            for key, value in (values | self.checked.data).items()
        }

    def _train_all(self, study: optuna.Study) -> None:
        running: dict[Connection, _Process] = {}
        waiting = self._trials(study)
        try:
            while True:
                while len(running) < self.config.parallel:
                    trial = next(waiting, None)
                    if trial is None:
                        break
                    started = self._start(trial, 0)
                    running[started.connection] = started
                if not running:
                    return
                for connection in wait(list(running)):
                    self._receive(study, running, running.pop(cast("Connection", connection)))
        finally:
            for each in running.values():
                each.lifeline.close()
                if each.process.is_alive():
                    each.process.terminate()
            for each in running.values():
                each.process.join()

    def _trials(self, study: optuna.Study) -> Iterator[optuna.Trial]:
        """Yield the trials that an earlier process left unfinished, then new ones."""
        import optuna

        for frozen in study.get_trials(deepcopy=False):
            if frozen.state == optuna.trial.TrialState.RUNNING:
                study.sampler = self._sampler(frozen.number, 0)
                yield self._suggest(study, optuna.Trial(study, frozen._trial_id))
        while len(study.get_trials(deepcopy=False)) < self.config.num_trials():
            number = len(study.get_trials(deepcopy=False))
            study.sampler = self._sampler(number, 0)
            yield self._suggest(study, study.ask())

    def _suggest(self, study: optuna.Study, trial: optuna.Trial) -> optuna.Trial:
        """Choose the values of a trial; those that are in the study already stay."""
        for index, (path, dimension) in enumerate(self.config.dimensions().items()):
            study.sampler = self._sampler(trial.number, index)
            dimension.suggest(trial, path)
        return trial

    def _sampler(self, number: int, index: int) -> optuna.samplers.BaseSampler:
        """Return a sampler whose draws depend on the earlier trials and on its seed only.

        Then a sweep that was killed goes on exactly as an uninterrupted one.
        """
        words = np.random.SeedSequence([self.config.seed % 2**63, number, index]).generate_state(1)
        return self.config.create_sampler(number, int(words[0]))

    def _start(self, trial: optuna.Trial, seed: int) -> _Process:
        data = self.data_of(trial)
        if self.config.seeds > 1:
            environment = dict(data.get("environment") or {})
            environment["seed"] = environment.get("seed", 0) + seed
            data = data | {"environment": environment}
        order = trials.Order(
            data,
            self.run_directory(trial.number, seed),
            self.config.metric_name,
            self.checked.allowed,
            max(1, (os.cpu_count() or 1) // self.config.parallel),
        )
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        ours, theirs = context.Pipe()
        lifeline, far_end = context.Pipe()
        process = context.Process(
            target=trials.train, args=(order, theirs, far_end), name=f"trial-{trial.number}"
        )
        process.start()
        theirs.close()
        far_end.close()
        return _Process(trial, process, ours, lifeline)

    def _receive(
        self, study: optuna.Study, running: dict[Connection, _Process], each: _Process
    ) -> None:
        """Handle one message of a trial."""
        try:
            message = each.connection.recv()
        except EOFError:
            each.process.join()
            message = trials.Failed(f"its process ended with code {each.process.exitcode}")
        if isinstance(message, trials.Evaluation):
            each.connection.send(self._should_stop(each, message))
            running[each.connection] = each
            return
        each.process.join()
        each.connection.close()
        each.lifeline.close()
        if isinstance(message, trials.Finished) and math.isfinite(message.value):
            each.values.append(message.value)
            stopped = each.trial.user_attrs.get("pruned", False)
            if not stopped and len(each.values) < self.config.seeds:
                following = self._start(each.trial, len(each.values))
                following.values = each.values
                running[following.connection] = following
                return
        self._finish(study, each, message)

    def _should_stop(self, each: _Process, evaluation: trials.Evaluation) -> bool:
        """Report an evaluation of the first seed, and return whether the pruner ends the trial."""
        if each.values or self.config.pruner is None:
            return False
        known = each.trial.study.trials[each.trial.number].intermediate_values
        if evaluation.step not in known:  # a resumed trial repeats its newest evaluation
            each.trial.report(evaluation.value, evaluation.step)
        if each.trial.should_prune():
            each.trial.set_user_attr("pruned", value=True)
            return True
        return False

    def _finish(
        self, study: optuna.Study, each: _Process, message: trials.Finished | trials.Failed
    ) -> None:
        from optuna.trial import TrialState

        trial = each.trial
        if isinstance(message, trials.Failed) or not math.isfinite(message.value):
            reason = (
                message.reason
                if isinstance(message, trials.Failed)
                else f"{self.config.metric} is {message.value}"
            )
            trial.set_user_attr(ERROR, reason)
            study.tell(trial, state=TrialState.FAIL)
            if isinstance(message, trials.Failed) and message.is_fatal:
                raise RunFailed(reason)
            self.tell(f"trial {trial.number} failed: {reason}")
            return
        value = statistics.fmean(each.values)
        if trial.user_attrs.get("pruned", False):
            study.tell(trial, state=TrialState.PRUNED)
            self.tell(f"trial {trial.number} pruned at {self.config.metric} {value:.5g}")
            return
        study.tell(trial, value)
        best = study.best_trial
        self.tell(
            f"trial {trial.number} of {self.config.num_trials()}: {self.config.metric} "
            f"{value:.5g} (best {best.value:.5g}, trial {best.number})"
        )


@contextmanager
def _signals_raise(directory: Path) -> Iterator[None]:
    """Let SIGINT and SIGTERM end the body with `Stopped`."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number, directory)

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
