"""What a metric is updated with, and the names of metrics."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from typing import Literal, TypeAlias, cast, get_args

from plx_core.errors import ComponentError
from plx_core.plugins.registry import snake_case
from plx_core.types import Metric

MetricInput: TypeAlias = Literal["probabilities", "logits", "classes"]
"""What a metric of a classifier takes; see `metric_input`."""


def metric_input(metric: Metric) -> MetricInput | None:
    """Return what a metric takes from a classifier: the attribute `takes` of its class.

    `update_state(y_true, y_pred, sample_weight=None)` is called with one of these. A column is a
    class; a graph with one output has one column, that of the second of two classes.

    - `probabilities`: both float [n, columns]. `y_true` is 0 or 1, `y_pred` a probability.
    - `logits`: the same `y_true`, and the outputs of the graph before softmax or sigmoid. Refused
      if the loss, and so the graph's outputs, are probabilities.
    - `classes`: both int [n], the class of the label and the predicted class; for a multi-label
      classifier, both int [n, columns], 0 or 1.

    A metric that declares nothing gets `probabilities`; None is returned for it, since models know
    what Keras's metrics take.

    Raises:
        ComponentError: it declares something else.
    """
    declared = getattr(metric, "takes", None)
    if declared is not None and declared not in get_args(MetricInput):
        raise ComponentError(
            f"the metric {plain_name(metric)} declares takes = {declared!r}; "
            f"expected one of {', '.join(get_args(MetricInput))}"
        )
    return cast("MetricInput | None", declared)


def require_labels_and_outputs(metric: Metric) -> None:
    """Raise an error if a metric takes one value, such as Keras's `Mean`, not labels and outputs.

    Raises:
        ComponentError: it takes one value.
    """
    names = list(inspect.signature(metric.update_state).parameters)
    if names[1:2] == ["sample_weight"]:
        raise ComponentError(
            f"the metric {plain_name(metric)} takes one value and its weight; a metric of a model "
            "takes labels and outputs"
        )


def plain_name(metric: Metric) -> str:
    """Return the name of a metric without the number that Keras adds to a default name."""
    default = snake_case(type(metric).__name__)
    is_numbered = re.fullmatch(rf"{re.escape(default)}_\d+", metric.name)
    return default if is_numbered else str(metric.name)


def by_name(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Return metrics by unique names that do not depend on what else the process has built."""
    result: dict[str, Metric] = {}
    for metric in metrics:
        name = unique_name = plain_name(metric)
        count = 1
        while unique_name in result:
            unique_name = f"{name}_{count}"
            count += 1
        result[unique_name] = metric
    return result
