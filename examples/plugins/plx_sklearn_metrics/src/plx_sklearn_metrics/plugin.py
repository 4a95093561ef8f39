"""What plx-sklearn-metrics offers."""

from collections.abc import Mapping
from typing import Any

from plx_core import Factories, hookimpl

PLX_API_VERSION = 1


@hookimpl
def provide_metrics() -> Factories:
    """One metric for all the scores."""
    return {"SklearnScore": "plx_sklearn_metrics.score:SklearnScore"}


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """How it is tried."""
    return {"metrics": {"SklearnScore": {"params": {"score": "matthews", "num_classes": 3}}}}
