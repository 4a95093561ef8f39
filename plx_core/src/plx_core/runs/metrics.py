"""Look up metrics by name, and compare them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from attrs import frozen

from plx_core.errors import ComponentError, did_you_mean

LOWER_IS_BETTER = frozenset(
    [
        "binary_crossentropy",
        "categorical_crossentropy",
        "categorical_hinge",
        "hinge",
        "kl_divergence",
        "logcosh",
        "loss",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_cosine_distance",
        "mean_relative_error",
        "mean_squared_error",
        "mean_squared_logarithmic_error",
        "poisson",
        "root_mean_squared_error",
        "sparse_categorical_crossentropy",
        "squared_hinge",
    ]
)
HIGHER_IS_BETTER = frozenset(
    [
        "accuracy",
        "auc",
        "binary_accuracy",
        "binary_io_u",
        "categorical_accuracy",
        "concordance_correlation",
        "cosine_similarity",
        "episode_return",
        "f1_score",
        "fbeta_score",
        "io_u",
        "mean_io_u",
        "one_hot_io_u",
        "one_hot_mean_io_u",
        "pearson_correlation",
        "precision",
        "precision_at_recall",
        "r2_score",
        "recall",
        "recall_at_precision",
        "sensitivity_at_specificity",
        "sparse_categorical_accuracy",
        "sparse_top_k_categorical_accuracy",
        "specificity_at_sensitivity",
        "top_k_categorical_accuracy",
    ]
)
"""The names of core's own metrics, and the default names of Keras's, whose direction is known."""


@frozen
class Criterion:
    """What tells the better of two checkpoints.

    Args:
        metric: the name of a metric of the evaluations.
        higher_is_better: whether higher values are better.
    """

    metric: str
    higher_is_better: bool

    def is_better(self, value: float, other: float | None, min_delta: float = 0.0) -> bool:
        """Whether a value is better than another by more than `min_delta`; NaN never is."""
        if math.isnan(value):
            return False
        if other is None:
            return True
        gain = value - other if self.higher_is_better else other - value
        return gain > min_delta


def criterion_of(metric: str, higher_is_better: bool | None) -> Criterion:
    """Return the criterion of a metric, whose direction is known by its name where it is None.

    Raises:
        ComponentError: the direction is not given, and the metric is not one of core's or Keras's.
    """
    if higher_is_better is None:
        # Without the name of a head before it, and the number of a component or a repetition.
        name = re.sub(r"[_/]\d+$", "", metric).rpartition("/")[2]
        known = HIGHER_IS_BETTER | LOWER_IS_BETTER
        if name not in known:
            raise ComponentError(
                f"whether higher values of {metric} are better is not known; "
                f"give higher_is_better: true or false{did_you_mean(name, known)}"
            )
        higher_is_better = name in HIGHER_IS_BETTER
    return Criterion(metric, higher_is_better)


def require_metric(names: Sequence[str], name: str) -> None:
    """Raise an error if evaluations have no metric of a name.

    A metric with several values has them as `NAME/0`, `NAME/1`, ….

    Raises:
        ComponentError: there is none.
    """
    if not any(name == known or name.startswith(f"{known}/") for known in names):
        raise ComponentError(
            f"there is no metric called {name}{did_you_mean(name, names)} "
            f"(there are {', '.join(names)})"
        )


def metric_value(metrics: Mapping[str, float], name: str) -> float:
    """Return the value of a metric.

    Raises:
        ComponentError: there is no metric of this name.
    """
    if name not in metrics:
        raise ComponentError(
            f"there is no metric called {name}{did_you_mean(name, metrics)} "
            f"(there are {', '.join(metrics)})"
        )
    return metrics[name]
