"""What is done to raw observations before a network reads them, as a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from plx_rl.environments.spaces import Observations
from plx_rl.wrappers.transform import Transform

if TYPE_CHECKING:
    import keras

STATE = "state"
"""The name of an observation that has no parts."""


def processing_network(
    observations: Observations, transforms: Sequence[Transform]
) -> keras.Model | None:
    """A network from the raw observations of an environment, by name, to what its agent reads; None when they are the same."""
    import keras

    parts = (
        observations.raw.spaces
        if isinstance(observations.raw, spaces.Dict)
        else {STATE: observations.raw}
    )
    if not transforms and all(
        isinstance(part, spaces.Box) and part.dtype in (np.uint8, np.float32)
        for part in parts.values()
    ):
        return None
    inputs = {
        name: keras.Input(part.shape, dtype=_input_dtype(part), name=name)
        for name, part in parts.items()
    }
    outputs = {
        name: _encoded(inputs[name], part, observations.one_hot) for name, part in parts.items()
    }
    for transform in transforms:
        outputs = transform.graph(outputs)
    return keras.Model(inputs, outputs, name="processing")


def _input_dtype(space: Any) -> str:
    if isinstance(space, spaces.Box):
        return str(space.dtype)
    return "int64"


def _encoded(tensor: Any, space: Any, one_hot: bool) -> Any:
    from keras import ops

    if isinstance(space, spaces.Box):
        return tensor if space.dtype == np.uint8 else ops.cast(tensor, "float32")
    if isinstance(space, spaces.MultiBinary):
        return ops.cast(tensor, "float32")
    if not one_hot:
        return tensor
    if isinstance(space, spaces.Discrete):
        return ops.one_hot(tensor - int(space.start), int(space.n), dtype="float32")
    parts = [
        ops.one_hot(tensor[:, k], int(size), dtype="float32") for k, size in enumerate(space.nvec)
    ]
    return ops.concatenate(parts, axis=-1)
