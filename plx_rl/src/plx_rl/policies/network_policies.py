"""Policies: how a network's outputs become actions, on the host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np

from plx_core import Exploration, Policy, State, as_features
from plx_rl.distributions import Distribution
from plx_rl.masks import mask_values_on_host
from plx_rl.policies.numpy_network import host_function
from plx_rl.randomness import generator_state, restore_generator


class _NetworkPolicy(Policy):
    """Keeps a network for acting; see `plx_rl.policies.numpy_network`."""

    def __init__(self, network: Any, function: Callable[[Any], Any] | None = None) -> None:
        self._network = host_function(network, function)

    def refresh(self) -> None:
        """The weights have changed."""
        self._network.refresh()

    def _outputs(self, observations: Any) -> Any:
        return self._network(as_features(observations))


class _ExploringPolicy(_NetworkPolicy):
    """Departs from the best actions as an exploration says.

    Args:
        network: what is trained.
        exploration: departs from the best actions.
        function: of the features, gives what the actions are chosen by; the network itself when None.
    """

    def __init__(
        self, network: Any, exploration: Exploration, function: Callable[[Any], Any] | None = None
    ) -> None:
        super().__init__(network, function)
        self._exploration = exploration

    def restart(self, ended: np.ndarray) -> None:
        """Episodes have ended."""
        self._exploration.restart(ended)

    def metrics(self, timestep: int) -> Mapping[str, float]:
        """How much is explored."""
        return {"exploration_rate": float(np.mean(self._exploration.rate(timestep)))}

    def state(self) -> State:
        """The exploration's."""
        return {"exploration": self._exploration.state()}

    def restore(self, state: State) -> None:
        """Go on from a state."""
        self._exploration.restore(state["exploration"])


@final
class ValuePolicy(_ExploringPolicy):
    """The action of the highest value, of values [B, A], or another that the exploration chooses."""

    def act(self, observations: Any, timestep: int, masks: np.ndarray | None = None) -> np.ndarray:
        """The actions to take while learning, int [N]."""
        values = mask_values_on_host(self._outputs(observations), masks)
        return self._exploration.explore(values.argmax(axis=-1), timestep, values, masks)

    def greedy(self, observations: Any, masks: np.ndarray | None = None) -> np.ndarray:
        """The best actions, int [N]."""
        return np.asarray(mask_values_on_host(self._outputs(observations), masks).argmax(axis=-1))


@final
class DeterministicPolicy(_ExploringPolicy):
    """The continuous action [B, D] that a network gives, with what the exploration adds."""

    def act(self, observations: Any, timestep: int, masks: np.ndarray | None = None) -> np.ndarray:
        """The actions to take while learning, float [N, D], between -1 and 1."""
        return np.asarray(
            np.clip(self._exploration.explore(self._outputs(observations), timestep), -1.0, 1.0)
        )

    def greedy(self, observations: Any, masks: np.ndarray | None = None) -> np.ndarray:
        """The best actions, float [N, D]."""
        return np.asarray(self._outputs(observations))


@final
class StochasticPolicy(_NetworkPolicy):
    """Actions drawn from the distribution that a network gives.

    Args:
        network: what is trained.
        function: of the features, gives the distribution's parameters [B, P].
        distribution: what they mean.
        seed: of the draws.
    """

    def __init__(
        self, network: Any, function: Callable[[Any], Any], distribution: Distribution, seed: int
    ) -> None:
        super().__init__(network, function)
        self._distribution = distribution
        self._rng = np.random.default_rng(seed)

    def act(self, observations: Any, timestep: int, masks: np.ndarray | None = None) -> np.ndarray:
        """Actions drawn at random."""
        parameters = self._distribution.masked_on_host(self._outputs(observations), masks)
        return np.asarray(self._distribution.sample(parameters, self._rng))

    def greedy(self, observations: Any, masks: np.ndarray | None = None) -> np.ndarray:
        """The likeliest actions."""
        return np.asarray(
            self._distribution.mode_on_host(
                self._distribution.masked_on_host(self._outputs(observations), masks)
            )
        )

    def state(self) -> State:
        """The generator."""
        return generator_state(self._rng)

    def restore(self, state: State) -> None:
        """Go on from a state."""
        restore_generator(self._rng, state)
