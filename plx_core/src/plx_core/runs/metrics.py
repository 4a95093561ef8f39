"""Look up metrics by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plx_core.errors import ComponentError, did_you_mean


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
