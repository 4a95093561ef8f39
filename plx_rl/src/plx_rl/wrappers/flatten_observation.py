"""Observations of any space as one vector."""

from __future__ import annotations

from typing import final

import gymnasium
from attrs import frozen

from plx_rl.types import Env


@final
@frozen
class FlattenObservation:
    """Flatten observations of any space, including Tuple and nested Dict, into one vector."""

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return gymnasium.wrappers.FlattenObservation(env)
