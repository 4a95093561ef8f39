"""What a person sees while a run goes on: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from plx_core.callbacks.callback import Callback

SECONDS_BETWEEN_LINES = 5.0
MOST_SHOWN = 4
FIRST = ("episode_return", "exploration_rate", "loss")
"""The metrics that are shown before others."""
ASIDE = (
    "learning_rate",
    "steps_per_second",
    "timesteps_per_second",
    "global_timestep",
    "global_episode",
    "replay_ratio",
    "episode_length",
)
"""Those that are not shown."""


class Progress(Callback):
    """Shows the step, the rate and the latest metrics.

    Args:
        total: the step at which the run ends; None when that is not known.
        unit: what is counted.
        count: how far a run has come, of itself and its step.
    """

    def __init__(
        self,
        total: int | None,
        unit: str = "step",
        count: Callable[[Any, int], int] = lambda run, step: step,
    ) -> None:
        self._total = total
        self._unit, self._count = unit, count
        self._bar: Any = None
        self._task: Any = None
        self._began = False
        self._shown = 0.0
        self._text = ""

    def on_run_begin(self, run: Any, step: int) -> None:
        """Start the bar."""
        if not sys.stderr.isatty():
            if self._began:
                return  # training and evaluation alternate; it is one run
            self._began = True
            self._line(
                f"training from {self._unit} {self._count(run, step)}{f' to {self._total}' if self._total else ''}"
            )
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = [
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[metrics]}"),
        ]
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._bar.start()
        self._task = self._bar.add_task(
            "training", total=self._total, completed=self._count(run, step), metrics=""
        )

    def on_block(self, run: Any, step: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(self._task, completed=self._count(run, step), metrics=self._text)

    def on_log(self, run: Any, step: int, metrics: Mapping[str, float]) -> None:
        """Show the metrics."""
        rate = metrics[f"{self._unit}s_per_second"]
        first = [name for name in FIRST if name in metrics]
        shown = [*first, *(name for name in metrics if name not in (*FIRST, *ASIDE))][:MOST_SHOWN]
        self._text = "  ".join(
            [f"{rate:,.1f} {self._unit}s/s", *(f"{name} {metrics[name]:.4g}" for name in shown)]
        )
        if self._bar is None and time.monotonic() - self._shown > SECONDS_BETWEEN_LINES:
            self._shown = time.monotonic()
            self._line(
                f"{self._unit} {self._count(run, step)}{f' of {self._total}' if self._total else ''}  {self._text}"
            )

    def on_run_end(self, run: Any, step: int) -> None:
        """Take the bar away."""
        self.close()

    def close(self) -> None:
        """Give the terminal back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _line(self, text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def print_metrics(title: str, metrics: Mapping[str, float]) -> None:
    """A table of metrics."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(
            name,
            f"{value:,.0f}"
            if float(value).is_integer() and abs(value) < 1e15
            else f"{value:.4f}"
            if abs(value) >= 1e-3
            else f"{value:.3e}",
        )
    Console().print(table)
