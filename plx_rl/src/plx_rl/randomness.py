"""NumPy generators as states that a checkpoint can keep."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """All that `restore_generator` needs to draw the same numbers again."""
    return {"generator": _plain(rng.bit_generator.state)}


def restore_generator(rng: np.random.Generator, state: Mapping[str, Any]) -> None:
    """Draw from where the generator was when its state was taken."""
    rng.bit_generator.state = dict(state["generator"])


def default_seed() -> int:
    """A seed for what is made without one.

    It comes from where Keras draws the seeds of its layers, so that an agent, which seeds that before it calls its model function,
    gets the same ones each time.
    """
    return random.randrange(2**31)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, np.integer) else value
