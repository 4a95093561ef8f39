"""What a sweep found: a table, and a picture."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from plx_scale.tune.section import short_names

if TYPE_CHECKING:
    import optuna
    from matplotlib.axes import Axes
    from optuna.trial import FrozenTrial

    from plx_scale.tune.sweep import Sweep

ROWS = 15
"""The largest number of trials in the table."""
LABEL: Mapping[str, Any] = {
    "fontsize": 8,
    "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.8},
}
"""How the values on an axis are written."""


def table(sweep: Sweep, study: optuna.Study) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of a table of the best trials, best first."""
    paths = list(sweep.config.space)
    header = ["trial", sweep.config.metric, "state", *short_names(paths)]
    rows = []
    for trial in ranked(study)[:ROWS]:
        values = sweep.values_of(trial)
        cells = [_cell(values.get(path)) for path in paths]
        rows.append([str(trial.number), _cell(_result(trial)), trial.state.name.lower(), *cells])
    return header, rows


def ranked(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials, best first; those that were pruned or failed come last."""
    sign = -1.0 if study.direction.name == "MAXIMIZE" else 1.0
    order = {"COMPLETE": 0, "PRUNED": 1}

    def key(trial: FrozenTrial) -> tuple[int, float, int]:
        value = _result(trial)
        rank = order.get(trial.state.name, 2)
        return rank, sign * value if value is not None else math.inf, trial.number

    return sorted(study.get_trials(deepcopy=False), key=key)


def importances(study: optuna.Study) -> dict[str, float]:
    """Return how much of the variation of the results each path explains, by path.

    Source: Watanabe, Bansal and Hutter 2023, "PED-ANOVA: Efficiently quantifying hyperparameter
    importance in arbitrary subspaces", as implemented by Optuna. Empty where there are too few
    trials, or all results are equal.
    """
    import optuna

    done = _in_state(study, "COMPLETE")
    if len({trial.value for trial in done}) < 2 or len(done) < 4:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def draw(sweep: Sweep, study: optuna.Study, path: Path) -> None:
    """Draw the history of the sweep, the importance of its values, and parallel coordinates.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[3, 2], height_ratios=[2, 3])
    _draw_history(figure.add_subplot(grid[0, 0]), sweep, study)
    _draw_importances(figure.add_subplot(grid[0, 1]), sweep, study)
    _draw_coordinates(figure.add_subplot(grid[1, :]), sweep, study)
    figure.savefig(path, dpi=130)


def _result(trial: FrozenTrial) -> float | None:
    """Return the result of a trial, or its newest evaluation."""
    if trial.value is not None or not trial.intermediate_values:
        return trial.value
    return trial.intermediate_values[max(trial.intermediate_values)]


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _in_state(study: optuna.Study, state: str) -> list[FrozenTrial]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.name == state]


def _draw_history(axes: Axes, sweep: Sweep, study: optuna.Study) -> None:
    done = _in_state(study, "COMPLETE")
    numbers = [trial.number for trial in done]
    values = [trial.value or 0.0 for trial in done]
    best = np.maximum if study.direction.name == "MAXIMIZE" else np.minimum
    pruned = _in_state(study, "PRUNED")
    if pruned:
        results = [_result(trial) or math.nan for trial in pruned]
        axes.plot([trial.number for trial in pruned], results, "x", color="0.7", label="pruned")
    axes.plot(numbers, values, "o", markersize=4, label="trial")
    axes.step(numbers, best.accumulate(values), where="post", label="best so far")
    axes.set(title="History", xlabel="trial", ylabel=sweep.config.metric)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_importances(axes: Axes, sweep: Sweep, study: optuna.Study) -> None:
    found = importances(study)
    paths = list(sweep.config.space)
    names = dict(zip(paths, short_names(paths), strict=True))
    shown = sorted(found.items(), key=lambda item: item[1])[-10:]
    axes.barh([names[path] for path, _ in shown], [share for _, share in shown])
    axes.set(title="Importance" if shown else "Importance: too few different results")
    axes.spines[["top", "right"]].set_visible(False)


def _draw_coordinates(axes: Axes, sweep: Sweep, study: optuna.Study) -> None:
    done = [trial for trial in ranked(study) if trial.state.name == "COMPLETE"]
    dimensions = sweep.config.dimensions()
    columns = [path for path in dimensions if len(dimensions[path].extremes) > 1]
    positions = range(len(columns) + 1)
    results = np.array([trial.value or 0.0 for trial in done])
    scales = [_scale(sweep, path) for path in columns]
    low, high = results.min(), results.max()
    span = high - low or 1.0
    color_map = _color_map()
    for rank, trial in reversed(list(enumerate(done))):
        heights = [scale(trial.params[path]) for path, scale in zip(columns, scales, strict=True)]
        quality = 1.0 - rank / max(1, len(done) - 1)
        axes.plot(
            positions,
            [*heights, (results[rank] - low) / span],
            color=color_map(quality),
            alpha=0.35 + 0.65 * quality,
            linewidth=1 + 2 * (rank == 0),
        )
    for position, path in enumerate(columns):
        axes.axvline(position, color="0.8", linewidth=1, zorder=0)
        for height, label in _ticks(sweep, path, scales[position]):
            axes.annotate(label, (position, height), ha="right", va="center", **LABEL)
    axes.axvline(len(columns), color="0.8", linewidth=1, zorder=0)
    for height, label in ((0.0, _cell(float(low))), (1.0, _cell(float(high)))):
        axes.annotate(f" {label}", (len(columns), height), ha="left", va="center", **LABEL)
    axes.set_xticks(list(positions), [*short_names(columns), sweep.config.metric])
    axes.set_yticks([])
    axes.set(title="Trials; dark lines are better", xlim=(-0.5, len(columns) + 0.5))
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)


def _color_map() -> Any:  # noqa: ANN401 (matplotlib ships few types)
    from matplotlib import colormaps

    return colormaps["viridis_r"]


def _scale(sweep: Sweep, path: str) -> Any:  # noqa: ANN401 (a function of any plain value)
    """Return the function from a value of Optuna to its height, 0 to 1."""
    from plx_scale.tune.space import Choice, as_choice

    dimension = sweep.config.dimensions()[path]
    if isinstance(dimension, Choice):
        choices = [as_choice(value) for value in dimension.values]
        return lambda value: (choices.index(value) + 0.5) / len(choices)
    low, high = dimension.low, dimension.high
    if low == high:
        return lambda value: 0.5
    if dimension.is_log:
        return lambda value: math.log(value / low) / math.log(high / low)
    return lambda value: (value - low) / (high - low)


def _ticks(sweep: Sweep, path: str, scale: Any) -> list[tuple[float, str]]:  # noqa: ANN401
    from plx_scale.tune.space import as_choice

    values = sweep.config.dimensions()[path].extremes
    return [(scale(as_choice(value)), f"{_cell(value)} ") for value in values]
