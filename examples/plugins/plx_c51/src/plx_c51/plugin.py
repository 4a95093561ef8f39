"""The hooks of plx-c51."""

from collections.abc import Mapping
from typing import Any

from plx_core import Factories, hookimpl

PLX_API_VERSION = 1


@hookimpl
def provide_models() -> Factories:
    """Offer the model."""
    return {"C51Model": "plx_c51.model:C51Model"}


@hookimpl
def provide_aliases() -> Mapping[str, Mapping[str, str]]:
    """Offer its short name."""
    return {"models": {"c51": "C51Model"}}


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """Say how `plx plugins --check` tries it."""
    env = {"GymEnvironment": {"env_id": "CartPole-v1", "num_envs": 2}}
    return {"models": {"C51Model": {"params": {"v_min": 0.0, "v_max": 50.0}, "env": env}}}
