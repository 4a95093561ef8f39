"""Draw the picture in the README: run two examples unchanged, and plot their metrics.

python docs/pictures.py          # run both (a few minutes), then write docs/_static/runs.png
python docs/pictures.py FOLDER   # use the runs in FOLDER; unfinished ones are resumed

The examples need `plx data digits` in the current folder.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from plx_core.runs.plot import COLOURS, Curve, curves_of
from plx_core.runs.run_directory import RunDirectory

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "_static" / "runs.png"
PANELS = (
    ("lenet_digits", 14, "accuracy", "lenet_digits.yml: accuracy", "step"),
    ("lenet_digits", 14, "loss", "lenet_digits.yml: loss", "step"),
    ("ppo_cartpole", 400, "episode_return", "ppo_cartpole.yml: episode return", "timestep"),
)
"""For each panel: example, steps between evaluations, metric, title, and unit of the x axis."""


def main(folder: Path) -> None:
    """Run the examples and plot them."""
    curves = {}
    for name, period, *_ in PANELS:
        if name not in curves:
            run(name, period, folder / name)
            curves[name] = curves_of(RunDirectory(folder / name).read_metrics())
    figure = Figure(figsize=(11.4, 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    for index, (name, _, metric, title, unit) in enumerate(PANELS):
        draw(figure.add_subplot(1, len(PANELS), index + 1), curves[name][metric], title, unit)
    TARGET.parent.mkdir(exist_ok=True)
    figure.savefig(TARGET, dpi=110)


def run(name: str, period: int, directory: Path) -> None:
    """Train and evaluate an example from the command line."""
    command = [sys.executable, "-m", "plx_core", "run", str(ROOT / "examples" / f"{name}.yml")]
    command += ["--output-dir", str(directory)]
    command += ["--set", f"eval.eval_every_n_steps={period}"]
    command += ["--set", f"environment.run_config.log_step_count_steps={period}"]
    subprocess.run(command, check=True)


def draw(axes: Axes, splits: Mapping[str, Curve], title: str, unit: str) -> None:
    """Plot one metric: a line for training, a line with dots for the evaluations."""
    for split, marker in (("train", None), ("eval", "o")):
        x, y = zip(*splits[split], strict=True)
        colour = COLOURS[split]
        axes.plot(x, y, label=split, color=colour, linewidth=1.6, marker=marker, markersize=3)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(unit, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "_build" / "runs")
