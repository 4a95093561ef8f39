"""The hooks of plx-jsonl."""

from collections.abc import Mapping
from typing import Any

from plx_core import Factories, hookimpl

PLX_API_VERSION = 1


@hookimpl
def provide_pipelines() -> Factories:
    """Offer the pipeline."""
    return {"JSONLinesPipeline": "plx_jsonl.pipeline:JSONLinesPipeline"}


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """Name the function that writes a file for `plx plugins --check`."""
    return {"pipelines": {"JSONLinesPipeline": "plx_jsonl.examples:houses"}}
