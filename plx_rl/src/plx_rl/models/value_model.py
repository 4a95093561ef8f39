"""What DQN, double DQN and NAF share: action values learnt from replayed transitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from attrs import define, field

from plx_core import Modes, as_features, make
from plx_core.annotations import ExplorationLike, Fraction, LossLike, PositiveInt
from plx_rl.learners.replay_learner import ReplayLearner
from plx_rl.models.reinforcement_model import ReinforcementModel
from plx_rl.randomness import default_seed


@define
class ValueModel(ReinforcementModel):
    """A model that learns the value of actions.

    Args:
        loss: of a value and its target; a batch's mean is minimised.
        exploration: departs from the best action while learning.
        use_target_graph: whether targets come from a second network that follows the first.
        target_update_frequency: after how many updates it follows.
        tau: how far it goes each time; 1 makes it equal.
    """

    loss: LossLike = field(default="Huber", kw_only=True)
    exploration: ExplorationLike = field(default="Decay", kw_only=True)
    use_target_graph: bool = field(default=True, kw_only=True)
    target_update_frequency: PositiveInt = field(default=10, kw_only=True)
    tau: Fraction = field(default=1.0, kw_only=True)

    def _fields(self) -> dict[str, Any]:
        return super()._fields() | {"memory": "Memory"}

    def _exploration(self) -> Any:
        seed = default_seed()
        exploration = make("explorations", self.exploration, seed=seed)
        if exploration.seed is None:
            exploration.reseed(seed)
        return exploration

    def _learner(
        self, network: Any, target: Any, loss_fn: Any, *, needs_demonstrations: bool = False
    ) -> ReplayLearner | None:
        if self.mode != Modes.TRAIN:
            return None
        return ReplayLearner(
            network,
            target,
            make("optimizers", self.optimizer),
            loss_fn,
            target_update_frequency=self.target_update_frequency,
            tau=self.tau,
            needs_demonstrations=needs_demonstrations,
            clip_gradients=self.clip_gradients,
            clip_embed_gradients=self.clip_embed_gradients,
        )


def discounts(batch: Mapping[str, Any], discount: float) -> Any:
    """γⁿ after n steps, 0 where the environment terminated, [B]."""
    steps = tf.cast(batch["steps"], tf.float32) if "steps" in batch else 1.0
    return tf.pow(discount, steps) * (1.0 - tf.cast(batch["terminated"], tf.float32))


def weighted_loss(loss: Any, target: Any, value: Any, batch: Mapping[str, Any]) -> Any:
    """The mean loss of values and targets [B], each weighed by the memory's correction of its draw."""
    return loss(target[:, None], value[:, None], sample_weight=batch.get("weights"))


def observations(batch: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The features of a batch's `state` or `next_state`."""
    return as_features(batch[name])
