"""Makes the picture of the README: two examples are run as they are, and their metrics drawn.

python docs/pictures.py          # runs both, in a few minutes, and writes docs/_static/runs.png
python docs/pictures.py FOLDER   # draws from the runs in FOLDER, which are finished first where they are not

The examples need `plx data digits` in the folder where this is called.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from plx_core.runs.plot import COLOURS, Curve, curves_of
from plx_core.runs.run_directory import RunDirectory

ROOT = Path(__file__).resolve().parent.parent
TO = ROOT / "docs" / "_static" / "runs.png"
PANELS = (
    ("lenet_digits", 14, "accuracy", "lenet_digits.yml: accuracy", "step"),
    ("lenet_digits", 14, "loss", "lenet_digits.yml: loss", "step"),
    ("ppo_cartpole", 400, "episode_return", "ppo_cartpole.yml: return of an episode", "actions"),
)
"""An example, the steps from one evaluation to the next, a metric, a title, and what the x axis counts."""


def main(folder: Path) -> None:
    """Run the examples and draw them."""
    lines = {}
    for name, period, *_ in PANELS:
        if name not in lines:
            run(name, period, folder / name)
            lines[name] = curves_of(RunDirectory(folder / name).read_metrics())
    figure = Figure(figsize=(11.4, 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    for index, (name, _, metric, title, unit) in enumerate(PANELS):
        draw(figure.add_subplot(1, len(PANELS), index + 1), lines[name][metric], title, unit)
    TO.parent.mkdir(exist_ok=True)
    figure.savefig(TO, dpi=110)


def run(name: str, period: int, directory: Path) -> None:
    """Train and evaluate an example, as a person would."""
    sets = (
        f"eval.eval_every_n_steps={period}",
        f"environment.run_config.log_step_count_steps={period}",
    )
    options = [option for value in sets for option in ("--set", value)]
    subprocess.run(
        [
            sys.executable,
            "-m",
            "plx_core",
            "run",
            str(ROOT / "examples" / f"{name}.yml"),
            "--output-dir",
            str(directory),
            *options,
        ],
        check=True,
    )


def draw(axes: Any, splits: Mapping[str, Curve], title: str, unit: str) -> None:
    """One plot: a line for what was trained on, and one with dots for the evaluations."""
    for split in ("train", "eval"):
        x, y = zip(*splits[split], strict=True)
        axes.plot(
            x,
            y,
            label=split,
            color=COLOURS[split],
            linewidth=1.6,
            marker="o" if split == "eval" else None,
            markersize=3,
        )
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(unit, fontsize=9)
    axes.tick_params(labelsize=8)
    axes.legend(frameon=False, fontsize=8)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "_build" / "runs")
