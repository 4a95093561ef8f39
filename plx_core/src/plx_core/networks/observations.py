"""A list of layers, as a config writes it, to a Keras network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STATE = "state"
"""What an observation is called as a feature, where it has no names of its own."""


def features_of(space: Any) -> dict[str, Any]:
    """The features that observations of a gymnasium space are: `tf.TensorSpec`s by name, with a batch axis."""
    import tensorflow as tf

    parts = space.spaces if hasattr(space, "spaces") else {STATE: space}
    return {name: tf.TensorSpec((None, *part.shape), part.dtype) for name, part in parts.items()}


def as_features(observations: Any) -> dict[str, Any]:
    """Observations by name."""
    return dict(observations) if isinstance(observations, Mapping) else {STATE: observations}
