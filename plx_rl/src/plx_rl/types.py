"""Names for gymnasium's types; `plx_core.types` names arrays, tensors and spaces."""

from __future__ import annotations

from typing import Any, SupportsFloat, TypeAlias

import gymnasium

Env: TypeAlias = gymnasium.Env[Any, Any]
"""One environment, of any observations and actions."""

Wrapper: TypeAlias = gymnasium.Wrapper[Any, Any, Any, Any]
"""A wrapper of one environment."""

Observation: TypeAlias = Any
"""An observation as one environment returns it."""

Action: TypeAlias = Any
"""An action as one environment takes it."""

Info: TypeAlias = dict[str, Any]
"""The `info` of `reset` and `step`."""

ResetResult: TypeAlias = tuple[Observation, Info]
"""What `reset` returns: observation, info."""

StepResult: TypeAlias = tuple[Observation, SupportsFloat, bool, bool, Info]
"""What `step` returns: observation, reward, terminated, truncated, info."""

CONTINUES = "episode_continues"
"""The key of `info` that says that a game goes on though its episode ended for the learner."""
