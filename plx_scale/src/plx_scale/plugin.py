"""The hooks of plx-scale."""

from __future__ import annotations

from collections.abc import Mapping

from plx_core import hookimpl


@hookimpl
def provide_commands() -> Mapping[str, str]:
    """Provide `plx tune`."""
    return {"tune": "plx_scale.tune.command:tune"}


@hookimpl
def provide_sections() -> Mapping[str, type | str]:
    """Provide the section `tune` of experiment files."""
    return {"tune": "plx_scale.tune.section:TuneConfig"}
