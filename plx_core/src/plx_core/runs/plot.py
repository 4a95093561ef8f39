"""Draw the curves of a run."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plx_core.errors import PlxError
from plx_core.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

CURVES = "curves.png"
FIRST = ("episode_return", "loss")
"""The metrics that are drawn first."""
NOT_DRAWN = frozenset(
    (
        "global_timestep",
        "global_episode",
        "global_step",
        "episodes",
        "replay_ratio",
        "episode_return_min",
        "episode_return_max",
    )
)
MOST_DRAWN = 6
MOST_COLUMNS = 3
COLOURS = {"train": "#4c72b0", "eval": "#dd8452"}

Curve = list[tuple[float, float]]


def draw_run(run: RunDirectory) -> Path | None:
    """Draw the most important metrics of a run in `curves.png`, a plot for each.

    The x axis has actions for reinforcement learning, else global steps. A band shows one standard
    deviation of the returns of an evaluation's episodes.

    Returns:
        The path of the picture; None if there are no metrics or matplotlib is not installed.
    """
    lines = run.read_metrics()
    curves = curves_of(lines)
    names = [name for name in FIRST if name in curves]
    names += [name for name in curves if name not in FIRST and not name.endswith("_std")]
    names = names[:MOST_DRAWN]
    if not names:
        return None
    try:
        figure, plots = figure_with_plots(len(names), 4.6, 3.1)
    except PlxError as error:
        logger.info("the curves are not drawn: %s", error)
        return None
    is_acting = any("global_timestep" in line["metrics"] for line in lines)
    for index, (name, axes) in enumerate(zip(names, plots, strict=True)):
        _draw(axes, curves[name], curves.get(f"{name}_std", {}))
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.set_xlabel("actions" if is_acting else "step", fontsize=9)
        if index == 0 or len(curves[name]) > 1:
            axes.legend(frameon=False, fontsize=8)
    path = run.path / CURVES
    figure.savefig(path, dpi=120)
    return path


def curves_of(lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Curve]]:
    """Return the curves in lines of `metrics.jsonl`, by metric and then by split."""
    curves: dict[str, dict[str, Curve]] = {}
    timesteps: dict[int, float] = {}
    for line in lines:
        metrics, step = line["metrics"], line["step"]
        if "global_timestep" in metrics:
            timesteps[step] = metrics["global_timestep"]
        for name, value in metrics.items():
            if isinstance(value, (int, float)) and name not in NOT_DRAWN:
                point = (timesteps.get(step, step), value)
                curves.setdefault(name, {}).setdefault(line["split"], []).append(point)
    return curves


def figure_with_plots(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with empty plots in up to three columns.

    Args:
        count: the number of plots.
        width: the width of a plot in inches.
        height: the height of a plot in inches.

    Raises:
        PlxError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise PlxError(
            "matplotlib is not installed; pip install plx-core[plots] installs it"
        ) from error
    columns = min(MOST_COLUMNS, max(count, 1))
    rows = math.ceil(max(count, 1) / columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    plots = [figure.add_subplot(rows, columns, index + 1) for index in range(count)]
    for axes in plots:
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    return figure, plots


def _draw(axes: Axes, splits: Mapping[str, Curve], deviations: Mapping[str, Curve]) -> None:
    for split, curve in splits.items():
        x = [point[0] for point in curve]
        y = [point[1] for point in curve]
        colour = COLOURS.get(split)
        axes.plot(
            x,
            y,
            label=split,
            color=colour,
            linewidth=1.6,
            marker="o" if len(x) == 1 or split != "train" else None,
            markersize=4,
        )
        spread = [point[1] for point in deviations.get(split, ())]
        if not spread or len(spread) != len(y):
            continue
        if len(x) == 1:
            axes.errorbar(x, y, yerr=spread, color=colour, capsize=3)
        else:
            low = [value - width for value, width in zip(y, spread, strict=True)]
            high = [value + width for value, width in zip(y, spread, strict=True)]
            axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
