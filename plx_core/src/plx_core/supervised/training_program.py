"""The training program: many steps in one call of TensorFlow, with metrics, and state that a checkpoint can keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from plx_core.engine.gradients import clip_gradients, total_loss
from plx_core.engine.variables import assign_variables
from plx_core.errors import ComponentError, reason_of
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.variable_names import variables_by_name
from plx_core.state import State, Stateful
from plx_core.supervised.stacked_batches import Chunks, have_one_shape

FINITE = -1
"""The value of `bad_step` while every loss was finite."""


class TrainingProgram(Stateful):
    """Runs the steps of a specification.

    Args:
        spec: what to run; its optimizer is built here.
        xla: whether the steps are compiled with XLA: all those of a call as one loop where the batches have one shape, and each
            for itself otherwise.
    """

    def __init__(self, spec: EstimatorSpec, *, xla: bool = False) -> None:
        self.spec = spec
        self.variables = variables_by_name(spec.network)
        self._weights = spec.network.trainable_variables
        if spec.loss_fn is None or spec.optimizer is None:
            raise ComponentError(
                "training needs a loss and an optimizer; the EstimatorSpec lacks one of them"
            )
        spec.optimizer.build(self._weights)
        self._loss_sum = tf.Variable(0.0, trainable=False)
        # How many losses were added up before the sum was no longer finite: the place of the first bad one, without a test of each.
        self._loss_count = tf.Variable(0, trainable=False, dtype=tf.int64)
        self._counted = 0
        self._known: np.ndarray | None = None
        self._xla = xla
        # As in Keras's `fit`, these are Python as it stands: AutoGraph would take longer to rewrite it than all else that begins a run.
        self._run = tf.function(self._run_steps, reduce_retracing=True, autograph=False)
        self._run_compiled = tf.function(self._run_chunk, jit_compile=True, autograph=False)
        self._step = (
            tf.function(self._train_step, jit_compile=True, autograph=False)
            if xla
            else self._train_step
        )
        self._read = tf.function(self._results, autograph=False)
        self._summarise = tf.function(self._summary_step, reduce_retracing=True, autograph=False)
        self._observed: Any = None

    @property
    def global_step(self) -> int:
        """How many updates there have been, over all the runs that a checkpoint joins."""
        return int(self._reached[0])

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
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
        """The first step of the last call, counted from 0, whose loss was not finite, or `FINITE`."""
        _, loss_sum, loss_count = self._reached
        return FINITE if np.isfinite(loss_sum) else int(loss_count) - self._counted

    @property
    def _reached(self) -> np.ndarray:
        """Updates, and the sum and the count of losses: what the last call returned, since reading variables takes far longer."""
        if self._known is None:
            self._known = self._progress().numpy()
        return self._known

    def read(self, dataset: tf.data.Dataset) -> Any:
        """The batches of a data set, as `run` takes them."""
        return Chunks(dataset) if self._xla and have_one_shape(dataset) else iter(dataset)

    def run(self, batches: Any, steps: int) -> None:
        """Take steps; `bad_step` tells whether their losses were finite.

        Args:
            batches: what `read` returned.
            steps: how many.

        Raises:
            tf.errors.OutOfRangeError: the data ended before the last of them; `global_step` says where.
        """
        self._counted = int(self._reached[2])
        self._known = None  # what holds if the data ends amid these steps
        if not isinstance(batches, Chunks):
            self._known = self._run(batches, tf.constant(steps, tf.int64)).numpy()
            return
        while steps > 0:
            chunk, first, count = batches.take(steps)
            reached = self._run_compiled(chunk, tf.constant(first), tf.constant(count))
            steps -= count
            if steps == 0:
                self._known = reached.numpy()

    def run_and_summarise(self, batches: Any, steps: int) -> dict[str, np.ndarray]:
        """Take steps, and return what the specification's summaries ask for of the last of them: arrays by tag."""
        self.run(batches, steps - 1)
        self._known = None
        return {tag: value.numpy() for tag, value in self._summarise(*batches.get_next()).items()}

    def find_non_finite(self) -> str:
        """The name of a trainable variable that holds a number that is not finite; an empty text when there is none."""
        trained = {id(weight) for weight in self._weights}
        values = {
            name: _array(variable)
            for name, variable in self.variables.items()
            if id(variable) in trained
        }
        return next((name for name, value in values.items() if not np.isfinite(value).all()), "")

    def results(self, *, reset: bool = False) -> dict[str, float]:
        """The loss and the metrics since they were last reset, means over those steps, and the learning rate of the next step.

        Args:
            reset: whether to count afresh from here.
        """
        found = self._read(reset)
        if reset:
            self._known = np.array([self.global_step, 0.0, 0.0])
        return {
            name: float(value.numpy()) for name, value in found.items() if value.shape.rank == 0
        }

    def state(self) -> State:
        """Weights, optimizer, metrics and random state."""
        return {
            name: {key: _array(variable) for key, variable in group.items()}
            for name, group in self._groups().items()
        }

    def restore(self, state: State) -> None:
        """Go on from a state.

        Raises:
            CheckpointError: the state is another network's.
        """
        self._known = None
        for name, group in self._groups().items():
            assign_variables(group, state.get(name, {}), name)

    def _groups(self) -> dict[str, dict[str, Any]]:
        counters = {"loss_sum": self._loss_sum, "loss_count": self._loss_count}
        metrics = {
            f"{name}/{index}": variable
            for name, metric in self.spec.metrics.items()
            for index, variable in enumerate(metric.variables)
        }
        optimizer = {
            f"{index:04d}": variable for index, variable in enumerate(self.spec.optimizer.variables)
        }
        return {"variables": self.variables, "optimizer": optimizer, "metrics": metrics | counters}

    def _run_steps(self, iterator: Any, steps: tf.Tensor) -> tf.Tensor:
        def step(index: tf.Tensor) -> tf.Tensor:
            features, labels = iterator.get_next()
            # Nothing of a step may run when there is no batch for it, a counter that needs no batch neither.
            with tf.control_dependencies(tf.nest.flatten((features, labels))):
                self._step(features, labels)
            return index + 1

        tf.while_loop(lambda index: index < steps, step, (tf.constant(0, tf.int64),))
        return self._progress()

    def _run_chunk(self, chunk: Any, first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        def step(index: tf.Tensor) -> tf.Tensor:
            self._train_step(*tf.nest.map_structure(lambda part: tf.gather(part, index), chunk))
            return index + 1

        tf.while_loop(lambda index: index < first + count, step, (first,))
        return self._progress()

    def _progress(self) -> tf.Tensor:
        counts = (self.spec.optimizer.iterations, self._loss_sum, self._loss_count)
        return tf.stack([tf.cast(count, tf.float64) for count in counts])

    def _train_step(self, features: Any, labels: Any) -> None:
        with tf.GradientTape() as tape:
            outputs = self.spec.network(features, training=True)
            loss, scaled = self._losses(features, labels, outputs)
        self._update(features, labels, outputs, loss, tape.gradient(scaled, self._weights))

    def _losses(self, features: Any, labels: Any, outputs: Any) -> tuple[tf.Tensor, tf.Tensor]:
        loss = total_loss(self.spec, features, labels, outputs)
        return loss, self.spec.optimizer.scale_loss(loss)

    def _update(
        self, features: Any, labels: Any, outputs: Any, loss: tf.Tensor, gradients: list[Any]
    ) -> None:
        spec = self.spec
        clipped = clip_gradients(
            gradients, self._weights, spec.clip_gradients, spec.clip_embed_gradients
        )
        spec.optimizer.apply(clipped, self._weights)
        spec.update_metrics(features, labels, outputs)
        total = self._loss_sum.assign_add(tf.cast(loss, tf.float32), read_value=True)
        self._loss_count.assign_add(tf.cast(tf.math.is_finite(total), tf.int64))

    def _results(self, reset: bool) -> dict[str, tf.Tensor]:
        loss = tf.math.divide_no_nan(self._loss_sum, tf.cast(self._loss_count, tf.float32))
        metrics = {
            name: tf.convert_to_tensor(metric.result())
            for name, metric in self.spec.metrics.items()
        }
        found = {
            "loss": loss,
            **metrics,
            "learning_rate": tf.convert_to_tensor(self.spec.optimizer.learning_rate),
        }
        if reset:
            self._loss_sum.assign(0.0)
            self._loss_count.assign(0)
            for metric in self.spec.metrics.values():
                metric.reset_state()
        return found

    def _summary_step(self, features: Any, labels: Any) -> dict[str, tf.Tensor]:
        spec = self.spec
        # One forward pass gives the layers' outputs too: a second one would draw other random numbers and update moving means.
        self._observed = self._observed or observed(spec.network, "activations" in spec.summaries)
        with tf.GradientTape() as tape:
            outputs, found = self._observed(features, training=True)
            loss, scaled = self._losses(features, labels, outputs)
        gradients = tape.gradient(scaled, self._weights)
        found = {f"activations/{name}": value for name, value in found.items()}
        if "gradients" in spec.summaries:
            found |= self._gradients_by_name(gradients)
        if "image_input" in spec.summaries:
            found |= {
                f"image_input/{name}": value[:4]
                for name, value in features.items()
                if _is_image(value)
            }
        if "image_result" in spec.summaries:
            found |= {
                f"image_result/{name}": value[:4]
                for name, value in spec.predict_fn(features, outputs).items()
                if _is_image(value)
            }
        self._update(features, labels, outputs, loss, gradients)
        return found

    def _gradients_by_name(self, gradients: list[Any]) -> dict[str, tf.Tensor]:
        names = {id(variable): name for name, variable in self.variables.items()}
        pairs = zip(self._weights, gradients, strict=True)
        named = {
            names[id(weight)]: tf.convert_to_tensor(gradient)
            for weight, gradient in pairs
            if gradient is not None
        }
        norm = tf.linalg.global_norm(list(named.values()))
        return {f"gradients/{name}": gradient for name, gradient in named.items()} | {
            "gradients/global_norm": norm
        }


def build_metrics(spec: EstimatorSpec, features: Any, labels: Any) -> None:
    """Have metrics make their variables now that would make them with the first batch, when a checkpoint has been restored.

    Args:
        spec: whose metrics.
        features: `tf.TensorSpec`s by name.
        labels: the labels' `tf.TensorSpec`s, or None where there are no labels to measure.

    Raises:
        ComponentError: a metric cannot take the labels or the outputs.
    """
    # Keras has no public word for it, and tracing a step for metrics that need none would delay each start.
    if labels is None or all(getattr(metric, "_built", True) for metric in spec.metrics.values()):
        return

    def update(features: Any, labels: Any) -> None:
        spec.update_metrics(features, labels, spec.network(features, training=False))

    try:
        tf.function(update, autograph=False).get_concrete_function(features, labels)
    except (TypeError, ValueError) as error:
        raise ComponentError(
            f"a metric cannot take outputs of shape {spec.network.output_shape}: {reason_of(error)}"
        ) from error


def observed(network: Any, with_layers: bool) -> Any:
    """The network with a second output: the outputs of its layers by name, or nothing."""
    import keras

    if not with_layers:
        return lambda features, training: (network(features, training=training), {})
    layers = [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]
    outputs = {
        layer.name: layer.output
        for layer in layers
        if not isinstance(layer.output, (list, tuple, dict))
    }
    return keras.Model(network.input, (network.output, outputs))


def _array(variable: Any) -> np.ndarray:
    return np.asarray(variable.numpy())


def _is_image(value: Any) -> bool:
    return isinstance(value, tf.Tensor) and value.shape.rank == 4 and value.shape[-1] in (1, 3, 4)
