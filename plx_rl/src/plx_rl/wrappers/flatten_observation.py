"""Any observation as one vector."""

from __future__ import annotations

from typing import Any, final

import gymnasium
from attrs import frozen


@final
@frozen
class FlattenObservation:
    """Makes an observation of any space, Tuple and nested Dict among them, one vector of numbers."""

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with vectors."""
        return gymnasium.wrappers.FlattenObservation(env)
