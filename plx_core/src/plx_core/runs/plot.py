"""The curves of a run as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from plx_core.runs.run_directory import RunDirectory

CURVES = "curves.png"
FIRST = ("episode_return", "loss")
"""What is drawn first."""
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
COLOURS = {"train": "#4c72b0", "eval": "#dd8452"}

Curve = list[tuple[float, float]]


def draw_run(run: RunDirectory) -> Path | None:
    """Write the curves of a run's metrics as `curves.png`, a plot for each of the most telling ones.

    What is learnt in an environment is drawn over the actions taken, all else over global steps. A band shows by how much the returns
    of an evaluation's episodes differ: one standard deviation.

    Returns:
        What was written; None when there are no metrics yet.
    """
    lines = run.read_metrics()
    curves = curves_of(lines)
    names = [name for name in FIRST if name in curves] + [
        name for name in curves if name not in FIRST and not name.endswith("_std")
    ]
    if not names:
        return None
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = names[:MOST_DRAWN]
    columns = min(3, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.1 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    is_acting = any("global_timestep" in line["metrics"] for line in lines)
    for index, name in enumerate(shown):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw(axes, curves[name], curves.get(f"{name}_std", {}))
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.set_xlabel("actions" if is_acting else "step", fontsize=9)
        if index == 0 or len(curves[name]) > 1:
            axes.legend(frameon=False, fontsize=8)
    path = run.path / CURVES
    figure.savefig(path, dpi=120)
    return path


def curves_of(lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Curve]]:
    """The curves in the lines of `metrics.jsonl`: by metric, then by split."""
    curves: dict[str, dict[str, Curve]] = {}
    timesteps: dict[int, float] = {}
    for line in lines:
        metrics, step = line["metrics"], line["step"]
        if "global_timestep" in metrics:
            timesteps[step] = metrics["global_timestep"]
        for name, value in metrics.items():
            if isinstance(value, (int, float)) and name not in NOT_DRAWN:
                curves.setdefault(name, {}).setdefault(line["split"], []).append(
                    (timesteps.get(step, step), value)
                )
    return curves


def _draw(axes: Any, splits: Mapping[str, Curve], deviations: Mapping[str, Curve]) -> None:
    for split, curve in splits.items():
        x, y = [point[0] for point in curve], [point[1] for point in curve]
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
        if split in deviations and len(deviations[split]) == len(y):
            spread = [point[1] for point in deviations[split]]
            low, high = (
                [value + sign * width for value, width in zip(y, spread, strict=True)]
                for sign in (-1, 1)
            )
            if len(x) == 1:
                axes.errorbar(x, y, yerr=spread, color=colour, capsize=3)
            else:
                axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
