"""Convert observations and actions between environments and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from attrs import frozen
from gymnasium import spaces

from plx_core.errors import DataError
from plx_core.types import Nested, Observations, Space
from plx_rl.types import Action, Observation


@frozen
class ObservationEncoder:
    """Converts observations of N environments to arrays [N, …], or a mapping of names to arrays.

    uint8 stays uint8, and every other number becomes float32. Discrete values become one-hot
    vectors, unless `one_hot` is False.

    Args:
        raw: the observation space of an environment.
        one_hot: encode discrete values as one-hot vectors.

    Raises:
        DataError: networks cannot read observations of this space.
    """

    raw: Space
    one_hot: bool = True

    def __attrs_post_init__(self) -> None:
        _check_readable(self.raw, "observation_space")

    @property
    def space(self) -> Space:
        """The space of one encoded observation."""
        if isinstance(self.raw, spaces.Dict):
            return spaces.Dict(
                {name: self._encoded_space(part) for name, part in self.raw.spaces.items()}
            )
        return self._encoded_space(self.raw)

    def stack(self, observations: Sequence[Observation]) -> Observations:
        """Encode a list with the observations of N environments."""
        if isinstance(self.raw, spaces.Dict):
            return {
                name: self.encode(part, [observation[name] for observation in observations])
                for name, part in self.raw.spaces.items()
            }
        return self.encode(self.raw, observations)

    def batch(self, observations: Observations) -> Observations:
        """Encode the observations of a vector environment, which are arrays [N, …] already."""
        if isinstance(self.raw, spaces.Dict):
            return {
                name: self.encode(part, observations[name])
                for name, part in self.raw.spaces.items()
            }
        return self.encode(self.raw, observations)

    def encode(self, space: Space, values: Nested) -> np.ndarray:
        """Encode values of one space, [N, …], as a new array."""
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

    def _encoded_space(self, space: Space) -> Space:
        if isinstance(space, spaces.Box):
            if space.dtype in (np.uint8, np.float32):
                return space
            return _float32_box(space)
        if isinstance(space, spaces.MultiBinary):
            return spaces.Box(0.0, 1.0, space.shape, np.float32)
        if not self.one_hot:
            return space
        size = int(space.n) if isinstance(space, spaces.Discrete) else int(np.sum(space.nvec))
        return spaces.Box(0.0, 1.0, (size,), np.float32)


@frozen
class ActionDecoder:
    """Converts the actions of policies to those of environments.

    Policies act between -1 and 1 in a bounded Box; their actions are clipped to this range, and
    scaled to the bounds.

    Args:
        raw: the action space of an environment.
        scale: scale actions to the bounds; otherwise they are only clipped to them.

    Raises:
        DataError: policies cannot act in this space.
    """

    raw: Space
    scale: bool = True

    def __attrs_post_init__(self) -> None:
        space = self.raw
        if not isinstance(
            space, (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary, spaces.Box)
        ):
            raise DataError(
                f"action_space is {space}; it must be Discrete, MultiDiscrete, MultiBinary or Box"
            )
        if isinstance(space, spaces.Box) and space.dtype.kind != "f":
            raise DataError(
                f"action_space is {space}; the dtype of a Box must be a float: "
                "declare integers as MultiDiscrete"
            )

    @property
    def is_scaled(self) -> bool:
        """Whether actions are scaled from [-1, 1] to the bounds."""
        return self.scale and isinstance(self.raw, spaces.Box) and self.raw.is_bounded()

    @property
    def space(self) -> Space:
        """The space of one action of a policy."""
        if self.is_scaled:
            return spaces.Box(-1.0, 1.0, self.raw.shape, np.float32)
        if isinstance(self.raw, spaces.Box) and self.raw.dtype != np.float32:
            return _float32_box(self.raw)
        return self.raw

    def decode(self, actions: np.ndarray) -> list[Action] | np.ndarray:
        """Convert the actions of a policy, [N, …], to N actions of environments."""
        space = self.raw
        if isinstance(space, spaces.Discrete):
            return list((actions + int(space.start)).tolist())
        actions = np.reshape(actions, (len(actions), *space.shape))
        if not isinstance(space, spaces.Box):
            return actions.astype(space.dtype)
        if self.is_scaled:
            fractions = 0.5 * (space.high - space.low)
            actions = space.low + (np.clip(actions, -1.0, 1.0) + 1.0) * fractions
        return np.asarray(np.clip(actions, space.low, space.high), space.dtype)


def mask_from(info: Mapping[str, Nested], size: int) -> np.ndarray | None:
    """Return the mask of legal actions in an `info`, bool [size]; None if there is none.

    Raises:
        DataError: the mask does not have one entry per action, or the actions cannot be masked.
    """
    value = info.get("action_mask")
    if value is None:
        return None
    if not size:
        raise DataError(
            'info["action_mask"] is set, but only Discrete and MultiDiscrete actions can be masked'
        )
    if isinstance(value, tuple):
        mask = np.concatenate([np.ravel(part) for part in value])
    else:
        mask = np.ravel(value)
    if mask.shape != (size,):
        raise DataError(f'info["action_mask"] has {mask.size} entries; there are {size} actions')
    return mask.astype(bool)


def number_of_choices(space: Space) -> int:
    """Return the number of entries of an action mask; 0 if the actions cannot be masked."""
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    return int(np.sum(space.nvec)) if isinstance(space, spaces.MultiDiscrete) else 0


def random_action(space: Space, info: Mapping[str, Nested]) -> Action:
    """Sample an action from a space; a legal one, if `info` has a mask."""
    choices = number_of_choices(space)
    mask = mask_from(info, choices) if choices else None
    if mask is None:
        return space.sample()
    legal = mask.astype(np.int8)
    if isinstance(space, spaces.Discrete):
        return space.sample(legal)
    return space.sample(tuple(np.split(legal, np.cumsum(space.nvec)[:-1])))


def misfit(space: Space, observation: Observation, name: str = "the observation") -> str:
    """Return why an observation is not in a space; an empty string if it is."""
    if isinstance(space, spaces.Dict):
        return _misfit_of_dict(space, observation, name)
    if isinstance(space, spaces.Discrete):
        if space.contains(observation):
            return ""
        return f"{name} is {observation!r}; observation_space is {space}"
    if not isinstance(observation, np.ndarray):
        kind = type(observation).__name__
        return f"{name} is a {kind}; observation_space expects an array, {space}"
    if observation.shape != space.shape:
        return f"{name} has shape {observation.shape}; observation_space has shape {space.shape}"
    if not np.can_cast(observation.dtype, space.dtype):
        return f"{name} has dtype {observation.dtype}; observation_space has dtype {space.dtype}"
    if observation.dtype.kind == "f" and not np.isfinite(observation).all():
        return f"{name} is not finite: {observation}"
    if space.contains(observation):
        return ""
    return f"{name} is outside observation_space, {space}: {observation}"


def _misfit_of_dict(space: spaces.Dict, observation: Observation, name: str) -> str:
    if not isinstance(observation, Mapping):
        kind = type(observation).__name__
        return f"{name} is a {kind}; observation_space expects a dict with {sorted(space.spaces)}"
    if set(observation) != set(space.spaces):
        return (
            f"{name} has the keys {sorted(observation)}; "
            f"observation_space has {sorted(space.spaces)}"
        )
    for key, part in space.spaces.items():
        if fault := misfit(part, observation[key], f"{name}[{key!r}]"):
            return fault
    return ""


def _float32_box(space: spaces.Box) -> spaces.Box:
    low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    return spaces.Box(low, high, dtype=np.float32)


def _check_readable(space: Space, where: str) -> None:
    if isinstance(space, spaces.Dict):
        for name, part in space.spaces.items():
            if isinstance(part, spaces.Dict):
                raise DataError(f"{where}[{name!r}] is a nested Dict; use one level of names")
            _check_readable(part, f"{where}[{name!r}]")
    elif not isinstance(
        space, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
    ):
        raise DataError(
            f"{where} is {space}; it must be Box, Discrete, MultiDiscrete, MultiBinary or a Dict "
            "of these (the wrapper FlattenObservation converts other spaces to a vector)"
        )
