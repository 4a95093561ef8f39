"""The training program: many steps in one call of TensorFlow, with metrics, and state that a checkpoint can keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from plx_core.errors import CheckpointError, did_you_mean
from plx_core.interfaces import State, Stateful
from plx_core.naming import variables_by_name
from plx_core.specs import EstimatorSpec

FINITE = -1
"""The value of `bad_step` while every loss was finite."""


class TrainingProgram(Stateful):
    """Runs the steps of a specification.

    Args:
        spec: what to run; its optimizer is built here.
        xla: whether each step is compiled with XLA.
    """

    def __init__(self, spec: EstimatorSpec, *, xla: bool = False) -> None:
        self.spec = spec
        self.variables = variables_by_name(spec.network)
        self._weights = spec.network.trainable_variables
        if spec.loss_fn is None or spec.optimizer is None:
            raise ValueError("training needs a loss and an optimizer")
        spec.optimizer.build(self._weights)
        self._loss_sum = tf.Variable(0.0, trainable=False)
        self._loss_count = tf.Variable(0.0, trainable=False)
        self._part_sums: dict[str, tf.Variable] = {}
        self._run = tf.function(self._run_steps, reduce_retracing=True)
        self._step = tf.function(self._train_step, jit_compile=True) if xla else self._train_step
        self._read = tf.function(self._results)
        self._reset = tf.function(self._reset_metrics)
        self._summarise = tf.function(self._summary_step)

    @property
    def global_step(self) -> int:
        """How many updates there have been, over all the runs that a checkpoint joins."""
        return int(self.spec.optimizer.iterations.numpy())

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return float(self.spec.optimizer.learning_rate.numpy())

    def run(self, iterator: Any, steps: int) -> int:
        """Take steps; the first one, counted from this call's start, whose loss is not finite, or `FINITE`.

        Raises:
            tf.errors.OutOfRangeError: the data ended before the last of them; `global_step` says where.
        """
        return int(self._run(iterator, tf.constant(steps, tf.int64)).numpy())

    def summary_step(self, iterator: Any) -> dict[str, Any]:
        """Take one step, and return what the specification's summaries ask for: arrays by tag."""
        return {tag: value.numpy() for tag, value in self._summarise(iterator).items()}

    def results(self) -> dict[str, float]:
        """The loss and the metrics since they were last reset: means over those steps."""
        return {name: float(value.numpy()) for name, value in self._read().items() if value.shape.rank == 0}

    def reset_metrics(self) -> None:
        """Start counting metrics afresh."""
        self._reset()

    def state(self) -> State:
        """Weights, optimizer, metrics and random state."""
        return {name: {key: _array(variable) for key, variable in group.items()} for name, group in self._groups().items()}

    def restore(self, state: State) -> None:
        """Go on from a state.

        Raises:
            CheckpointError: the state is another network's.
        """
        for name, group in self._groups().items():
            assign_variables(group, state.get(name, {}), name)

    def _groups(self) -> dict[str, dict[str, Any]]:
        counters = {"loss_sum": self._loss_sum, "loss_count": self._loss_count}
        metrics = {
            f"{name}/{index}": variable for name, metric in self.spec.metrics.items() for index, variable in enumerate(metric.variables)
        }
        optimizer = {f"{index:04d}": variable for index, variable in enumerate(self.spec.optimizer.variables)}
        return {"variables": self.variables, "optimizer": optimizer, "metrics": metrics | counters}

    def _run_steps(self, iterator: Any, steps: tf.Tensor) -> tf.Tensor:
        bad_step = tf.constant(FINITE, tf.int64)
        for step in tf.range(steps):
            features, labels = next(iterator)
            loss = self._step(features, labels)
            bad_step = tf.where(tf.math.is_finite(loss) | (bad_step >= 0), bad_step, step)
        return bad_step

    def _train_step(self, features: Any, labels: Any) -> tf.Tensor:
        outputs, loss, gradients = self._gradients(features, labels)
        return self._update(features, labels, outputs, loss, gradients)

    def _gradients(self, features: Any, labels: Any) -> tuple[Any, tf.Tensor, list[Any]]:
        spec = self.spec
        with tf.GradientTape() as tape:
            outputs = spec.network(features, training=True)
            loss = total_loss(spec, features, labels, outputs)
            scaled = spec.optimizer.scale_loss(loss)
        return outputs, loss, tape.gradient(scaled, self._weights)

    def _update(self, features: Any, labels: Any, outputs: Any, loss: tf.Tensor, gradients: list[Any]) -> tf.Tensor:
        spec = self.spec
        clipped = clip(gradients, self._weights, spec.clip_gradients, spec.clip_embed_gradients)
        spec.optimizer.apply(clipped, self._weights)
        spec.update_metrics(features, labels, outputs)
        self._loss_sum.assign_add(tf.cast(loss, tf.float32))
        self._loss_count.assign_add(1.0)
        return loss

    def _results(self) -> dict[str, tf.Tensor]:
        loss = tf.math.divide_no_nan(self._loss_sum, self._loss_count)
        return {"loss": loss} | {name: tf.convert_to_tensor(metric.result()) for name, metric in self.spec.metrics.items()}

    def _reset_metrics(self) -> None:
        self._loss_sum.assign(0.0)
        self._loss_count.assign(0.0)
        for metric in self.spec.metrics.values():
            metric.reset_state()

    def _summary_step(self, iterator: Any) -> dict[str, tf.Tensor]:
        features, labels = next(iterator)
        outputs, loss, gradients = self._gradients(features, labels)
        found = {"loss_of_step": loss}
        if "gradients" in self.spec.summaries:
            named = {variable.path: name for name, variable in self.variables.items()}
            pairs = [
                (named[variable.path], gradient)
                for variable, gradient in zip(self._weights, gradients, strict=True)
                if gradient is not None
            ]
            found |= {f"gradients/{name}": tf.convert_to_tensor(gradient) for name, gradient in pairs}
            found["gradients/global_norm"] = tf.linalg.global_norm([gradient for _, gradient in pairs])
        if "activations" in self.spec.summaries:
            found |= activations(self.spec.network, features)
        if "image_input" in self.spec.summaries:
            found |= {f"image_input/{name}": value[:4] for name, value in features.items() if _is_image(value)}
        if "image_result" in self.spec.summaries and _is_image(outputs):
            found["image_result"] = outputs[:4]
        self._update(features, labels, outputs, loss, gradients)
        return found


