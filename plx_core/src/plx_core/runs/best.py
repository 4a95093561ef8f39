"""Which checkpoint of a run is the best, by a metric of its evaluations."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from plx_core.runs.checkpoints import Checkpoints, step_of
from plx_core.runs.metrics import Criterion
from plx_core.runs.run_directory import RunDirectory


@frozen
class Evaluation:
    """An evaluation of a checkpoint that is still there.

    Args:
        path: the checkpoint.
        metrics: the results, by name.
    """

    path: Path
    metrics: Mapping[str, float]

    @property
    def step(self) -> int:
        """The global step of the checkpoint."""
        return step_of(self.path)


def best_evaluation(
    run: RunDirectory, checkpoints: Checkpoints, criterion: Criterion
) -> Evaluation | None:
    """Return the best evaluation whose checkpoint is kept and whole; the earliest of equals.

    Evaluations without a value of the metric are left out. None if there is no evaluation.
    """
    paths = {step_of(path): path for path in checkpoints.paths()}
    best: Evaluation | None = None
    for step, metrics in sorted(run.evaluations().items()):
        value = metrics.get(criterion.metric, math.nan)
        other = None if best is None else best.metrics[criterion.metric]
        is_better = step in paths and criterion.is_better(value, other)
        if is_better and checkpoints.is_whole(paths[step]):
            best = Evaluation(paths[step], metrics)
    return best
