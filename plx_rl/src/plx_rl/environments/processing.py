"""The preprocessing of raw observations, as a Keras network for exported policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces

from plx_core import STATE
from plx_core.types import Space, Tensor
from plx_rl.environments.spaces import ObservationEncoder
from plx_rl.wrappers.transform import Transform

if TYPE_CHECKING:
    import keras


def processing_network(
    encoder: ObservationEncoder, transforms: Sequence[Transform]
) -> keras.Model | None:
    """Return a network from raw observations to what the policy reads; both are features by name.

    None if the two are the same.
    """
    import keras

    raw = encoder.raw
    parts = raw.spaces if isinstance(raw, spaces.Dict) else {STATE: raw}
    if not transforms and all(
        isinstance(part, spaces.Box) and part.dtype in (np.uint8, np.float32)
        for part in parts.values()
    ):
        return None
    inputs = {
        name: keras.Input(part.shape, dtype=_input_dtype(part), name=name)
        for name, part in parts.items()
    }
    outputs = {name: _encode(inputs[name], part, encoder.one_hot) for name, part in parts.items()}
    for transform in transforms:
        outputs = transform.graph(outputs)
    return keras.Model(inputs, outputs, name="processing")


def _input_dtype(space: Space) -> str:
    return str(space.dtype) if isinstance(space, spaces.Box) else "int64"


def _encode(tensor: Tensor, space: Space, one_hot: bool) -> Tensor:
    """Do to a tensor what `ObservationEncoder.encode` does to an array."""
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
