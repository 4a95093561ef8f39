"""Training: many steps per TensorFlow call, with metrics, and a state for checkpoints."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from plx_core.engine.evaluation_program import scalars
from plx_core.engine.gradients import total_loss
from plx_core.engine.updates import Updater
from plx_core.engine.variables import assign_variables
from plx_core.errors import ComponentError, PlxError, failure_of
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.variable_names import variables_by_name
from plx_core.state import State, Stateful
from plx_core.supervised.stacked_batches import StackedBatches, have_one_shape
from plx_core.types import Array, Features, Labels, Nested, Network, Tensor, Variable

Batches: TypeAlias = Any
"""An iterator of batches, or `StackedBatches`."""

FINITE = -1
"""The value of `bad_step` while every loss was finite."""


class TrainingProgram(Stateful):
    """Runs the training steps of a specification.

    Args:
        spec: the specification; its optimizer is built here.
        xla: whether to compile the steps with XLA: all steps of a call as one loop where the
            batches have one shape, and each step separately otherwise.

    Raises:
        ComponentError: the specification has no loss, no optimizer or no trainable weights.
    """

    def __init__(self, spec: EstimatorSpec, *, xla: bool = False) -> None:
        self.spec = spec
        self.variables = variables_by_name(spec.network)
        if spec.loss_fn is None or spec.optimizer is None:
            raise ComponentError(
                "training needs a loss and an optimizer; the EstimatorSpec lacks one of them"
            )
        self._updater = Updater(
            spec.optimizer,
            spec.network.trainable_variables,
            spec.clip_gradients,
            spec.clip_embed_gradients,
        )
        self._weights = self._updater.weights
        self._loss_sum = tf.Variable(0.0, trainable=False)
        # Counts the losses until the sum is no longer finite, which finds the first bad one without
        # testing each.
        self._loss_count = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._counted = 0
        self._cached: Array | None = None
        self._xla = xla
        # autograph=False, as in Keras's fit: conversion would dominate start-up.
        self._run = tf.function(self._run_steps, reduce_retracing=True, autograph=False)
        self._run_compiled = tf.function(self._run_stack, jit_compile=True, autograph=False)
        self._step = (
            tf.function(self._train_step, jit_compile=True, autograph=False)
            if xla
            else self._train_step
        )
        self._read = tf.function(self._results, autograph=False)
        self._summarise = tf.function(self._summary_step, reduce_retracing=True, autograph=False)
        self._with_activations: Network = None

    @property
    def global_step(self) -> int:
        """The number of steps so far, one for each batch, over all calls and resumed runs."""
        return int(self._progress[0])

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update."""
        return float(self.spec.optimizer.learning_rate.numpy())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        try:
            self.spec.optimizer.learning_rate = value
        except TypeError as error:
            raise ComponentError(
                "the learning rate follows a schedule, and cannot be set"
            ) from error

    @property
    def bad_step(self) -> int:
        """The first step of the last call with a loss that is not finite, from 0; or `FINITE`."""
        _, loss_sum, loss_count = self._progress
        return FINITE if np.isfinite(loss_sum) else int(loss_count) - self._counted

    @property
    def _progress(self) -> Array:
        """The number of steps, and the sum and count of losses, float64 [3].

        Cached from the last call, as reading variables takes far longer.
        """
        if self._cached is None:
            self._cached = self._read_progress().numpy()
        return self._cached

    def read(self, dataset: tf.data.Dataset) -> Batches:
        """Return the batches of a data set, as `run` takes them."""
        return StackedBatches(dataset) if self._xla and have_one_shape(dataset) else iter(dataset)

    def run(self, batches: Batches, steps: int) -> None:
        """Take a number of steps; `bad_step` says whether their losses were finite.

        Args:
            batches: what `read` returned.
            steps: the number of steps.

        Raises:
            tf.errors.OutOfRangeError: the data ended before the last step; see `global_step`.
        """
        self._counted = int(self._progress[2])
        self._cached = None  # if the data ends within these steps, it has to be read
        if not isinstance(batches, StackedBatches):
            self._cached = self._run(batches, tf.constant(steps, tf.int64)).numpy()
            return
        while steps > 0:
            stack, first, count = batches.take(steps)
            progress = self._run_compiled(stack, tf.constant(first), tf.constant(count))
            steps -= count
            if steps == 0:
                self._cached = progress.numpy()

    def run_and_summarise(self, batches: Batches, steps: int) -> dict[str, Array]:
        """Take a number of steps; return the summaries of the last one: arrays by tag."""
        self.run(batches, steps - 1)
        self._cached = None
        return {tag: value.numpy() for tag, value in self._summarise(*batches.get_next()).items()}

    def find_non_finite(self) -> str:
        """Return the name of a trainable variable that is not finite, or an empty string."""
        trained = {id(weight) for weight in self._weights}
        values = {
            name: _array(variable)
            for name, variable in self.variables.items()
            if id(variable) in trained
        }
        return next((name for name, value in values.items() if not np.isfinite(value).all()), "")

    def results(self, *, reset: bool = False) -> dict[str, float]:
        """Return the means of the loss and the metrics, and the learning rate of the next update.

        Args:
            reset: whether to start new means.
        """
        results = self._read(reset)
        if reset:
            self._cached = np.array([self.global_step, 0.0, 0.0])
        return scalars({name: value.numpy() for name, value in results.items()})

    def state(self) -> State:
        """Return the weights and the states of optimizer, metrics and random generators.

        `averages` holds the averages of weights that the optimizer keeps, by their names.
        """
        return {
            name: {key: _array(variable) for key, variable in group.items()}
            for name, group in self._groups().items()
        }

    def restore(self, state: State) -> None:
        """Restore what `state` returned.

        Raises:
            CheckpointError: it does not fit the network.
        """
        self._cached = None
        for name, group in self._groups().items():
            assign_variables(group, state.get(name, {}), name)

    def _groups(self) -> dict[str, dict[str, Variable]]:
        counters = {"loss_sum": self._loss_sum, "loss_count": self._loss_count}
        metrics = {
            f"{name}/{index}": variable
            for name, metric in self.spec.metrics.items()
            for index, variable in enumerate(metric.variables)
        }
        return {
            "variables": self.variables,
            "optimizer": self._updater.variables,
            "averages": self._updater.averages(self.variables),
            "metrics": metrics | counters,
        }

    def _run_steps(self, iterator: Batches, steps: Tensor) -> Tensor:
        def step(index: Tensor) -> Tensor:
            features, labels = iterator.get_next()
            # Gate the whole step on the batch; otherwise operations that do not depend on it, such
            # as counters, still run when the data ends.
            with tf.control_dependencies(tf.nest.flatten((features, labels))):
                self._step(features, labels)
            return index + 1

        tf.while_loop(lambda index: index < steps, step, (tf.constant(0, tf.int64),))
        return self._read_progress()

    def _run_stack(self, stack: Nested, first: Tensor, count: Tensor) -> Tensor:
        def step(index: Tensor) -> Tensor:
            self._train_step(*tf.nest.map_structure(lambda part: tf.gather(part, index), stack))
            return index + 1

        tf.while_loop(lambda index: index < first + count, step, (first,))
        return self._read_progress()

    def _read_progress(self) -> Tensor:
        counts = (self._updater.step, self._loss_sum, self._loss_count)
        return tf.stack([tf.cast(count, tf.float64) for count in counts])

    def _train_step(self, features: Features, labels: Labels) -> None:
        with tf.GradientTape() as tape:
            outputs = self.spec.network(features, training=True)
            loss, scaled = self._losses(features, labels, outputs)
        self._update(features, labels, outputs, loss, tape.gradient(scaled, self._weights))

    def _losses(self, features: Features, labels: Labels, outputs: Nested) -> tuple[Tensor, Tensor]:
        loss = total_loss(self.spec, features, labels, outputs)
        return loss, self._updater.scale(loss)

    def _update(
        self,
        features: Features,
        labels: Labels,
        outputs: Nested,
        loss: Tensor,
        gradients: list[Tensor],
    ) -> None:
        spec = self.spec
        self._updater.apply(self._updater.clip(gradients))
        spec.update_metrics(features, labels, outputs)
        total = self._loss_sum.assign_add(tf.cast(loss, tf.float32), read_value=True)
        self._loss_count.assign_add(tf.cast(tf.math.is_finite(total), tf.int64))

    def _results(self, reset: bool) -> dict[str, Tensor]:
        loss = tf.math.divide_no_nan(self._loss_sum, tf.cast(self._loss_count, tf.float32))
        metrics = {
            name: tf.convert_to_tensor(metric.result())
            for name, metric in self.spec.metrics.items()
        }
        results = {
            "loss": loss,
            **metrics,
            "learning_rate": tf.convert_to_tensor(self.spec.optimizer.learning_rate),
        }
        if reset:
            self._loss_sum.assign(0.0)
            self._loss_count.assign(0)
            for metric in self.spec.metrics.values():
                metric.reset_state()
        return results

    def _summary_step(self, features: Features, labels: Labels) -> dict[str, Tensor]:
        spec = self.spec
        # One forward pass for everything: a second one would draw other random numbers and update
        # moving averages again.
        if self._with_activations is None:
            self._with_activations = with_activations(spec.network, "activations" in spec.summaries)
        with tf.GradientTape() as tape:
            outputs, activations = self._with_activations(features, training=True)
            loss, scaled = self._losses(features, labels, outputs)
        gradients = tape.gradient(scaled, self._weights)
        summaries = {f"activations/{name}": value for name, value in activations.items()}
        if "gradients" in spec.summaries:
            summaries |= self._gradients_by_name(self._updater.unscale(gradients))
        if "image_input" in spec.summaries:
            summaries |= {
                f"image_input/{name}": value[:4]
                for name, value in features.items()
                if _is_image(value)
            }
        if "image_result" in spec.summaries:
            summaries |= {
                f"image_result/{name}": value[:4]
                for name, value in spec.predict_fn(features, outputs).items()
                if _is_image(value)
            }
        self._update(features, labels, outputs, loss, gradients)
        return summaries

    def _gradients_by_name(self, gradients: list[Tensor]) -> dict[str, Tensor]:
        names = {id(variable): name for name, variable in self.variables.items()}
        pairs = zip(self._weights, gradients, strict=True)
        named = {names[id(weight)]: gradient for weight, gradient in pairs if gradient is not None}
        norm = tf.linalg.global_norm(list(named.values()))
        return {f"gradients/{name}": gradient for name, gradient in named.items()} | {
            "gradients/global_norm": norm
        }