def total_loss(spec: EstimatorSpec, features: Any, labels: Any, outputs: Any) -> tf.Tensor:
    """The loss of a batch, the parts of several heads and the penalties of regularizers added up: a scalar."""
    loss = spec.loss_fn(features, labels, outputs) if spec.loss_fn else 0.0
    parts = list(loss.values()) if isinstance(loss, Mapping) else [loss]
    return tf.add_n([tf.cast(part, parts[0].dtype) for part in (*parts, *spec.network.losses)])


def clip(gradients: list[Any], weights: list[Any], norm: float | None, embedding_norm: float | None) -> list[Any]:
    """Clip by the global norm, then each embedding's gradient by its own."""
    if norm is not None:
        gradients, _ = tf.clip_by_global_norm(gradients, norm)
    if embedding_norm is not None:
        is_embedding = ["embedding" in weight.path.lower() for weight in weights]
        gradients = [
            _clip_one(gradient, embedding_norm) if embedding else gradient
            for gradient, embedding in zip(gradients, is_embedding, strict=True)
        ]
    return gradients


def activations(network: Any, features: Any) -> dict[str, tf.Tensor]:
    """The outputs of a network's layers, by layer."""
    import keras

    layers = [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]
    outputs = [layer.output for layer in layers if not isinstance(layer.output, (list, tuple, dict))]
    names = [layer.name for layer in layers if not isinstance(layer.output, (list, tuple, dict))]
    values = keras.Model(network.inputs, outputs)(features, training=True)
    return {f"activations/{name}": value for name, value in zip(names, values if isinstance(values, list) else [values], strict=True)}


def assign_variables(variables: Mapping[str, Any], values: Mapping[str, Any], group: str) -> None:
    """Give variables the values of a checkpoint.

    Raises:
        CheckpointError: names or shapes differ; the message says which.
    """
    problems = []
    for name, variable in variables.items():
        if name not in values:
            problems.append(f"{name} {tuple(variable.shape)} is not in the checkpoint{did_you_mean(name, values)}")
        elif tuple(values[name].shape) != tuple(variable.shape):
            problems.append(f"{name} has shape {tuple(values[name].shape)} in the checkpoint and {tuple(variable.shape)} in the network")
    problems += [f"{name} {tuple(value.shape)} is in the checkpoint only" for name, value in values.items() if name not in variables]
    if problems:
        raise CheckpointError(f"the {group} of the checkpoint do not fit: {'; '.join(problems)}")
    for name, variable in variables.items():
        variable.assign(values[name])


def _clip_one(gradient: Any, norm: float) -> Any:
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(tf.clip_by_norm(gradient.values, norm), gradient.indices, gradient.dense_shape)
    return None if gradient is None else tf.clip_by_norm(gradient, norm)


def _array(variable: Any) -> np.ndarray:
    return np.asarray(variable.numpy())


def _is_image(value: Any) -> bool:
    return isinstance(value, tf.Tensor) and value.shape.rank == 4 and value.shape[-1] in (1, 3, 4)
