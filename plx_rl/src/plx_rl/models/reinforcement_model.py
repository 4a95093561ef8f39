"""What all models of reinforcement learning share: the spaces that they act in."""

from __future__ import annotations

from typing import Any

import gymnasium
import keras
import numpy as np
from attrs import define, field

from plx_core import AgentSpec, Model, call_graph_fn
from plx_core.annotations import Fraction, PositiveInt
from plx_core.errors import ComponentError
from plx_core.types import Features, Space, Tensor


@define
class ReinforcementModel(Model):
    """A model that an agent acts by.

    Its graph reads observations, under the names that a Dict gives them or else under `state`, and ends in hidden units; the layer
    that gives values or actions comes after it.

    Args:
        num_states: how many numbers an observation has; what the environment says when left out.
        num_actions: how many actions there are, or how many numbers one has; what the environment says when left out.
        is_continuous: whether actions are real numbers; what the environment says when left out.
        discount: γ, how much a reward is worth one step later.
    """

    num_states: PositiveInt | None = field(default=None, kw_only=True)
    num_actions: PositiveInt | None = field(default=None, kw_only=True)
    is_continuous: bool | None = field(default=None, kw_only=True)
    discount: Fraction = field(default=0.99, kw_only=True)

    def __call__(
        self,
        features: Features,
        labels: Tensor = None,
        params: Tensor = None,
        config: Tensor = None,
    ) -> AgentSpec:
        """The specification of this model.

        Args:
            features: symbolic observations by name.
            labels: the space of actions, of gymnasium; what `num_actions` and `is_continuous` say when None.
            params: unused.
            config: unused.
        """
        if self.metrics:
            raise ComponentError(
                f"{type(self).__name__} is measured by the returns of its episodes; leave metrics out"
            )
        space = self._own_space() if labels is None else labels
        self._check_spaces(features, space)
        return self._agent_spec(features, space)

    def _agent_spec(self, features: Features, space: Space) -> AgentSpec:
        """The specification for symbolic observations and a space of actions."""
        raise NotImplementedError

    def _fields(self) -> dict[str, Any]:
        """The fields of a specification that all models fill in alike."""
        return {"mode": self.mode, "summaries": self.summaries, "discount": self.discount}

    def _hidden(self, features: Features, graph_fn: GraphFn | None = None) -> Tensor:
        """The graph's outputs as vectors [B, H]."""
        hidden = call_graph_fn(graph_fn or self._graph_fn(), self.mode, features)
        if isinstance(hidden, dict):
            raise ComponentError(
                f"the graph of a {type(self).__name__} has one output; this one has {', '.join(hidden)}"
            )
        return hidden if len(hidden.shape) == 2 else keras.layers.Flatten(name="hidden")(hidden)

    def _own_space(self) -> Tensor:
        if self.num_actions is None:
            raise ComponentError(
                f"{type(self).__name__} needs num_actions where there is no environment to tell"
            )
        if self.is_continuous:
            return gymnasium.spaces.Box(-1.0, 1.0, (self.num_actions,), np.float32)
        return gymnasium.spaces.Discrete(self.num_actions)

    def _check_spaces(self, features: Features, space: Space) -> None:
        """Refuse an environment whose spaces are not those that the model was told of."""
        is_continuous = isinstance(space, gymnasium.spaces.Box)
        if self.is_continuous is not None and self.is_continuous is not is_continuous:
            raise ComponentError(
                f"is_continuous is {self.is_continuous}, and the environment's actions are {space}"
            )
        actions = (
            int(space.n)
            if isinstance(space, gymnasium.spaces.Discrete)
            else int(np.prod(space.shape))
        )
        if self.num_actions is not None and self.num_actions != actions:
            raise ComponentError(
                f"num_actions is {self.num_actions}, and the environment's actions are {space}"
            )
        states = sum(int(np.prod(tensor.shape[1:])) for tensor in features.values())
        if self.num_states is not None and self.num_states != states:
            raise ComponentError(
                f"num_states is {self.num_states}, and an observation of the environment has {states} numbers"
            )


def one_action(space: Space, model: str, instead: str) -> int:
    """How many actions there are in a Discrete space.

    Raises:
        ComponentError: it is another space.
    """
    if not isinstance(space, gymnasium.spaces.Discrete):
        raise ComponentError(
            f"{model} chooses one of some actions (Discrete); the environment's actions are {space}: take {instead}"
        )
    return int(space.n)
