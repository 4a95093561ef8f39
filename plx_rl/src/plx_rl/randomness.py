"""The states of NumPy generators, and default seeds."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np

from plx_core import State
from plx_core.types import Nested


def generator_state(rng: np.random.Generator) -> dict[str, Nested]:
    """Return the state of a generator, for `restore_generator`."""
    return {"generator": _plain(rng.bit_generator.state)}


def restore_generator(rng: np.random.Generator, state: State) -> None:
    """Set a generator to a state."""
    rng.bit_generator.state = dict(state["generator"])


def default_seed() -> int:
    """Return a seed for a part that was created without one.

    It is drawn from the generator that Keras uses for the seeds of its layers. An agent seeds that
    generator before it calls its model function, so that the seeds are the same each time.
    """
    return random.randrange(2**31)


def _plain(value: Nested) -> Nested:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, np.integer) else value
