"""The base of the models of agents: the graph, and the spaces of observations and actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import keras
import numpy as np
from attrs import define, field

from plx_core import AgentSpec, Model, RunConfig, call_graph_fn
from plx_core.annotations import Fraction, GraphFn, PositiveInt
from plx_core.errors import ComponentError
from plx_core.types import Features, Space, Tensor


@define
class ReinforcementModel(Model):
    """The base class of the models of agents.

    The graph reads observations, by the names of a Dict space or else as `state`, and ends in
    hidden units; the model adds the layer that computes values or actions.

    Args:
        num_states: the number of values in an observation; the environment's when left out.
        num_actions: the number of discrete actions, or of values in a continuous one; the
            environment's when left out.
        is_continuous: whether actions are real numbers; the environment's when left out.
        discount: the discount factor γ.
    """

    num_states: PositiveInt | None = None
    num_actions: PositiveInt | None = None
    is_continuous: bool | None = field(default=None, kw_only=True)
    discount: Fraction = field(default=0.99, kw_only=True)

    def __call__(
        self,
        observations: Features,
        action_space: Space | None = None,
        params: Mapping[str, Any] | None = None,
        config: RunConfig | None = None,
    ) -> AgentSpec:
        """Build the specification of this model.

        Args:
            observations: symbolic observations by name.
            action_space: the gymnasium space of actions; that of `num_actions` and
                `is_continuous` when None.
            params: unused.
            config: unused.

        Raises:
            ComponentError: the model does not fit the spaces.
        """
        if self.metrics:
            raise ComponentError(
                f"{type(self).__name__} is evaluated by episode returns; leave metrics out"
            )
        if action_space is None:
            action_space = self._declared_space()
        self._check_spaces(observations, action_space)
        return self._agent_spec(observations, action_space)

    def _agent_spec(self, observations: Features, action_space: Space) -> AgentSpec:
        """Build the specification for symbolic observations and an action space."""
        raise NotImplementedError

    def _fields(self) -> dict[str, Any]:
        """Return the fields of the specification that all models share."""
        return {"mode": self.mode, "summaries": self.summaries, "discount": self.discount}

    def _hidden(self, observations: Features, graph_fn: GraphFn | None = None) -> Tensor:
        """Return the graph's outputs as vectors [B, H]."""
        hidden = call_graph_fn(graph_fn or self._graph_fn(), self.mode, observations)
        if isinstance(hidden, dict):
            raise ComponentError(
                f"the graph of a {type(self).__name__} has one output; "
                f"this one has {', '.join(hidden)}"
            )
        return hidden if len(hidden.shape) == 2 else keras.layers.Flatten(name="hidden")(hidden)

    def _declared_space(self) -> Space:
        if self.num_actions is None:
            raise ComponentError(
                f"{type(self).__name__} needs num_actions where there is no environment"
            )
        if self.is_continuous:
            return gymnasium.spaces.Box(-1.0, 1.0, (self.num_actions,), np.float32)
        return gymnasium.spaces.Discrete(self.num_actions)

    def _check_spaces(self, observations: Features, space: Space) -> None:
        """Raise where the environment's spaces are not those of the model's parameters."""
        is_continuous = isinstance(space, gymnasium.spaces.Box)
        if self.is_continuous is not None and self.is_continuous is not is_continuous:
            raise ComponentError(
                f"is_continuous is {self.is_continuous}, but the environment's actions are {space}"
            )
        is_discrete = isinstance(space, gymnasium.spaces.Discrete)
        actions = int(space.n) if is_discrete else int(np.prod(space.shape))
        if self.num_actions is not None and self.num_actions != actions:
            raise ComponentError(
                f"num_actions is {self.num_actions}, but the environment's actions are {space}"
            )
        states = sum(int(np.prod(tensor.shape[1:])) for tensor in observations.values())
        if self.num_states is not None and self.num_states != states:
            raise ComponentError(
                f"num_states is {self.num_states}, but an observation has {states} values"
            )


def num_discrete_actions(space: Space, model: str, instead: str) -> int:
    """Return the number of actions of a Discrete space.

    Args:
        space: the action space.
        model: the model's name, for the error message.
        instead: the models to suggest for other spaces.

    Raises:
        ComponentError: it is another space.
    """
    if not isinstance(space, gymnasium.spaces.Discrete):
        raise ComponentError(
            f"{model} needs a Discrete action space; the environment's actions are {space}: "
            f"use {instead}"
        )
    return int(space.n)
