"""C51 as a model of plx: only the head and the loss differ from the other models of plx_rl."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from attrs import define, field
from keras import ops

from plx_c51.targets import categorical_target, cross_entropy
from plx_core import AgentSpec, as_features
from plx_core.annotations import PositiveInt
from plx_core.types import Batch, Features, Space, Tensor
from plx_rl.masks import best_action, mask_values
from plx_rl.models.reinforcement_model import num_discrete_actions
from plx_rl.models.value_model import ValueModel, discounts
from plx_rl.policies.network_policies import ValuePolicy


@keras.saving.register_keras_serializable("plx_c51")
class Expectation(keras.layers.Layer):
    """Turns the logits [B, A, N] of distributions over evenly spaced atoms into means [B, A].

    Args:
        v_min: the lowest atom.
        v_max: the highest atom.
        name: the layer's name.
    """

    def __init__(self, v_min: float, v_max: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.v_min = v_min
        self.v_max = v_max

    def call(self, inputs: Tensor) -> Tensor:
        """Return the means."""
        support = np.linspace(self.v_min, self.v_max, inputs.shape[-1], dtype="float32")
        return ops.matmul(ops.softmax(inputs), support[:, None])[..., 0]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return [B, A]."""
        return input_shape[:-1]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"v_min": self.v_min, "v_max": self.v_max, "name": self.name}


@define
class C51Model(ValueModel):
    """Learns the distribution of each action's return; the greedy action has the highest mean.

    Source: Bellemare, Dabney and Munos 2017, "A Distributional Perspective on Reinforcement
    Learning".

    Args:
        atoms: the number of returns in the distribution's support.
        v_min: the lowest return; lower ones count as it.
        v_max: the highest return; higher ones count as it.
    """

    atoms: PositiveInt = field(default=51, kw_only=True)
    v_min: float = field(default=-10.0, kw_only=True)
    v_max: float = field(default=10.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.atoms < 2 or self.v_min >= self.v_max:
            raise ValueError(
                "expected at least two atoms, and v_min below v_max; "
                f"got {self.atoms} atoms from {self.v_min} to {self.v_max}"
            )

    def _agent_spec(self, observations: Features, action_space: Space) -> AgentSpec:
        num_actions = num_discrete_actions(
            action_space, type(self).__name__, "NAFModel or PPOModel"
        )
        network = self._network(observations, num_actions)
        target = self._network(observations, num_actions) if self.use_target_graph else None
        bootstrap_network = network if target is None else target
        expectation = Expectation(self.v_min, self.v_max, name="expectation")
        support = tf.linspace(float(self.v_min), float(self.v_max), self.atoms)

        def loss_fn(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
            logits = network(as_features(batch["state"]), training=True)
            logits_t = bootstrap_network(as_features(batch["next_state"]), training=False)
            selector = mask_values(expectation(logits_t), batch.get("next_mask"))
            aim = categorical_target(
                logits_t, selector, batch["reward"], discounts(batch, self.discount), support
            )
            error = cross_entropy(aim, tf.gather(logits, batch["action"], batch_dims=1))
            loss = tf.reduce_mean(error * batch["weights"] if "weights" in batch else error)
            return loss, error, tf.reduce_mean(expectation(logits))

        return AgentSpec(
            **self._fields(),
            network=network,
            policy=ValuePolicy(
                network, self._exploration(), lambda inputs: expectation(network(inputs))
            ),
            learner=self._learner(network, target, loss_fn),
            action_fn=lambda outputs, mask: best_action(mask_values(expectation(outputs), mask)),
            predict_fn=lambda inputs, outputs: {
                "q": expectation(outputs),
                "probabilities": keras.ops.softmax(outputs),
            },
        )

    def _network(self, observations: Features, num_actions: int) -> keras.Model:
        hidden = self._hidden(observations)
        logits = keras.layers.Dense(num_actions * self.atoms, name="logits")(hidden)
        atoms = keras.layers.Reshape((num_actions, self.atoms), name="atoms")(logits)
        return keras.Model(observations, atoms, name=self.name)
