"""One environment from an id or a function, with the wrappers that see one at a time."""

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
from plx_rl.wrappers.record_video import RecordVideo

NAMESPACES = {"ALE": "ale_py"}
"""Which library registers the ids of a namespace."""
EXTRAS = {
    "ale_py": "atari",
    "mujoco": "mujoco",
    "imageio": "mujoco",
    "gym": "gym",
    "pygame": "video",
    "Box2D": "box2d",
}


@frozen
class Maker:
    """Makes one of N environments; it can be sent to another process.

    Args:
        env_id: an id that gymnasium or gym has registered, or a function of `params` that returns an environment.
        params: of the environment's own.
        max_episode_steps: the episode's length, in place of the registered one.
        wrappers: applied in order.
        library: "gymnasium" or "gym".
        records: whether this is the one that `RecordVideo` records.
    """

    env_id: str | Callable[..., Any]
    params: dict[str, Any]
    max_episode_steps: int | None
    wrappers: Sequence[Callable[[Any], Any]]
    library: str
    records: bool = False

    def __call__(self) -> gymnasium.Env[Any, Any]:
        """Make it.

        Raises:
            DataError: it cannot be made.
        """
        recorders = [wrapper for wrapper in self.wrappers if isinstance(wrapper, RecordVideo)]
        draws = (
            self.records
            and recorders
            and (isinstance(self.env_id, str) or "render_mode" in parameter_names(self.env_id))
        )
        params = self.params | ({"render_mode": "rgb_array"} if draws else {})
        env = (
            self.env_id(**params)
            if callable(self.env_id)
            else self._registered(self.env_id, params)
        )
        if not isinstance(env, gymnasium.Env):
            raise DataError(
                f"{self.env_id} made a {type(env).__name__}; it has to be a gymnasium.Env, or has library: gym"
            )
        if self.max_episode_steps is not None and (callable(self.env_id) or self.library == "gym"):
            env = gymnasium.wrappers.TimeLimit(env, self.max_episode_steps)
        for wrapper in self.wrappers:
            if self.records or wrapper not in recorders:
                env = wrapper(env)
        return env

    def _registered(self, env_id: str, params: dict[str, Any]) -> gymnasium.Env[Any, Any]:
        check_id(env_id)
        try:
            if self.library == "gym":
                return make_old(env_id, params)
            return gymnasium.make(
                env_id, max_episode_steps=self.max_episode_steps, disable_env_checker=True, **params
            )
        except gymnasium.error.DependencyNotInstalled as error:
            raise DataError(f"{env_id} needs what is not installed: {error}") from error
        except ImportError as error:
            raise DataError(f"{env_id} needs {error.name}{_extra(error.name)}") from error
        except (
            gymnasium.error.UnregisteredEnv,
            gymnasium.error.VersionNotFound,
            gymnasium.error.Error,
        ) as error:
            raise DataError(f"there is no environment {env_id}: {error}") from error
        except TypeError as error:
            raise DataError(f"{env_id} does not take env_params {params}: {error}") from error


def make_vector(
    env_id: str | Callable[..., Any],
    num_envs: int,
    params: dict[str, Any],
    max_episode_steps: int | None,
) -> Any:
    """An environment's own vector form.

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
                f"{env_id} has no vector form of its own; take vectorization: sync or async"
            )
        limited = (
            params
            if max_episode_steps is None
            else params | {"max_episode_steps": max_episode_steps}
        )
        envs = gymnasium.make_vec(env_id, num_envs, "vector_entry_point", **limited)
    if not isinstance(envs, gymnasium.vector.VectorEnv):
        raise DataError(
            f"{env_id} made a {type(envs).__name__}; with vectorization: own it has to be a gymnasium.vector.VectorEnv"
        )
    return envs


def check_id(env_id: str) -> None:
    """Import the library of a well-known namespace; refuse code that the person running has not asked for.

    Raises:
        DataError: an id names a module that nobody has imported.
    """
    module, _, name = env_id.rpartition(":")
    if module and module not in sys.modules:
        raise DataError(
            f"{module} is code from outside; to allow it, import it or give --plugin {module}"
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
