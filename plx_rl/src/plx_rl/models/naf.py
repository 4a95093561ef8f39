"""Normalized advantage functions: Q-learning for continuous actions."""

from __future__ import annotations

import gymnasium
import keras
import numpy as np
import tensorflow as tf
from attrs import define, field

from plx_core import AgentSpec, make, with_older_names
from plx_core.annotations import ExplorationLike, LossLike
from plx_core.errors import ComponentError
from plx_core.types import Batch, Features, Space, Tensor
from plx_rl.losses.value_learning import normalized_advantage, value_learning
from plx_rl.models.heads import OUTPUTS
from plx_rl.models.value_model import ValueModel, discounts, observations, weighted_loss
from plx_rl.policies.network_policies import DeterministicPolicy

SMALL = 3e-3
"""How far from 0 the last layers' weights are at first, so that no action is at its bound. Source: Lillicrap et al. 2016, section 7."""


@with_older_names
@define
class NAFModel(ValueModel):
    """Learns a value that is quadratic in the action, so that the best action is known: Q(s, u) = V(s) - ½ (u - μ)ᵀ P (u - μ).

    Actions lie between -1 and 1, as `GymEnvironment` has them. Let `ScaleReward` bring rewards to about the size of 1: where they are
    far smaller, P vanishes before μ is learnt, and actions are never told apart again.

    Source: Gu et al. 2016, "Continuous Deep Q-Learning with Model-based Acceleration".

    Args:
        loss: of a value and its target.
        exploration: departs from the best action while learning.
    """

    loss: LossLike = field(default="MeanSquaredError", kw_only=True)
    exploration: ExplorationLike = field(default="OrnsteinUhlenbeck", kw_only=True)

    def _agent_spec(self, features: Features, space: Space) -> AgentSpec:
        if not isinstance(space, gymnasium.spaces.Box):
            raise ComponentError(
                f"NAFModel gives real numbers (Box); the environment's actions are {space}: take DQNModel, or PPOModel"
            )
        size = int(np.prod(space.shape))
        network = self._network(features, size)
        target = self._network(features, size) if self.use_target_graph else None
        loss = make("losses", self.loss)

        def loss_fn(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
            outputs = network(observations(batch, "state"), training=True)
            following = (network if target is None else target)(
                observations(batch, "next_state"), training=False
            )
            advantage = normalized_advantage(batch["action"], outputs["mu"], outputs["entries"])
            value = tf.squeeze(outputs["value"], -1) + advantage
            aim = value_learning(
                batch["reward"], discounts(batch, self.discount), tf.squeeze(following["value"], -1)
            )
            return (
                weighted_loss(loss, aim, value, batch),
                aim - value,
                tf.reduce_mean(outputs["value"]),
            )

        return AgentSpec(
            **self._fields(),
            network=network,
            policy=DeterministicPolicy(
                network, self._exploration(), lambda features: network(features)["mu"]
            ),
            learner=self._learner(network, target, loss_fn),
            predict_fn=lambda features, outputs: {
                "action": outputs["mu"],
                "value": outputs["value"],
            },
        )

    def _network(self, features: Features, size: int) -> keras.Model:
        hidden = self._hidden(features)

        def head(units: int, name: str, activation: str | None = None) -> Tensor:
            initializer = keras.initializers.RandomUniform(-SMALL, SMALL)
            return keras.layers.Dense(
                units, activation, kernel_initializer=initializer, dtype=OUTPUTS, name=name
            )(hidden)

        outputs = {
            "mu": head(size, "mu", "tanh"),
            "value": head(1, "value"),
            "entries": head(size * (size + 1) // 2, "entries"),
        }
        return keras.Model(features, outputs, name=self.name)
