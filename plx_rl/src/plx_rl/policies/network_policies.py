"""Policies that act by a network on the host: greedy with exploration, or stochastic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

import numpy as np

from plx_core import Exploration, Policy, State, as_features
from plx_core.types import Array, Features, Nested, Network, Observations
from plx_rl.distributions import Distribution
from plx_rl.masks import mask_values_on_host
from plx_rl.policies.numpy_network import host_function
from plx_rl.randomness import generator_state, restore_generator


class _NetworkPolicy(Policy):
    """Computes a network's outputs on the host; see `plx_rl.policies.numpy_network`."""

    def __init__(
        self, network: Network, function: Callable[[Features], Nested] | None = None
    ) -> None:
        self._network = host_function(network, function)

    def refresh(self) -> None:
        """Use the current weights from the next action on."""
        self._network.refresh()

    def _outputs(self, observations: Observations) -> Nested:
        return self._network(as_features(observations))


class _ExploringPolicy(_NetworkPolicy):
    """Departs from the greedy actions by an exploration.

    Args:
        network: the network that is trained.
        exploration: departs from the greedy actions.
        function: function of the features that returns the action values or actions; the network
            itself when None.
    """

    def __init__(
        self,
        network: Network,
        exploration: Exploration,
        function: Callable[[Features], Nested] | None = None,
    ) -> None:
        super().__init__(network, function)
        self._exploration = exploration

    def restart(self, ended: Array) -> None:
        """Tell the exploration which episodes ended, bool [N]."""
        self._exploration.restart(ended)

    def metrics(self, timestep: int) -> Mapping[str, float]:
        """Return the mean exploration rate."""
        return {"exploration_rate": float(np.mean(self._exploration.rate(timestep)))}

    def state(self) -> State:
        """Return the exploration's state."""
        return {"exploration": self._exploration.state()}

    def restore(self, state: State) -> None:
        """Restore the exploration."""
        self._exploration.restore(state["exploration"])


@final
class ValuePolicy(_ExploringPolicy):
    """Take the action of the highest value, from values [B, A], or explore."""

    def act(self, observations: Observations, timestep: int, masks: Array | None = None) -> Array:
        """Return the actions to take while learning, int [N]."""
        values = mask_values_on_host(self._outputs(observations), masks)
        return self._exploration.explore(values.argmax(axis=-1), timestep, values, masks)

    def greedy(self, observations: Observations, masks: Array | None = None) -> Array:
        """Return the actions of the highest values, int [N]."""
        return np.asarray(mask_values_on_host(self._outputs(observations), masks).argmax(axis=-1))


@final
class DeterministicPolicy(_ExploringPolicy):
    """Take the continuous action [B, D] that a network returns, with the exploration's noise.

    Args:
        network: the network that is trained.
        exploration: departs from the greedy actions, which it is given between -1 and 1.
        function: see `_ExploringPolicy`.
        low: the lower bounds of actions, [D].
        high: their upper bounds, [D].
    """

    def __init__(
        self,
        network: Network,
        exploration: Exploration,
        function: Callable[[Features], Nested] | None = None,
        *,
        low: Array | float = -1.0,
        high: Array | float = 1.0,
    ) -> None:
        super().__init__(network, exploration, function)
        self._middle = np.asarray(0.5 * high + 0.5 * low, np.float32)
        half = np.asarray(0.5 * high - 0.5 * low, np.float32)
        self._half = np.where(half > 0.0, half, np.float32(1.0))
        self._low, self._high = low, high

    def act(self, observations: Observations, timestep: int, masks: Array | None = None) -> Array:
        """Return the actions to take while learning, float [N, D], clipped to the bounds."""
        greedy = (self._outputs(observations) - self._middle) / self._half
        actions = self._exploration.explore(greedy, timestep) * self._half + self._middle
        return np.asarray(np.clip(actions, self._low, self._high))

    def greedy(self, observations: Observations, masks: Array | None = None) -> Array:
        """Return the network's actions, float [N, D]."""
        return np.asarray(self._outputs(observations))


@final
class StochasticPolicy(_NetworkPolicy):
    """Sample actions from the distribution that a network parameterizes.

    Args:
        network: the network that is trained.
        function: function of the features that returns the distribution's parameters [B, P].
        distribution: the distribution of actions.
        seed: seed of the samples.
    """

    def __init__(
        self,
        network: Network,
        function: Callable[[Features], Nested],
        distribution: Distribution,
        seed: int,
    ) -> None:
        super().__init__(network, function)
        self._distribution = distribution
        self._rng = np.random.default_rng(seed)

    def act(self, observations: Observations, timestep: int, masks: Array | None = None) -> Array:
        """Sample the actions to take while learning."""
        return np.asarray(
            self._distribution.sample(self._parameters(observations, masks), self._rng)
        )

    def greedy(self, observations: Observations, masks: Array | None = None) -> Array:
        """Return the most likely actions."""
        return np.asarray(self._distribution.mode_on_host(self._parameters(observations, masks)))

    def state(self) -> State:
        """Return the generator's state."""
        return generator_state(self._rng)

    def restore(self, state: State) -> None:
        """Restore the generator."""
        restore_generator(self._rng, state)

    def _parameters(self, observations: Observations, masks: Array | None) -> Array:
        return self._distribution.masked_on_host(self._outputs(observations), masks)
