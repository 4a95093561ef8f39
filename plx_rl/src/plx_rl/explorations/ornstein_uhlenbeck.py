"""Correlated noise for continuous actions that act through inertia."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import NonNegativeFloat, PositiveFloat, PositiveInt, ScheduleLike
from plx_core.types import Array
from plx_rl.explorations.noise import require_continuous
from plx_rl.explorations.random_exploration import RandomExploration
from plx_rl.explorations.rates import annealed


@final
class OrnsteinUhlenbeck(RandomExploration):
    """Add the noise x of an Ornstein-Uhlenbeck process to continuous actions in [-1, 1].

    At each action, x changes by θ (μ − x) dt + σ √dt N(0, 1). Each episode starts at x = μ.

    Args:
        sigma: σ, or a schedule of the number of actions.
        theta: θ, how strongly the noise reverts to its mean.
        mu: μ, the mean of the noise.
        dt: the time between two actions.
        min_sigma: the final σ, where `decay_steps` is set.
        decay_steps: the number of actions over which σ falls on a straight line; constant when
            left out.
        seed: seed of the noise.

    Source: Uhlenbeck and Ornstein 1930; Lillicrap et al. 2016, section 7.
    """

    def __init__(
        self,
        sigma: ScheduleLike | NonNegativeFloat = 0.3,
        theta: NonNegativeFloat = 0.15,
        mu: float = 0.0,
        dt: PositiveFloat = 1.0,
        min_sigma: NonNegativeFloat = 0.0,
        decay_steps: PositiveInt | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(annealed(sigma, min_sigma, decay_steps), seed)
        self._theta = theta
        self._mu = mu
        self._dt = dt
        self._noise: Array | None = None

    def explore(
        self,
        greedy: Array,
        timestep: int,
        scores: Array | None = None,
        masks: Array | None = None,
    ) -> Array:
        """Return the actions to take; see `Exploration.explore`.

        Raises:
            ComponentError: the actions are not continuous.
        """
        require_continuous(self, greedy)
        if self._noise is None or self._noise.shape != greedy.shape:
            self._noise = np.full(greedy.shape, self._mu, np.float32)
        drift = self._theta * (self._mu - self._noise) * self._dt
        scale = float(self.rate(timestep)) * self._dt**0.5
        shock = scale * self._rng.standard_normal(greedy.shape, dtype=np.float32)
        self._noise = (self._noise + drift + shock).astype(np.float32)
        return np.asarray(greedy + self._noise)

    def restart(self, ended: Array) -> None:
        """Reset the noise of environments in which an episode ended."""
        if self._noise is not None:
            self._noise[ended] = self._mu

    def state(self) -> plx.State:
        """Return the noise and the generator's state."""
        noise = None if self._noise is None else self._noise.copy()
        return {"noise": noise, **super().state()}

    def restore(self, state: plx.State) -> None:
        """Restore the noise and the generator."""
        self._noise = None if state["noise"] is None else np.array(state["noise"], np.float32)
        super().restore(state)
