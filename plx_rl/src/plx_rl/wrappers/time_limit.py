"""Truncated episodes."""

from __future__ import annotations

from typing import final

import gymnasium
from attrs import frozen

from plx_core.annotations import PositiveInt
from plx_rl.types import Env


@final
@frozen
class TimeLimit:
    """Truncate episodes after a number of steps; the value of the last state is bootstrapped.

    Args:
        max_steps: the maximum number of steps per episode.
    """

    max_steps: PositiveInt

    def __call__(self, env: Env) -> Env:
        """Wrap an environment."""
        return gymnasium.wrappers.TimeLimit(env, self.max_steps)
