"""Normalized advantage functions: Q-learning for continuous actions."""

from __future__ import annotations

import gymnasium
import keras
import numpy as np
import tensorflow as tf
from attrs import define, field

from plx_core import AgentSpec, as_features, make, with_older_names
from plx_core.annotations import LossLike
from plx_core.errors import ComponentError
from plx_core.types import Batch, Features, Space, Tensor
from plx_rl.losses.value_learning import normalized_advantage, value_learning
from plx_rl.models.heads import OUTPUTS
from plx_rl.models.value_model import ValueModel, discounts, weighted_loss
from plx_rl.policies.network_policies import DeterministicPolicy

INITIAL_RANGE = 3e-3
"""The range of the last layers' initial weights, which keeps actions off their bounds.

Source: Lillicrap et al. 2016, section 7.
"""


@with_older_names
@define
class NAFModel(ValueModel):
    """Q-learning with a value quadratic in the action: Q(s, u) = V(s) - ½ (u - μ)ᵀ P (u - μ).

    The greedy action μ is then known in closed form. It covers the bounds of the action space,
    which are -1 and 1 in a `GymEnvironment` unless `scale_actions` is false; exploration noise is a
    fraction of half their distance. Scale rewards to about 1 (`ScaleReward`): if they are much
    smaller, P vanishes before μ is learned and all actions look alike.

    Source: Gu et al. 2016, "Continuous Deep Q-Learning with Model-based Acceleration".

    Args:
        loss: the loss of a value and its target.
    """

    loss: LossLike = field(default="MeanSquaredError", kw_only=True)

    def _agent_spec(self, observations: Features, action_space: Space) -> AgentSpec:
        if not isinstance(action_space, gymnasium.spaces.Box):
            raise ComponentError(
                "NAFModel needs a Box action space; the environment's actions are "
                f"{action_space}: use DQNModel or PPOModel"
            )
        if not action_space.is_bounded():
            raise ComponentError(
                "NAFModel needs actions with a lower and an upper bound; the environment's are "
                f"{action_space}: use PPOModel, or a wrapper that bounds them"
            )
        network = self._network(observations, action_space)
        target = self._network(observations, action_space) if self.use_target_graph else None
        bootstrap_network = network if target is None else target
        loss = make("losses", self.loss)

        def loss_fn(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
            outputs = network(as_features(batch["state"]), training=True)
            next_outputs = bootstrap_network(as_features(batch["next_state"]), training=False)
            advantage = normalized_advantage(batch["action"], outputs["mu"], outputs["entries"])
            value = tf.squeeze(outputs["value"], -1) + advantage
            td_target = value_learning(
                batch["reward"],
                discounts(batch, self.discount),
                tf.squeeze(next_outputs["value"], -1),
            )
            return (
                weighted_loss(loss, td_target, value, batch),
                td_target - value,
                tf.reduce_mean(outputs["value"]),
            )

        return AgentSpec(
            **self._fields(),
            network=network,
            policy=DeterministicPolicy(
                network,
                self._exploration(),
                lambda features: network(features)["mu"],
                low=action_space.low,
                high=action_space.high,
            ),
            learner=self._learner(network, target, loss_fn),
            predict_fn=lambda features, outputs: {
                "action": outputs["mu"],
                "value": outputs["value"],
            },
        )

    def _network(self, observations: Features, action_space: Space) -> keras.Model:
        hidden = self._hidden(observations)
        size = int(np.prod(action_space.shape))
        low, high = action_space.low, action_space.high

        def head(units: int, name: str, activation: str | None = None) -> Tensor:
            initializer = keras.initializers.RandomUniform(-INITIAL_RANGE, INITIAL_RANGE)
            return keras.layers.Dense(
                units, activation, kernel_initializer=initializer, dtype=OUTPUTS, name=name
            )(hidden)

        mu = head(size, "mu", "tanh")
        if (low != -1.0).any() or (high != 1.0).any():
            mu = mu * (0.5 * high - 0.5 * low) + (0.5 * high + 0.5 * low)
        outputs = {
            "mu": mu,
            "value": head(1, "value"),
            "entries": head(size * (size + 1) // 2, "entries"),
        }
        return keras.Model(observations, outputs, name=self.name)
