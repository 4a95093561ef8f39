"""Convert observations and their spaces to the features of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from plx_core.types import Observations, Space

if TYPE_CHECKING:
    import tensorflow as tf

STATE = "state"
"""The name of the feature that holds an observation without names."""


def features_of(space: Space) -> dict[str, tf.TensorSpec]:
    """Return `tf.TensorSpec`s with a batch axis, by name, for a gymnasium space of observations."""
    import tensorflow as tf

    parts = space.spaces if hasattr(space, "spaces") else {STATE: space}
    return {name: tf.TensorSpec((None, *part.shape), part.dtype) for name, part in parts.items()}


def as_features(observations: Observations) -> dict[str, Observations]:
    """Return observations as a mapping by name."""
    return dict(observations) if isinstance(observations, Mapping) else {STATE: observations}
