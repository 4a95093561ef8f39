"""Noise that drifts, for continuous actions that act through inertia."""

from __future__ import annotations

from typing import final

import numpy as np

import plx_core as plx
from plx_core.annotations import NonNegativeFloat, PositiveFloat, PositiveInt
from plx_core.errors import ComponentError
from plx_rl.explorations.noise import anneal
from plx_rl.randomness import generator_state, restore_generator


@final
class OrnsteinUhlenbeck(plx.Exploration):
    """Adds noise that wanders and is drawn back: x grows by θ (μ - x) dt + σ √dt N(0, 1), from μ at an episode's start.

    Args:
        sigma: σ at first.
        theta: θ, how strongly the noise is drawn back.
        mu: μ, what it is drawn to.
        dt: the time between two actions.
        min_sigma: what σ falls to, where `decay_steps` is given.
        decay_steps: over how many actions σ falls, on a straight line; never when left out.
        seed: of the noise.

    Source: Uhlenbeck and Ornstein 1930; Lillicrap et al. 2016, section 7.
    """

    def __init__(
        self,
        sigma: NonNegativeFloat = 0.3,
        theta: NonNegativeFloat = 0.15,
        mu: float = 0.0,
        dt: PositiveFloat = 1.0,
        min_sigma: NonNegativeFloat = 0.0,
        decay_steps: PositiveInt | None = None,
        seed: int | None = None,
    ) -> None:
        self._sigma = sigma
        self._theta = theta
        self._mu = mu
        self._dt = dt
        self._min_sigma = min_sigma
        self._decay_steps = decay_steps
        self._noise: np.ndarray | None = None
        self.seed = seed
        self._rng = np.random.default_rng(seed)

    def rate(self, timestep: int) -> np.ndarray | float:
        """σ after `timestep` actions."""
        return anneal(self._sigma, self._min_sigma, self._decay_steps, timestep)

    def explore(
        self,
        greedy: np.ndarray,
        timestep: int,
        scores: np.ndarray | None = None,
        masks: np.ndarray | None = None,
    ) -> np.ndarray:
        """The actions to take; see `Exploration.explore`.

        Raises:
            ComponentError: the actions are not continuous.
        """
        if greedy.dtype.kind != "f":
            raise ComponentError(
                "OrnsteinUhlenbeck explores continuous actions; these are discrete: take Constant, Decay or Boltzmann",
                about="model",
            )
        if self._noise is None or self._noise.shape != greedy.shape:
            self._noise = np.full(greedy.shape, self._mu, np.float32)
        drift = self._theta * (self._mu - self._noise) * self._dt
        shock = (
            float(self.rate(timestep))
            * self._dt**0.5
            * self._rng.standard_normal(greedy.shape, dtype=np.float32)
        )
        self._noise = (self._noise + drift + shock).astype(np.float32)
        return np.asarray(greedy + self._noise)

    def restart(self, ended: np.ndarray) -> None:
        """The noise of an environment whose episode ended starts afresh."""
        if self._noise is not None:
            self._noise[ended] = self._mu

    def reseed(self, seed: int) -> None:
        """Draw from this seed on."""
        self._rng = np.random.default_rng(seed)

    def state(self) -> plx.State:
        """The noise and the generator."""
        return {"noise": None if self._noise is None else self._noise.copy()} | generator_state(
            self._rng
        )

    def restore(self, state: plx.State) -> None:
        """Go on from a state."""
        self._noise = None if state["noise"] is None else np.array(state["noise"], np.float32)
        restore_generator(self._rng, state)
