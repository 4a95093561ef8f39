"""Progress of a run: a bar in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from plx_core.callbacks.callback import Callback
from plx_core.errors import printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from plx_core.runs.run import Run

SECONDS_BETWEEN_LINES = 5.0
MAX_METRICS = 4
FIRST_METRICS = ("episode_return", "exploration_rate", "loss")
HIDDEN_METRICS = (
    "learning_rate",
    "steps_per_second",
    "timesteps_per_second",
    "global_timestep",
    "global_episode",
    "replay_ratio",
    "episode_length",
    "global_step",
)


class Progress(Callback):
    """Shows how far a run is, its speed, and its latest metrics.

    Args:
        total: the count at which the run ends; None if unknown.
        unit: what is counted: `step` or `timestep`.
        count: returns the current count, from the trainer and its step.
    """

    def __init__(
        self,
        total: int | None,
        unit: str = "step",
        count: Callable[[Run, int], int] = lambda run, step: step,
    ) -> None:
        self._total = total
        self._unit = unit
        self._count = count
        self._bar: Bar | None = None
        self._has_begun = False
        self._last_line = 0.0
        self._metrics = ""

    def on_run_begin(self, run: Run, step: int) -> None:
        """Start the bar, or write the first line."""
        count = self._count(run, step)
        if sys.stderr.isatty():
            self._bar = _start_bar(self._total, count)
        elif not self._has_begun:  # training restarts after each evaluation
            self._has_begun = True
            goal = f" to {self._total}" if self._total else ""
            _write_line(f"training from {self._unit} {count}{goal}")

    def on_block(self, run: Run, step: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            task = self._bar.task_ids[0]
            self._bar.update(task, completed=self._count(run, step), metrics=self._metrics)

    def on_log(self, run: Run, step: int, metrics: Mapping[str, float]) -> None:
        """Show the metrics, in the bar or in a line."""
        speed = metrics[f"{self._unit}s_per_second"]
        self._metrics = printable(f"{speed:,.1f} {self._unit}s/s  {_metrics_line(metrics)}")
        if self._bar is None and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            goal = f" of {self._total}" if self._total else ""
            _write_line(f"{self._unit} {self._count(run, step)}{goal}  {self._metrics}")

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Write a line with the results."""
        _write_line(f"evaluation at step {step}  {_metrics_line(metrics)}")

    def on_run_end(self, run: Run, step: int) -> None:
        """Remove the bar."""
        self.close()

    def close(self) -> None:
        """Remove the bar, if there is one, and release the terminal."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _metrics_line(metrics: Mapping[str, float]) -> str:
    first = [name for name in FIRST_METRICS if name in metrics]
    others = [name for name in metrics if name not in (*FIRST_METRICS, *HIDDEN_METRICS)]
    return "  ".join(f"{name} {metrics[name]:.4g}" for name in [*first, *others][:MAX_METRICS])


def _start_bar(total: int | None, completed: int) -> Bar:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[metrics]}"),
        console=Console(stderr=True),
        transient=True,
    )
    bar.start()
    bar.add_task("training", total=total, completed=completed, metrics="")
    return bar


def _write_line(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
