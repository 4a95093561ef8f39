"""Convert observations and actions between environments and networks."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from attrs import frozen
from gymnasium import spaces

from plx_core.errors import DataError
from plx_core.types import Nested, Observations, Space, Tensor
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
        offsets = (indices - space.start).reshape(len(indices), -1)
        parts = [
            np.eye(int(size), dtype=np.float32)[offsets[:, k]]
            for k, size in enumerate(space.nvec.ravel())
        ]
        return np.concatenate(parts, axis=-1)

    def raw_batch(self, observations: Sequence[Observation]) -> Observations:
        """Stack the observations of N environments as they are: arrays [N, …], by name if named."""
        if isinstance(self.raw, spaces.Dict):
            return {
                name: np.array([observation[name] for observation in observations], part.dtype)
                for name, part in self.raw.spaces.items()
            }
        return np.array(observations, self.raw.dtype)

    def _encoded_space(self, space: Space) -> Space:
        if isinstance(space, spaces.Box):
            if space.dtype in (np.uint8, np.float32):
                return space
            return _float32_box(space)
        if isinstance(space, spaces.MultiBinary):
            return spaces.Box(0.0, 1.0, space.shape, np.float32)
        if not self.one_hot:
            return space
        size = number_of_choices(space)
        return spaces.Box(0.0, 1.0, (size,), np.float32)


@frozen
class ActionDecoder:
    """Converts the actions of policies to those of environments, and back.

    A policy's actions are flat: int [N], int [N, K] or float [N, D]. Its discrete choices count
    from 0, wherever those of the environment start. In a bounded Box it acts between -1 and 1; its
    actions are clipped to this range, and scaled to the bounds.

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

    @functools.cached_property
    def space(self) -> Space:
        """The space of one action of a policy."""
        space = self.raw
        if isinstance(space, spaces.Discrete):
            return spaces.Discrete(int(space.n))
        if isinstance(space, spaces.MultiDiscrete):
            return spaces.MultiDiscrete(space.nvec.ravel(), dtype=space.dtype.type)
        size = int(np.prod(space.shape))
        if isinstance(space, spaces.MultiBinary):
            return spaces.MultiBinary(size)
        if self.is_scaled:
            return spaces.Box(-1.0, 1.0, (size,), np.float32)
        return _float32_box(spaces.Box(space.low.ravel(), space.high.ravel(), dtype=space.dtype))

    def decode(self, actions: np.ndarray) -> list[Action] | np.ndarray:
        """Convert the actions of a policy, [N, …], to N actions of environments."""
        space = self.raw
        if isinstance(space, spaces.Discrete):
            return list((actions + int(space.start)).tolist())
        actions = np.reshape(actions, (len(actions), *space.shape))
        if isinstance(space, spaces.MultiDiscrete):
            actions = actions + space.start
        if not isinstance(space, spaces.Box):
            return actions.astype(space.dtype)
        if self.is_scaled:
            fractions = 0.5 * space.high - 0.5 * space.low
            actions = space.low + (np.clip(actions, -1.0, 1.0) + 1.0) * fractions
        return np.asarray(np.clip(actions, space.low, space.high), space.dtype)

    def decode_tensor(self, actions: Tensor) -> Tensor:
        """Return `decode` of a tensor, which may be symbolic, within a few units of rounding."""
        from keras import ops

        space = self.raw
        actions = ops.reshape(actions, (-1, *space.shape))
        if isinstance(space, spaces.MultiBinary):
            return ops.cast(actions, space.dtype.name)
        if not isinstance(space, spaces.Box):
            return ops.cast(actions, space.dtype.name) + space.start
        actions = ops.cast(actions, np.result_type(space.dtype, np.float32).name)
        if self.is_scaled:
            half = 0.5 * space.high - 0.5 * space.low
            actions = ops.clip(actions, -1.0, 1.0) * half + (space.low + half)
        actions = ops.minimum(ops.maximum(actions, space.low), space.high)
        return ops.cast(actions, space.dtype.name)

    def encode(self, actions: np.ndarray) -> np.ndarray:
        """Return the actions of a policy, [N, …], that `decode` converts to these of environments.

        Args:
            actions: elements of the environment's action space, [N, …].
        """
        space = self.raw
        if not isinstance(space, spaces.Box):
            start = 0 if isinstance(space, spaces.MultiBinary) else space.start
            actions = np.asarray(actions, np.int64) - start
            is_single = isinstance(space, spaces.Discrete)
            return actions if is_single else actions.reshape(len(actions), -1)
        if self.is_scaled:
            low, high = space.low.astype(np.float64), space.high.astype(np.float64)
            half = 0.5 * high - 0.5 * low
            # Where the two bounds are equal, every action is the same.
            actions = (actions - (low + half)) / np.where(half > 0.0, half, 1.0)
            actions = np.clip(actions, -1.0, 1.0)
        return np.asarray(actions, np.float32).reshape(len(actions), -1)


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
    mask = _flat_mask(value)
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
    parts = iter(np.split(legal, np.cumsum(space.nvec)[:-1]))
    return space.sample(_nested_mask(parts, space.nvec.shape))


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


def named_parts(space: Space) -> dict[str, Space]:
    """Return the parts of a Dict space; another space under an empty name."""
    return dict(space.spaces) if isinstance(space, spaces.Dict) else {"": space}


def contained(space: Space, values: np.ndarray) -> np.ndarray:
    """Return which of N values, [N, …], are elements of a space, up to rounding: bool [N].

    Args:
        space: a Box, Discrete, MultiDiscrete or MultiBinary.
        values: of the space's shape.
    """
    if isinstance(space, spaces.Box):
        margin = 1e-5 * (1.0 + np.abs(values))
        inside = (values >= space.low - margin) & (values <= space.high + margin)
        inside &= np.isfinite(values)
    else:
        is_binary = isinstance(space, spaces.MultiBinary)
        start, count = (0, 2) if is_binary else (space.start, _sizes(space))
        inside = (values >= start) & (values < start + count) & (values == np.floor(values))
    return np.asarray(inside.reshape(len(values), -1).all(axis=1))


def _sizes(space: Space) -> np.ndarray:
    return np.asarray(space.n if isinstance(space, spaces.Discrete) else space.nvec, np.int64)


def _flat_mask(value: Nested) -> np.ndarray:
    """Concatenate the masks in a tuple, or a tuple of tuples."""
    if isinstance(value, tuple):
        return np.concatenate([_flat_mask(part) for part in value])
    return np.ravel(value)


def _nested_mask(parts: Iterator[np.ndarray], shape: tuple[int, ...]) -> Nested:
    """Arrange the masks of a MultiDiscrete space as `sample` takes them: in tuples of tuples."""
    if not shape:
        return next(parts)
    return tuple(_nested_mask(parts, shape[1:]) for _ in range(shape[0]))


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
