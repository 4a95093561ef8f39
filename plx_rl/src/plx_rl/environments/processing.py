"""The conversions of observations and actions, as Keras networks for exported policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces

from plx_core import STATE
from plx_core.types import Space, Tensor
from plx_rl.environments.spaces import ActionDecoder, ObservationEncoder
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
        name: keras.Input(part.shape, dtype=str(part.dtype), name=name)
        for name, part in parts.items()
    }
    outputs = {name: _encode(inputs[name], part, encoder.one_hot) for name, part in parts.items()}
    for transform in transforms:
        outputs = transform.graph(outputs)
    return keras.Model(inputs, outputs, name="processing")


def action_network(decoder: ActionDecoder) -> keras.Model:
    """Return a network from the actions of a policy to those of environments."""
    import keras

    actions = keras.Input(decoder.space.shape, dtype=str(decoder.space.dtype), name="action")
    return keras.Model(actions, decoder.decode_tensor(actions), name="actions")


def _encode(tensor: Tensor, space: Space, one_hot: bool) -> Tensor:
    """Do to a tensor what `ObservationEncoder.encode` does to an array."""
    from keras import ops

    if isinstance(space, spaces.Box):
        return tensor if space.dtype == np.uint8 else ops.cast(tensor, "float32")
    if isinstance(space, spaces.MultiBinary):
        return ops.cast(tensor, "float32")
    tensor = ops.cast(tensor, "int64")
    if not one_hot:
        return tensor
    if isinstance(space, spaces.Discrete):
        return ops.one_hot(tensor - int(space.start), int(space.n), dtype="float32")
    offsets = ops.reshape(tensor - space.start.astype(np.int64), (-1, space.nvec.size))
    parts = [
        ops.one_hot(offsets[:, k], int(size), dtype="float32")
        for k, size in enumerate(space.nvec.ravel())
    ]
    return ops.concatenate(parts, axis=-1)
