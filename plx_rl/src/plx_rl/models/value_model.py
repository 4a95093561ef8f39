"""The base of DQN, double DQN and NAF: action values learned from replayed transitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf
from attrs import define, field

from plx_core import Exploration, Modes, Summary, make
from plx_core.annotations import (
    ExplorationLike,
    Fraction,
    LossLike,
    PositiveFloat,
    PositiveInt,
)
from plx_core.types import Batch, Network, Tensor
from plx_rl.learners.replay_learner import LossFn, ReplayLearner
from plx_rl.models.reinforcement_model import ReinforcementModel
from plx_rl.randomness import default_seed


@define
class ValueModel(ReinforcementModel):
    """An off-policy model that learns action values from a replay memory.

    Its defaults are those of polyaxon-lib's `BaseQModel`.

    Args:
        loss: the loss of a value and its target, averaged over a batch.
        exploration: departs from the greedy action during training; never when None.
        discount: the discount factor γ.
        summaries: what to write to TensorBoard.
        clip_gradients: the largest global norm of the gradients.
        clip_embed_gradients: the largest norm of the gradient of each embedding.
        use_target_graph: whether to bootstrap from a target network.
        target_update_frequency: the number of updates between two updates of the target network.
        tau: the Polyak averaging coefficient of the target network; 1 is a hard update.
    """

    loss: LossLike = field(default="Huber", kw_only=True)
    exploration: ExplorationLike | None = field(default=None, kw_only=True)
    discount: Fraction = field(default=0.97, kw_only=True)
    use_target_graph: bool = field(default=True, kw_only=True)
    summaries: Summary | list[Summary] = field(default="all", kw_only=True)
    clip_gradients: PositiveFloat | None = field(default=0.5, kw_only=True)
    clip_embed_gradients: PositiveFloat | None = field(default=0.1, kw_only=True)
    target_update_frequency: PositiveInt = field(default=5, kw_only=True)
    tau: Fraction = field(default=1.0, kw_only=True)

    def _fields(self) -> dict[str, Any]:
        return super()._fields() | {"memory": "Memory"}

    def _exploration(self) -> Exploration:
        seed = default_seed()
        component = "Greedy" if self.exploration is None else self.exploration
        exploration: Exploration = make("explorations", component, seed=seed)
        if exploration.seed is None:
            exploration.reseed(seed)
        return exploration

    def _learner(
        self,
        network: Network,
        target: Network | None,
        loss_fn: LossFn,
        *,
        needs_demonstrations: bool = False,
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


def discounts(batch: Batch, discount: float) -> Tensor:
    """Return the discounts of the bootstrap values, [B]: γⁿ, or 0 where the episode terminated."""
    steps = tf.cast(batch["steps"], tf.float32) if "steps" in batch else 1.0
    return tf.pow(discount, steps) * (1.0 - tf.cast(batch["terminated"], tf.float32))


def weighted_loss(
    loss: Callable[..., Tensor], targets: Tensor, values: Tensor, batch: Batch
) -> Tensor:
    """Return the mean loss of values and targets [B], with the memory's importance weights."""
    return loss(targets[:, None], values[:, None], sample_weight=batch.get("weights"))
