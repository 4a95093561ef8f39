"""Callbacks that come with the core: the hooks of polyaxon-lib and of `tf.estimator` in today's form, and Keras's two favourites."""

from __future__ import annotations

from collections.abc import Mapping

from plx_core.errors import ComponentError, did_you_mean


def metric_value(metrics: Mapping[str, float], name: str) -> float:
    """The value of a metric.

    Raises:
        ComponentError: there is none of this name.
    """
    if name not in metrics:
        raise ComponentError(
            f"there is no metric called {name}{did_you_mean(name, metrics)}; there are {', '.join(metrics)}"
        )
    return metrics[name]
