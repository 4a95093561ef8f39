"""What environments observe and take, to the arrays of networks and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import frozen
from gymnasium import spaces

from plx_core.errors import DataError


@frozen
class Observations:
    """Turns the observations of N environments into arrays [N, …], or a mapping of names to such.

    Bytes stay bytes and every other number becomes float32; what is one of n becomes n numbers of which one is 1, unless
    `one_hot` is off.

    Args:
        raw: the space of an environment's observations.
        one_hot: whether discrete observations become vectors.

    Raises:
        DataError: networks cannot read this space.
    """

    raw: Any
    one_hot: bool = True

    def __attrs_post_init__(self) -> None:
        _check_readable(self.raw, "observation_space")

    @property
    def space(self) -> Any:
        """The space of one observation as an array."""
        if isinstance(self.raw, spaces.Dict):
            return spaces.Dict(
                {name: self._array_space(part) for name, part in self.raw.spaces.items()}
            )
        return self._array_space(self.raw)

    def stack(self, observations: Sequence[Any]) -> Any:
        """The observations of N environments as arrays."""
        if isinstance(self.raw, spaces.Dict):
            return {
                name: self.encode(part, [observation[name] for observation in observations])
                for name, part in self.raw.spaces.items()
            }
        return self.encode(self.raw, observations)

    def batch(self, observations: Any) -> Any:
        """The observations of a vector of environments, which are arrays already."""
        if isinstance(self.raw, spaces.Dict):
            return {
                name: self.encode(part, observations[name])
                for name, part in self.raw.spaces.items()
            }
        return self.encode(self.raw, observations)

    def encode(self, space: Any, values: Any) -> np.ndarray:
        """Values of one space, [N, …], as an array that nobody else holds."""
        if isinstance(space, spaces.Box):
            return np.array(values, space.dtype if space.dtype == np.uint8 else np.float32)
        if isinstance(space, spaces.MultiBinary):
            return np.array(values, np.float32)
        indices = np.array(values, np.int64)
        if not self.one_hot:
            return indices
        if isinstance(space, spaces.Discrete):
            return np.eye(int(space.n), dtype=np.float32)[indices - int(space.start)]
        parts = [
            np.eye(int(size), dtype=np.float32)[indices[:, k]] for k, size in enumerate(space.nvec)
        ]
        return np.concatenate(parts, axis=-1)

    def _array_space(self, space: Any) -> Any:
        if isinstance(space, spaces.Box):
            dtype = space.dtype if space.dtype == np.uint8 else np.float32
            return (
                space
                if space.dtype == dtype
                else spaces.Box(space.low.astype(dtype), space.high.astype(dtype), dtype=dtype)
            )
        if isinstance(space, spaces.MultiBinary):
            return spaces.Box(0.0, 1.0, space.shape, np.float32)
        if not self.one_hot:
            return space
        size = int(space.n) if isinstance(space, spaces.Discrete) else int(np.sum(space.nvec))
        return spaces.Box(0.0, 1.0, (size,), np.float32)


@frozen
class Actions:
    """Turns the actions of policies into those of environments.

    Policies act between -1 and 1 where an action is bounded; that is stretched to the bounds, and clipped to them.

    Args:
        raw: the space of an environment's actions.
        scale: whether actions are stretched; else they are clipped only.

    Raises:
        DataError: policies cannot act in this space.
    """

    raw: Any
    scale: bool = True

    def __attrs_post_init__(self) -> None:
        space = self.raw
        if not isinstance(
            space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary, spaces.Box)
        ):
            raise DataError(
                f"actions are of a Discrete, MultiDiscrete, MultiBinary or Box space; this environment's are {space}"
            )
        if isinstance(space, spaces.Box) and space.dtype.kind != "f":
            raise DataError(
                f"actions of a Box space are floats; this environment's are {space}: declare integers as MultiDiscrete"
            )

    @property
    def is_scaled(self) -> bool:
        """Whether actions are stretched from [-1, 1]."""
        return self.scale and isinstance(self.raw, spaces.Box) and self.raw.is_bounded()

    @property
    def space(self) -> Any:
        """The space of one action as policies give it."""
        if self.is_scaled:
            return spaces.Box(-1.0, 1.0, self.raw.shape, np.float32)
        if isinstance(self.raw, spaces.Box) and self.raw.dtype != np.float32:
            return spaces.Box(
                self.raw.low.astype(np.float32), self.raw.high.astype(np.float32), dtype=np.float32
            )
        return self.raw

    def decode(self, actions: np.ndarray) -> Any:
        """The actions [N, …] of policies, as N environments take them: a sequence of N, or an array."""
        space = self.raw
        if isinstance(space, spaces.Discrete):
            return (actions + int(space.start)).tolist() if space.start else actions.tolist()
        actions = np.reshape(actions, (len(actions), *space.shape))
        if not isinstance(space, spaces.Box):
            return actions.astype(space.dtype)
        if self.is_scaled:
            actions = space.low + (np.clip(actions, -1.0, 1.0) + 1.0) * (
                0.5 * (space.high - space.low)
            )
        return np.clip(actions, space.low, space.high).astype(space.dtype)


def mask_from(info: Mapping[str, Any], size: int) -> np.ndarray | None:
    """The legal actions that an environment's `info` names, bool [size]; None when it names none.

    Raises:
        DataError: the mask has not one entry an action, or there are no actions to choose from.
    """
    given = info.get("action_mask")
    if given is None:
        return None
    if not size:
        raise DataError(
            'info["action_mask"] names legal actions, which only Discrete and MultiDiscrete spaces have'
        )
    mask = (
        np.concatenate([np.ravel(part) for part in given])
        if isinstance(given, tuple)
        else np.ravel(given)
    )
    if mask.shape != (size,):
        raise DataError(f'info["action_mask"] has {mask.size} entries; there are {size} actions')
    return mask.astype(bool)


def number_of_choices(space: Any) -> int:
    """How many entries an action mask has; 0 where there is no choice to mask."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    return int(np.sum(space.nvec)) if isinstance(space, spaces.MultiDiscrete) else 0


