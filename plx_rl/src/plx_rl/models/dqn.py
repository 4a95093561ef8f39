"""Deep Q-networks."""

from __future__ import annotations

from typing import Literal, TypeAlias

import keras
import tensorflow as tf
from attrs import define, field

from plx_core import AgentSpec, as_features, make, with_older_names
from plx_core.annotations import PositiveFloat
from plx_core.types import Batch, Features, Network, Space, Tensor
from plx_rl.losses.value_learning import double_q_learning, large_margin, q_learning
from plx_rl.masks import best_action, mask_values
from plx_rl.models.heads import OUTPUTS, DuelingHead
from plx_rl.models.reinforcement_model import num_discrete_actions
from plx_rl.models.value_model import ValueModel, discounts, weighted_loss
from plx_rl.policies.network_policies import ValuePolicy

Dueling: TypeAlias = Literal[True, False, "mean", "max", "naive"] | None


@with_older_names
@define
class DQNModel(ValueModel):
    """A deep Q-network: learns action values and acts greedily on them.

    Source: Mnih et al. 2015, "Human-level control through deep reinforcement learning"; dueling:
    Wang et al. 2016.

    Args:
        dueling: the aggregation of a dueling network, which subtracts from the advantages their
            `mean` (or True), their `max`, or nothing (`naive`); None or False for a plain network.
        use_expert_demo: whether to add a large-margin loss on the transitions of an expert, which a
            `DemonstrationMemory` marks. Source: Hester et al. 2018, "Deep Q-learning from
            Demonstrations", equation 2.
        expert_margin: the margin by which the expert's action should exceed the others.
        expert_weight: λ₂, the weight of that loss.
    """

    dueling: Dueling = field(default="mean", kw_only=True)
    use_expert_demo: bool = field(default=False, kw_only=True)
    expert_margin: PositiveFloat = field(default=0.8, kw_only=True)
    expert_weight: PositiveFloat = field(default=1.0, kw_only=True)

    def _agent_spec(self, observations: Features, action_space: Space) -> AgentSpec:
        num_actions = num_discrete_actions(
            action_space, type(self).__name__, "NAFModel or PPOModel"
        )
        network = self._network(observations, num_actions)
        target = self._network(observations, num_actions) if self.use_target_graph else None
        bootstrap_network = network if target is None else target
        loss = make("losses", self.loss)

        def loss_fn(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
            q_tm1 = network(as_features(batch["state"]), training=True)
            q_t = bootstrap_network(as_features(batch["next_state"]), training=False)
            td_target, value = self._target(batch, q_tm1, q_t, network)
            total = weighted_loss(loss, td_target, value, batch)
            if self.use_expert_demo:
                total += self.expert_weight * self._expert_loss(batch, q_tm1)
            return total, td_target - value, tf.reduce_mean(q_tm1)

        return AgentSpec(
            **self._fields(),
            network=network,
            policy=ValuePolicy(network, self._exploration()),
            learner=self._learner(
                network, target, loss_fn, needs_demonstrations=self.use_expert_demo
            ),
            action_fn=lambda outputs, mask: best_action(mask_values(outputs, mask)),
            predict_fn=lambda features, outputs: {"q": outputs},
        )

    def _target(
        self, batch: Batch, q_tm1: Tensor, q_t: Tensor, network: Network
    ) -> tuple[Tensor, Tensor]:
        """Return the targets and the values that regress to them, each [B]."""
        return q_learning(
            q_tm1,
            batch["action"],
            batch["reward"],
            discounts(batch, self.discount),
            q_t,
            batch.get("next_mask"),
        )

    def _expert_loss(self, batch: Batch, q: Tensor) -> Tensor:
        """Return the large-margin loss of the expert's transitions, a mean over the batch."""
        losses = large_margin(
            mask_values(q, batch.get("mask")), batch["action"], self.expert_margin
        )
        return tf.reduce_mean(tf.where(batch["demonstration"], losses, 0.0))

    def _network(self, observations: Features, num_actions: int) -> keras.Model:
        hidden = self._hidden(observations)
        if self.dueling is None or self.dueling is False:
            outputs = keras.layers.Dense(num_actions, dtype=OUTPUTS, name="q")(hidden)
        else:
            outputs = DuelingHead(
                num_actions,
                "mean" if self.dueling is True else self.dueling,
                dtype=OUTPUTS,
                name="q",
            )(hidden)
        return keras.Model(observations, outputs, name=self.name)


@with_older_names
@define
class DDQNModel(DQNModel):
    """Double DQN: the online network selects the next action, the target network evaluates it.

    Source: van Hasselt, Guez and Silver 2016, "Deep Reinforcement Learning with Double Q-learning".
    """

    def _target(
        self, batch: Batch, q_tm1: Tensor, q_t: Tensor, network: Network
    ) -> tuple[Tensor, Tensor]:
        """Return the targets and the values that regress to them, each [B]."""
        selector = network(as_features(batch["next_state"]), training=False)
        return double_q_learning(
            q_tm1,
            batch["action"],
            batch["reward"],
            discounts(batch, self.discount),
            q_t,
            selector,
            batch.get("next_mask"),
        )
