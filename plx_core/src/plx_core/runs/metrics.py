"""Look up metrics by name."""

from __future__ import annotations

from collections.abc import Mapping

from plx_core.errors import ComponentError, did_you_mean


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
