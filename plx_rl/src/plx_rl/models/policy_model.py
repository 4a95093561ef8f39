"""The base of VPG, TRPO, A2C and PPO: a policy and a value function."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import tensorflow as tf
from attrs import define, field

from plx_core import AgentSpec, Graph, Learner, Modes, as_graph_fn
from plx_core.annotations import Fraction, GraphFn
from plx_core.errors import ComponentError
from plx_core.types import Features, Layer, Space, Tensor
from plx_rl.distributions import DiagonalGaussian, Distribution, distribution_for
from plx_rl.learners.on_policy_learner import ActorCritic, no_value
from plx_rl.models.heads import OUTPUTS, GaussianHead
from plx_rl.models.reinforcement_model import ReinforcementModel
from plx_rl.policies.network_policies import StochasticPolicy
from plx_rl.randomness import default_seed

POLICY_GAIN = 0.01
"""The gain of the policy's last layer: actions are nearly equally likely at first.

Source: Andrychowicz et al. 2021.
"""


@define
class PolicyModel(ReinforcementModel):
    """An on-policy model: it learns from rollouts of its current policy.

    Args:
        value_graph: the network of the value function; a copy of `graph` with separate weights when
            neither this nor `value_graph_fn` is given.
        value_graph_fn: the same as a function of (mode, features).
        share_graph: whether policy and value function share one graph.
        gae_lambda: λ of generalised advantage estimation, from 0 (one step) to 1 (full returns).
        log_std: the initial log standard deviations of continuous actions.
    """

    value_graph: Graph | None = field(default=None, kw_only=True)
    value_graph_fn: GraphFn | None = field(default=None, kw_only=True)
    share_graph: bool = field(default=False, kw_only=True)
    gae_lambda: Fraction = field(default=0.95, kw_only=True)
    log_std: float = field(default=0.0, kw_only=True)

    def _agent_spec(self, observations: Features, action_space: Space) -> AgentSpec:
        try:
            distribution = distribution_for(action_space)
        except ValueError as error:
            raise ComponentError(str(error)) from error
        actor_critic = self._actor_critic(observations, distribution)
        policy_seed = default_seed()
        learner_seed = default_seed()

        def action_fn(outputs: Mapping[str, Tensor], mask: Tensor | None) -> Tensor:
            return distribution.mode(distribution.masked(outputs["policy"], mask))

        return AgentSpec(
            **self._fields(),
            network=actor_critic.network,
            policy=StochasticPolicy(
                actor_critic.network,
                lambda inputs: actor_critic.network(inputs)["policy"],
                distribution,
                policy_seed,
            ),
            learner=self._learner(actor_critic, learner_seed) if self.mode == Modes.TRAIN else None,
            action_fn=action_fn,
            on_policy=True,
            memory="BatchMemory",
        )

    def _learner(self, actor_critic: ActorCritic, seed: int) -> Learner:
        """Build the learner."""
        raise NotImplementedError

    def _has_value(self) -> bool:
        """Whether there is a value function."""
        return True

    def _actor_critic(self, observations: Features, distribution: Distribution) -> ActorCritic:
        if self.share_graph and not (self.value_graph is None and self.value_graph_fn is None):
            raise ComponentError(
                "share_graph puts the value function on the policy's graph; "
                "give either share_graph or a value graph"
            )
        hidden = self._hidden(observations)
        policy = keras.Model(observations, self._policy_head(distribution)(hidden), name="policy")
        if not self._has_value():
            network = keras.Model(observations, {"policy": policy.output}, name=self.name)
            return ActorCritic(
                network, policy, no_value, policy.trainable_variables, [], distribution
            )
        hidden = hidden if self.share_graph else self._hidden(observations, self._value_graph_fn())
        outputs = keras.layers.Dense(
            1, kernel_initializer=keras.initializers.Orthogonal(), dtype=OUTPUTS, name="value"
        )(hidden)
        value = keras.Model(observations, outputs, name="value")
        if self.share_graph:
            network = keras.Model(
                observations, {"policy": policy.output, "value": value.output}, name=self.name
            )
        else:
            outputs = {"policy": policy(observations), "value": value(observations)}
            network = keras.Model(observations, outputs, name=self.name)
        weights = policy.trainable_variables, value.trainable_variables

        def squeezed_value(features: Features, *, training: bool = False) -> Tensor:
            return tf.squeeze(value(features, training=training), -1)

        return ActorCritic(network, policy, squeezed_value, *weights, distribution)

    def _value_graph_fn(self) -> GraphFn:
        graph = self.value_graph if self.value_graph is not None else self.value_graph_fn
        return self._graph_fn() if graph is None else as_graph_fn(graph)

    def _policy_head(self, distribution: Distribution) -> Layer:
        initializer = keras.initializers.Orthogonal(POLICY_GAIN)
        if isinstance(distribution, DiagonalGaussian):
            return GaussianHead(
                distribution.size, self.log_std, initializer, dtype=OUTPUTS, name="policy"
            )
        return keras.layers.Dense(
            distribution.num_outputs, kernel_initializer=initializer, dtype=OUTPUTS, name="policy"
        )
