"""The hooks of plx-sklearn-metrics."""

from collections.abc import Mapping
from typing import Any

from plx_core import Factories, hookimpl

PLX_API_VERSION = 1


@hookimpl
def provide_metrics() -> Factories:
    """Offer one metric for all scores."""
    return {"SklearnScore": "plx_sklearn_metrics.score:SklearnScore"}


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """Say how `plx plugins --check` tries it."""
    return {"metrics": {"SklearnScore": {"params": {"score": "matthews", "num_classes": 3}}}}
