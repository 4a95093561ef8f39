"""Deep Q-networks."""

from __future__ import annotations

from typing import Literal, TypeAlias

import keras
import tensorflow as tf
from attrs import define, field

from plx_core import AgentSpec, make, with_older_names
from plx_core.annotations import PositiveFloat
from plx_core.types import Batch, Features, Network, Space, Tensor
from plx_rl.losses.value_learning import double_q_learning, large_margin, q_learning
from plx_rl.masks import mask_values
from plx_rl.models.heads import OUTPUTS, DuelingHead
from plx_rl.models.reinforcement_model import one_action
from plx_rl.models.value_model import ValueModel, discounts, observations, weighted_loss
from plx_rl.policies.network_policies import ValuePolicy

Dueling: TypeAlias = Literal[True, "mean", "max", "naive"] | None


@with_older_names
@define
class DQNModel(ValueModel):
    """Learns the value of each of some actions, and takes the best.

    Source: Mnih et al. 2015, "Human-level control through deep reinforcement learning"; dueling: Wang et al. 2016.

    Args:
        dueling: whether a state's value and the actions' advantages are learnt apart, and what is taken off the advantages: their
            `mean` (which True stands for), their `max`, or nothing (`naive`).
        use_expert_demo: whether an expert's actions are to be worth more than all others, as `DemonstrationMemory` gives them.
            Source: Hester et al. 2018, "Deep Q-learning from Demonstrations", equation 2.
        expert_margin: how much more.
        expert_weight: λ₂, how much falling short of that counts in the loss.
    """

    dueling: Dueling = field(default=None, kw_only=True)
    use_expert_demo: bool = field(default=False, kw_only=True)
    expert_margin: PositiveFloat = field(default=0.8, kw_only=True)
    expert_weight: PositiveFloat = field(default=1.0, kw_only=True)

    def _agent_spec(self, features: Features, space: Space) -> AgentSpec:
        num_actions = one_action(space, type(self).__name__, "NAFModel, or PPOModel")
        network = self._network(features, num_actions)
        target = self._network(features, num_actions) if self.use_target_graph else None
        loss = make("losses", self.loss)

        def loss_fn(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
            q_tm1 = network(observations(batch, "state"), training=True)
            q_t = (network if target is None else target)(
                observations(batch, "next_state"), training=False
            )
            aim, value = self._target(batch, q_tm1, q_t, network)
            total = weighted_loss(loss, aim, value, batch)
            if self.use_expert_demo:
                total += self.expert_weight * self._expert_loss(batch, q_tm1)
            return total, aim - value, tf.reduce_mean(q_tm1)

        return AgentSpec(
            **self._fields(),
            network=network,
            policy=ValuePolicy(network, self._exploration()),
            learner=self._learner(
                network, target, loss_fn, needs_demonstrations=self.use_expert_demo
            ),
            predict_fn=lambda features, outputs: {
                "action": tf.argmax(outputs, axis=-1),
                "q": outputs,
            },
        )

    def _target(
        self, batch: Batch, q_tm1: Tensor, q_t: Tensor, network: Network
    ) -> tuple[Tensor, Tensor]:
        """The target, and the value that should meet it."""
        return q_learning(
            q_tm1,
            batch["action"],
            batch["reward"],
            discounts(batch, self.discount),
            q_t,
            batch.get("next_mask"),
        )

    def _expert_loss(self, batch: Batch, q: Tensor) -> Tensor:
        """How far the expert's actions fall short of their margin, as a mean over all transitions of the batch."""
        short = large_margin(mask_values(q, batch.get("mask")), batch["action"], self.expert_margin)
        return tf.reduce_mean(tf.where(batch["demonstration"], short, 0.0))

    def _network(self, features: Features, num_actions: int) -> keras.Model:
        hidden = self._hidden(features)
        if self.dueling is None:
            outputs = keras.layers.Dense(num_actions, dtype=OUTPUTS, name="q")(hidden)
        else:
            outputs = DuelingHead(
                num_actions,
                "mean" if self.dueling is True else self.dueling,
                dtype=OUTPUTS,
                name="q",
            )(hidden)
        return keras.Model(features, outputs, name=self.name)


@with_older_names
@define
class DDQNModel(DQNModel):
    """Double DQN: the network that learns chooses the next action, the target network values it.

    Source: van Hasselt, Guez and Silver 2016, "Deep Reinforcement Learning with Double Q-learning".
    """

    def _target(
        self, batch: Batch, q_tm1: Tensor, q_t: Tensor, network: Network
    ) -> tuple[Tensor, Tensor]:
        """The target, and the value that should meet it."""
        selector = network(observations(batch, "next_state"), training=False)
        return double_q_learning(
            q_tm1,
            batch["action"],
            batch["reward"],
            discounts(batch, self.discount),
            q_t,
            selector,
            batch.get("next_mask"),
        )
