"""Keep checks from changing the process, and parts from using what the whole process shares."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np

from plx_core.testing.failures import require
from plx_core.testing.values import same


@contextmanager
def no_global_randomness(about: str, did: str) -> Iterator[None]:
    """Fail the check if the body draws from, or seeds, Python's or NumPy's global generator.

    Raises:
        CheckFailed: it does.
    """
    before = random.getstate(), np.random.get_state(legacy=False)
    yield
    after = random.getstate(), np.random.get_state(legacy=False)
    for name, one, other in zip(("random", "numpy.random"), before, after, strict=True):
        require(
            same(one, other),
            about,
            did,
            f"the state of {name} changed",
            "no use of global generators",
            "draw from np.random.default_rng(seed), or in layers from keras.random with a "
            "keras.random.SeedGenerator(seed)",
        )


@contextmanager
def own_settings(seed: int = 7) -> Iterator[None]:
    """Seed all global generators for the body; restore them and Keras's dtype policy after it."""
    python_state = random.getstate()
    numpy_state = np.random.get_state()
    policy = keras.config.dtype_policy()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        keras.config.set_dtype_policy(policy)