def random_action(space: Any, info: Mapping[str, Any]) -> Any:
    """An action drawn from a space, one of those that an environment's `info` says are legal."""
    choices = number_of_choices(space)
    mask = mask_from(info, choices) if choices else None
    if mask is None:
        return space.sample()
    legal = mask.astype(np.int8)
    return space.sample(
        legal
        if isinstance(space, spaces.Discrete)
        else tuple(np.split(legal, np.cumsum(space.nvec)[:-1]))
    )


def misfit(space: Any, observation: Any, name: str = "the observation") -> str:
    """In what way an observation is not of a space; an empty text when it is."""
    if isinstance(space, spaces.Dict):
        if not isinstance(observation, Mapping) or set(observation) != set(space.spaces):
            keys = (
                sorted(observation)
                if isinstance(observation, Mapping)
                else type(observation).__name__
            )
            return f"{name} has the keys {keys}; observation_space says {sorted(space.spaces)}"
        return next(
            filter(
                None,
                (
                    misfit(part, observation[key], f"{name}[{key!r}]")
                    for key, part in space.spaces.items()
                ),
            ),
            "",
        )
    if isinstance(space, spaces.Discrete):
        return (
            ""
            if space.contains(observation)
            else f"{name} is {observation!r}; observation_space says {space}"
        )
    if not isinstance(observation, np.ndarray):
        return f"{name} is a {type(observation).__name__}; observation_space says an array, {space}"
    if observation.shape != space.shape:
        return f"{name} has shape {observation.shape}; observation_space says {space.shape}"
    if not np.can_cast(observation.dtype, space.dtype):
        return f"{name} is of {observation.dtype}; observation_space says {space.dtype}"
    if observation.dtype.kind == "f" and not np.isfinite(observation).all():
        return f"{name} is not finite: {observation}"
    return (
        ""
        if space.contains(observation)
        else f"{name} lies outside observation_space, {space}: {observation}"
    )


def _check_readable(space: Any, where: str) -> None:
    if isinstance(space, spaces.Dict):
        for name, part in space.spaces.items():
            if isinstance(part, spaces.Dict):
                raise DataError(
                    f"{where}[{name!r}] is a Dict within a Dict; give one level of names"
                )
            _check_readable(part, f"{where}[{name!r}]")
    elif not isinstance(
        space, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
    ):
        kinds = "Box, Discrete, MultiDiscrete, MultiBinary, or a Dict of these"
        raise DataError(
            f"{where} is {space}, and networks read {kinds}; the wrapper FlattenObservation makes a Tuple one vector"
        )
