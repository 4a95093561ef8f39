"""The order in which examples are visited, batches in that order, and arrays as inputs.

An order is a function: which examples make up batch number k follows from the seed, the size of the data and k alone.
Nothing has to be remembered to go on from a batch but its number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tensorflow as tf

from plx_core.data.order import mix_int
from plx_core.networks.graph import as_graph_fn, build_network, symbolic_inputs
from plx_core.state import Modes


class Processors:
    """Layers that a pipeline applies to its features, a graph for each feature.

    Layers that draw random numbers draw them from the pipeline's seed and the number of the batch, and only in training.
    """

    def __init__(
        self, graphs: Mapping[str, Any], features: Mapping[str, tf.TensorSpec], mode: str, seed: int
    ) -> None:
        missing = sorted(set(graphs) - set(features))
        if missing:
            raise ValueError(
                f"feature_processors name {', '.join(missing)}; the features are {', '.join(features)}"
            )
        self._training = Modes.is_train(mode)
        self._seed = seed
        self._raw = dict(features)
        with tf.init_scope(), tf.device("CPU:0"):
            self._networks = {
                name: build_network(as_graph_fn(graph), features, mode, f"{name}_processor")
                for name, graph in graphs.items()
            }
        self.features = dict(features)
        for name, network in self._networks.items():
            if isinstance(network.output, dict):
                raise ValueError(
                    f"feature_processors: {name} has several outputs; a processor yields the one feature it is named after"
                )
            self.features[name] = tf.TensorSpec(network.output.shape, network.output.dtype)

    def __call__(
        self, number: tf.Tensor, features: Mapping[str, tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """The features of batch `number`, processed."""
        processed = dict(features)
        for index, (name, network) in enumerate(self._networks.items()):
            state = [
                self._state(variable, number, index, place)
                for place, variable in enumerate(network.non_trainable_variables)
            ]
            outputs, _ = network.stateless_call(
                network.trainable_variables,
                state,
                self._inputs(name, features),
                training=self._training,
            )
            processed[name] = outputs
        return processed

    def network(self) -> keras.Model:
        """All of it as one network, from the features as they lie in the data to those that the pipeline yields."""
        inputs = symbolic_inputs(self._raw)
        outputs = {
            name: self._networks[name](self._inputs(name, inputs))
            if name in self._networks
            else tensor
            for name, tensor in inputs.items()
        }
        return keras.Model(inputs, outputs, name="processing")

    def _inputs(self, name: str, features: Mapping[str, Any]) -> dict[str, Any]:
        return {tensor.name: features[tensor.name] for tensor in self._networks[name].inputs}

    def _state(self, variable: Any, number: tf.Tensor, network: int, place: int) -> Any:
        if "seed_generator_state" not in variable.path:
            return variable
        seed = [mix_int(self._seed * 1_000_003 + network * 1_009 + place), number]
        bits = tf.random.stateless_uniform(
            [2], seed=tf.stack(seed), minval=None, maxval=None, dtype=tf.uint32
        )
        return tf.cast(bits, variable.dtype)


def processing(processors: Processors | None) -> Callable[[tf.Tensor, Any], Any] | None:
    """What `batches` takes as `process`: the processors applied to the features of a (features, labels) pair."""
    if processors is None:
        return None
    return lambda number, batch: (processors(number, batch[0]), batch[1])
