"""Random departures from greedy actions: functions of the actions and a generator."""

from __future__ import annotations

import numpy as np

import plx_core as plx
from plx_core.errors import ComponentError
from plx_core.types import Array
from plx_rl.masks import mask_values_on_host


def depart(
    greedy: Array,
    rate: Array | float,
    rng: np.random.Generator,
    scores: Array | None,
    masks: Array | None,
) -> Array:
    """Return epsilon-greedy discrete actions, or continuous ones with normal noise of scale `rate`.

    Raises:
        ComponentError: the number of rates is not that of environments, or the number of discrete
            actions is unknown.
    """
    if isinstance(rate, np.ndarray) and rate.shape and len(rate) != len(greedy):
        raise ComponentError(
            f"there are {len(rate)} rates of exploration and {len(greedy)} environments: "
            "give one for each",
            about="model",
        )
    if greedy.dtype.kind == "f":
        return with_noise(greedy, rate, rng)
    return epsilon_greedy(greedy, rate, number_of_actions(scores, masks), rng, masks)


def epsilon_greedy(
    greedy: Array,
    epsilon: Array | float,
    num_actions: int,
    rng: np.random.Generator,
    masks: Array | None = None,
) -> Array:
    """Return actions that are random with probability `epsilon` and greedy otherwise.

    Args:
        greedy: int [N].
        epsilon: a number, or one for each environment [N].
        num_actions: the number of discrete actions.
        rng: draws independently for each of the N environments.
        masks: legal actions, bool [N, num_actions]; random actions are legal.
    """
    is_random = rng.random(len(greedy)) < epsilon
    if not is_random.any():
        return greedy
    return np.where(is_random, random_actions(len(greedy), num_actions, rng, masks), greedy)


def random_actions(
    count: int, num_actions: int, rng: np.random.Generator, masks: Array | None = None
) -> Array:
    """Draw actions uniformly among the legal ones, int [count]."""
    if masks is None:
        return rng.integers(num_actions, size=count)
    return np.asarray(mask_values_on_host(rng.random(masks.shape), masks).argmax(axis=-1))


def with_noise(greedy: Array, scale: Array | float, rng: np.random.Generator) -> Array:
    """Add independent normal noise to actions, float [N, D]; `scale` is a number or [N]."""
    noise = rng.standard_normal(greedy.shape, dtype=np.float32)
    noise *= np.reshape(np.asarray(scale, np.float32), (-1, *[1] * (greedy.ndim - 1)))
    return np.asarray(greedy + noise)


def number_of_actions(scores: Array | None, masks: Array | None) -> int:
    """Return the number of discrete actions, from the model's scores or the masks of legal actions.

    Raises:
        ComponentError: there are neither.
    """
    by_action = scores if scores is not None else masks
    if by_action is None:
        raise ComponentError(
            "exploring discrete actions needs the model's scores of them, "
            "or masks of the legal ones"
        )
    return int(by_action.shape[-1])


def require_discrete(exploration: plx.Exploration, greedy: Array) -> None:
    """Raise a `ComponentError` where actions are continuous."""
    if greedy.dtype.kind == "f":
        raise ComponentError(
            f"{type(exploration).__name__} explores discrete actions; these are continuous: "
            "take GaussianNoise or OrnsteinUhlenbeck",
            about="model",
        )


def require_continuous(exploration: plx.Exploration, greedy: Array) -> None:
    """Raise a `ComponentError` where actions are discrete."""
    if greedy.dtype.kind != "f":
        raise ComponentError(
            f"{type(exploration).__name__} explores continuous actions; these are discrete: "
            "take EpsilonGreedy or Boltzmann",
            about="model",
        )