def build_metrics(spec: EstimatorSpec, features: Features, labels: Labels) -> None:
    """Create the variables of metrics that would create them with the first batch.

    A checkpoint can then be restored before that.

    Args:
        spec: the specification with the metrics.
        features: `tf.TensorSpec`s by name.
        labels: the `tf.TensorSpec`s of the labels; None where there are none.

    Raises:
        ComponentError: a metric cannot take the labels or the outputs.
    """
    # Keras has no public name for it, and tracing a step for metrics that are built would delay
    # each start.
    if labels is None or all(getattr(metric, "_built", True) for metric in spec.metrics.values()):
        return

    def update(features: Features, labels: Labels) -> None:
        spec.update_metrics(features, labels, spec.network(features, training=False))

    try:
        tf.function(update, autograph=False).get_concrete_function(features, labels)
    except PlxError:
        raise
    except Exception as error:  # code of any metric
        shape = spec.network.output_shape
        message = f"a metric cannot take outputs of shape {shape}: {failure_of(error)}"
        raise ComponentError(message) from error


def with_activations(network: Network, requested: bool) -> Network:
    """Return the network with a second output: its layers' outputs by name, if requested.

    Raises:
        ComponentError: they are requested, and the network does not know them.
    """
    import keras

    if not requested:
        return lambda features, training: (network(features, training=training), {})
    if not getattr(network, "inputs", None):
        raise ComponentError(
            "the summary activations needs a network of Keras's functional API, whose layers have "
            f"outputs; the network is a {type(network).__name__}"
        )
    layers = [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]
    outputs = {
        layer.name: layer.output
        for layer in layers
        if not isinstance(layer.output, (list, tuple, dict))
    }
    return keras.Model(network.input, (network.output, outputs))


def _array(variable: Variable) -> Array:
    return np.asarray(variable.numpy())


def _is_image(value: Tensor) -> bool:
    return isinstance(value, tf.Tensor) and value.shape.rank == 4 and value.shape[-1] in (1, 3, 4)
