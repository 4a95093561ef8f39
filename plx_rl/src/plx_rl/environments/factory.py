"""Create environments from ids or functions, with the wrappers of single environments."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

import gymnasium
from attrs import frozen

from plx_core import parameter_names
from plx_core.errors import DataError
from plx_rl.environments.old_gym import make as make_old
from plx_rl.types import Env
from plx_rl.wrappers.record_video import RecordVideo

NAMESPACES = {"ALE": "ale_py"}
"""The library that registers the ids of a namespace."""
EXTRAS = {
    "ale_py": "atari",
    "mujoco": "mujoco",
    "imageio": "mujoco",
    "gym": "gym",
    "pygame": "video",
    "Box2D": "box2d",
}

SINGLE_STATISTICS = (gymnasium.wrappers.NormalizeObservation, gymnasium.wrappers.NormalizeReward)
VECTOR_STATISTICS = (
    gymnasium.wrappers.vector.NormalizeObservation,
    gymnasium.wrappers.vector.NormalizeReward,
)
"""The wrappers of gymnasium with running statistics."""


@frozen
class EnvFactory:
    """Creates one of N environments; can be sent to another process.

    Args:
        env_id: an id registered with gymnasium or gym, or a function of `params` that returns an
            environment.
        params: the environment's own parameters.
        max_episode_steps: overrides the registered episode length.
        wrappers: applied in order.
        library: "gymnasium" or "gym".
        records: apply `RecordVideo`, which only the first environment does.
    """

    env_id: str | Callable[..., Env]
    params: dict[str, Any]
    max_episode_steps: int | None
    wrappers: Sequence[Callable[[Env], Env]]
    library: str
    records: bool = False

    def __call__(self) -> Env:
        """Create the environment.

        Raises:
            DataError: it cannot be created.
        """
        recorders = [wrapper for wrapper in self.wrappers if isinstance(wrapper, RecordVideo)]
        params = self.params
        if self.records and recorders and self._takes_render_mode():
            params = params | {"render_mode": "rgb_array"}
        if callable(self.env_id):
            env = self.env_id(**params)
        else:
            env = self._registered(self.env_id, params)
        if not isinstance(env, gymnasium.Env):
            raise DataError(
                f"{self.env_id} returned a {type(env).__name__}; it must return a gymnasium.Env "
                "(environments of gym need library: gym)"
            )
        if self.max_episode_steps is not None and (callable(self.env_id) or self.library == "gym"):
            env = gymnasium.wrappers.TimeLimit(env, self.max_episode_steps)
        for wrapper in self.wrappers:
            if self.records or wrapper not in recorders:
                env = wrapper(env)
        _refuse_own_statistics(env, SINGLE_STATISTICS)
        return env

    def _takes_render_mode(self) -> bool:
        return isinstance(self.env_id, str) or "render_mode" in parameter_names(self.env_id)

    def _registered(self, env_id: str, params: dict[str, Any]) -> Env:
        check_id(env_id)
        try:
            if self.library == "gym":
                return make_old(env_id, params)
            return gymnasium.make(
                env_id, max_episode_steps=self.max_episode_steps, disable_env_checker=True, **params
            )
        except gymnasium.error.DependencyNotInstalled as error:
            raise DataError(f"{env_id} needs a package that is not installed: {error}") from error
        except ImportError as error:
            raise DataError(f"{env_id} needs {error.name}{_extra(error.name)}") from error
        except gymnasium.error.Error as error:
            raise DataError(f"there is no environment {env_id}: {error}") from error
        except TypeError as error:
            raise DataError(f"{env_id} does not take env_params {params}: {error}") from error


def make_vector(
    env_id: str | Callable[..., Any],
    num_envs: int,
    params: dict[str, Any],
    max_episode_steps: int | None,
) -> gymnasium.vector.VectorEnv[Any, Any, Any]:
    """Create an environment's own vectorised version.

    Raises:
        DataError: it has none.
    """
    if callable(env_id):
        envs = env_id(num_envs=num_envs, **params)
    else:
        check_id(env_id)
        spec = gymnasium.registry.get(env_id)
        if spec is None or spec.vector_entry_point is None:
            raise DataError(
                f"{env_id} has no vectorised version of its own; use vectorization: sync or async"
            )
        if max_episode_steps is not None:
            params = params | {"max_episode_steps": max_episode_steps}
        envs = gymnasium.make_vec(env_id, num_envs, "vector_entry_point", **params)
    if not isinstance(envs, gymnasium.vector.VectorEnv):
        raise DataError(
            f"{env_id} returned a {type(envs).__name__}; "
            "with vectorization: own it must return a gymnasium.vector.VectorEnv"
        )
    _refuse_own_statistics(envs, VECTOR_STATISTICS)
    return envs


def _refuse_own_statistics(env: object, kinds: tuple[type, ...]) -> None:
    """Raise a `DataError` where a wrapper of gymnasium normalises by statistics of its own."""
    while hasattr(env, "env"):
        if isinstance(env, kinds):
            kind = type(env).__name__
            raise DataError(
                f"gymnasium's {kind} keeps statistics that an evaluation cannot take over; give "
                f"{kind} in wrappers instead"
            )
        env = env.env


def check_id(env_id: str) -> None:
    """Import the library of a known namespace, and refuse modules that were not allowed to load.

    Raises:
        DataError: the id names a module that is not imported yet.
    """
    module, _, name = env_id.rpartition(":")
    if module and module not in sys.modules:
        raise DataError(
            f"{module} is code from outside the installed plug-ins; "
            f"to allow it, import it or run with --plugin {module}"
        )
    library = NAMESPACES.get(name.partition("/")[0]) if "/" in name else None
    if library is None:
        return
    try:
        gymnasium.register_envs(importlib.import_module(library))
    except ImportError as error:
        raise DataError(f"{env_id} needs {library}{_extra(library)}") from error


def _extra(library: str | None) -> str:
    return f": pip install plx-rl[{EXTRAS[library]}]" if library in EXTRAS else ""
