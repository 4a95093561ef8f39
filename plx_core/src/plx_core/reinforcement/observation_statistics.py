"""Statistics of observations that pass from one environment to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from plx_core.errors import ComponentError
from plx_core.reinforcement.interfaces import Environment


def follow(env: Environment, checkpoint: Mapping[str, Any], *, freeze: bool = True) -> None:
    """Let an environment observe as the one that a checkpoint was trained in.

    Args:
        env: the environment.
        checkpoint: the content of the checkpoint.
        freeze: whether the statistics stay as they are from now on.

    Raises:
        ComponentError: the environment has other observation statistics.
    """
    require_same(checkpoint["observation_statistics"], env)
    env.follow(checkpoint["environment"], freeze=freeze)


def require_same(trained: Sequence[str], env: Environment, about: str = "") -> None:
    """Raise a `ComponentError` where an environment has other observation statistics.

    Args:
        trained: the statistics of the environment that the policy was trained in.
        env: the environment that it is to act in.
        about: the key that the message points to.
    """
    if list(env.observation_statistics) != list(trained):
        raise ComponentError(
            f"the policy is trained on observations with {_in_words(trained)}, and this "
            f"environment gives it observations with {_in_words(env.observation_statistics)}: "
            "use the same wrappers with statistics, in the same order and with the same parameters",
            about=about,
        )


def _in_words(statistics: Sequence[str]) -> str:
    return f"the statistics of {', '.join(statistics)}" if statistics else "no running statistics"
