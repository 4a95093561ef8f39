"""Layers that a pipeline applies to its features."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import tensorflow as tf

from plx_core.data.order import mix_int
from plx_core.networks.graph import Graph, as_graph_fn, build_network, symbolic_inputs
from plx_core.state import Modes
from plx_core.types import Features, Nested, Network, Tensor, Variable


class Processors:
    """Layers that a pipeline applies to its features, a graph for each feature.

    Layers that draw random numbers do so only in training. The numbers depend on the pipeline's
    seed and the number of the batch.

    Args:
        graphs: a graph for each feature to process, by name.
        features: the specifications of all features, by name.
        mode: one of `Modes`.
        seed: the seed of random layers.

    Raises:
        ValueError: a graph is for an unknown feature, or has several outputs.
    """

    def __init__(
        self, graphs: Mapping[str, Graph], features: Features, mode: str, seed: int
    ) -> None:
        missing = sorted(set(graphs) - set(features))
        if missing:
            raise ValueError(
                f"feature_processors name {', '.join(missing)}; the features are "
                f"{', '.join(features)}"
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
                    f"feature_processors: {name} has several outputs; a processor must have one, "
                    "the processed feature"
                )
            self.features[name] = tf.TensorSpec(network.output.shape, network.output.dtype)

    def __call__(self, number: Tensor, features: Features) -> dict[str, Tensor]:
        """Return the features of batch `number`, processed."""
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

    def network(self) -> Network:
        """Return one network that maps the raw features to the processed ones."""
        inputs = symbolic_inputs(self._raw)
        outputs = dict(inputs)
        for name, network in self._networks.items():
            outputs[name] = network(self._inputs(name, inputs))
        return keras.Model(inputs, outputs, name="processing")

    def _inputs(self, name: str, features: Features) -> dict[str, Tensor]:
        return {tensor.name: features[tensor.name] for tensor in self._networks[name].inputs}

    def _state(self, variable: Variable, number: Tensor, network: int, place: int) -> Tensor:
        """Return the value of a variable for a batch; a seed generator gets a new seed."""
        if "seed_generator_state" not in variable.path:
            return variable
        seed = [mix_int(self._seed * 1_000_003 + network * 1_009 + place), number]
        bits = tf.random.stateless_uniform(
            [2], seed=tf.stack(seed), minval=None, maxval=None, dtype=tf.uint32
        )
        return tf.cast(bits, variable.dtype)


def process_fn(processors: Processors | None) -> Callable[[Tensor, Nested], Nested] | None:
    """Return the `process` argument of `batches`; None when there are no processors."""
    if processors is None:
        return None
    return lambda number, batch: (processors(number, batch[0]), batch[1])
