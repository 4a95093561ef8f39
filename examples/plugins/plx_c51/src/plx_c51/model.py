"""C51 as a model of plx: its parts are those of plx_rl but for the head and the loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from attrs import define, field
from keras import ops

from plx_c51.targets import categorical_target, cross_entropy
from plx_core import AgentSpec
from plx_core.annotations import PositiveInt
from plx_rl.masks import mask_values
from plx_rl.models.reinforcement_model import one_action
from plx_rl.models.value_model import ValueModel, discounts, observations
from plx_rl.policies.network_policies import ValuePolicy


@keras.saving.register_keras_serializable("plx_c51")
class Expectation(keras.layers.Layer):
    """The means [B, A] of distributions over evenly spaced atoms, from their logits [B, A, N].

    Args:
        v_min: the lowest atom.
        v_max: the highest.
        name: the layer's name.
    """

    def __init__(self, v_min: float, v_max: float, name: str | None = None) -> None:
        super().__init__(name=name)
        self.v_min, self.v_max = v_min, v_max

    def call(self, inputs: Any) -> Any:
        """The means."""
        support = np.linspace(self.v_min, self.v_max, inputs.shape[-1], dtype="float32")
        return ops.matmul(ops.softmax(inputs), support[:, None])[..., 0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """[B, A]."""
        return input_shape[:-1]

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"v_min": self.v_min, "v_max": self.v_max, "name": self.name}


@define
class C51Model(ValueModel):
    """Learns the distribution of each action's return, on a fixed support, and takes the action of the best mean.

    Source: Bellemare, Dabney and Munos 2017, "A Distributional Perspective on Reinforcement Learning".

    Args:
        atoms: how many values the distribution is over.
        v_min: the lowest of them; a return below it counts as it.
        v_max: the highest of them.
    """

    atoms: PositiveInt = field(default=51, kw_only=True)
    v_min: float = field(default=-10.0, kw_only=True)
    v_max: float = field(default=10.0, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.atoms < 2 or self.v_min >= self.v_max:
            raise ValueError(
                f"two atoms or more lie between v_min and a higher v_max; got {self.atoms} from {self.v_min} to {self.v_max}"
            )

    def _agent_spec(self, features: Any, space: Any) -> AgentSpec:
        num_actions = one_action(space, type(self).__name__, "NAFModel, or PPOModel")
        network = self._network(features, num_actions)
        target = self._network(features, num_actions) if self.use_target_graph else None
        expectation = Expectation(self.v_min, self.v_max, name="expectation")
        support = tf.linspace(float(self.v_min), float(self.v_max), self.atoms)

        def loss_fn(batch: Mapping[str, Any]) -> tuple[Any, Any, Any]:
            logits = network(observations(batch, "state"), training=True)
            logits_t = (network if target is None else target)(
                observations(batch, "next_state"), training=False
            )
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
                network, self._exploration(), lambda features: expectation(network(features))
            ),
            learner=self._learner(network, target, loss_fn),
            predict_fn=lambda features, outputs: {
                "action": tf.argmax(expectation(outputs), axis=-1),
                "q": expectation(outputs),
                "probabilities": tf.nn.softmax(outputs),
            },
        )

    def _network(self, features: Any, num_actions: int) -> keras.Model:
        logits = keras.layers.Dense(num_actions * self.atoms, name="logits")(self._hidden(features))
        return keras.Model(
            features,
            keras.layers.Reshape((num_actions, self.atoms), name="atoms")(logits),
            name=self.name,
        )
