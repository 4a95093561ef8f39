"""What plx-jsonl offers."""

from collections.abc import Mapping
from typing import Any

from plx_core import Factories, hookimpl

PLX_API_VERSION = 1


@hookimpl
def provide_pipelines() -> Factories:
    """The one pipeline."""
    return {"JSONLinesPipeline": "plx_jsonl.pipeline:JSONLinesPipeline"}


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """How it is tried: on a file that a function writes."""
    return {"pipelines": {"JSONLinesPipeline": "plx_jsonl.examples:houses"}}
