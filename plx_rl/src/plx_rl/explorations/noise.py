"""Departures from greedy actions: pure functions of the actions and a generator."""

from __future__ import annotations

from typing import Any

import numpy as np

from plx_core.errors import ComponentError
from plx_rl.masks import mask_values_on_host


def depart(
    greedy: np.ndarray,
    rate: Any,
    rng: np.random.Generator,
    scores: np.ndarray | None,
    masks: np.ndarray | None,
) -> np.ndarray:
    """Epsilon-greedy for discrete actions, normal noise of scale `rate` for continuous ones; see `Exploration.explore`."""
    if isinstance(rate, np.ndarray) and rate.shape and len(rate) != len(greedy):
        raise ComponentError(
            f"there are {len(rate)} rates of exploration and {len(greedy)} environments: give one for each",
            about="model",
        )
    if greedy.dtype.kind == "f":
        return with_noise(greedy, rate, rng)
    return epsilon_greedy(greedy, rate, number_of_actions(scores, masks), rng, masks)


def epsilon_greedy(
    greedy: np.ndarray,
    epsilon: Any,
    num_actions: int,
    rng: np.random.Generator,
    masks: np.ndarray | None = None,
) -> np.ndarray:
    """Each of N environments throws its own coin, and acts at random with probability `epsilon` (a number, or [N]).

    Args:
        greedy: int [N].
        epsilon: at most 1 counts.
        num_actions: how many actions there are.
        rng: throws the coins.
        masks: legal actions, bool [N, num_actions]; only these are taken at random.
    """
    heads = rng.random(len(greedy)) < epsilon
    if not heads.any():
        return greedy
    return np.where(heads, random_actions(len(greedy), num_actions, rng, masks), greedy)


def random_actions(
    count: int, num_actions: int, rng: np.random.Generator, masks: np.ndarray | None = None
) -> np.ndarray:
    """`count` actions, each legal one as likely as any other, int [count]."""
    if masks is None:
        return rng.integers(num_actions, size=count)
    return np.asarray(mask_values_on_host(rng.random(masks.shape), masks).argmax(axis=-1))


def with_noise(greedy: np.ndarray, scale: Any, rng: np.random.Generator) -> np.ndarray:
    """Float actions [N, D] with independent normal noise of a scale that is a number or [N]."""
    noise = rng.standard_normal(greedy.shape, dtype=np.float32)
    noise *= np.reshape(np.asarray(scale, np.float32), (-1, *[1] * (greedy.ndim - 1)))
    return np.asarray(greedy + noise)


def number_of_actions(scores: np.ndarray | None, masks: np.ndarray | None) -> int:
    """How many discrete actions there are, as the model's scores or the masks of legal actions show.

    Raises:
        ComponentError: neither is given.
    """
    known = scores if scores is not None else masks
    if known is None:
        raise ComponentError(
            "exploring discrete actions needs the model's scores of them, or masks of the legal ones"
        )
    return int(known.shape[-1])


def anneal(start: float, end: float, steps: int | None, timestep: int) -> float:
    """From `start` to `end` on a line of `steps` timesteps; `start` for good when there is no number of steps."""
    return start if steps is None else start + (end - start) * min(1.0, timestep / steps)
