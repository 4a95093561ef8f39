"""Episodes that are cut short."""

from __future__ import annotations

from typing import Any, final

import gymnasium
from attrs import frozen

from plx_core.annotations import PositiveInt


@final
@frozen
class TimeLimit:
    """Cuts an episode short after a number of steps; what would have followed still counts in what is learnt.

    Args:
        max_steps: how many steps an episode may have.
    """

    max_steps: PositiveInt

    def __call__(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """The environment with short episodes."""
        return gymnasium.wrappers.TimeLimit(env, self.max_steps)
