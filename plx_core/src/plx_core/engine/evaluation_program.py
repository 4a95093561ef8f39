"""Evaluation over many batches per TensorFlow call, predictions, and their export."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from plx_core.engine.gradients import total_loss
from plx_core.engine.variables import assign_variables, weights_to_use
from plx_core.errors import ComponentError, DataError
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.subclasses import as_functional
from plx_core.networks.variable_names import variables_by_name
from plx_core.types import Array, Features, Labels, Nested, Network

BATCHES_PER_CALL = 64
DECODED_AT_ONCE = 64


class EvaluationProgram:
    """Evaluates and predicts with a specification and the weights of a checkpoint."""

    def __init__(self, spec: EstimatorSpec) -> None:
        self.spec = spec
        self.variables = variables_by_name(spec.network)
        self._loss_sum = tf.Variable(0.0, trainable=False)
        self._examples = tf.Variable(0.0, trainable=False)
        self._run = tf.function(self._run_batches, reduce_retracing=True)
        self._predict = tf.function(self._predict_batch, reduce_retracing=True)
        self._decode = tf.function(self._decode_batch, reduce_retracing=True)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Load the weights of a checkpoint.

        Raises:
            CheckpointError: they do not fit the network.
        """
        assign_variables(self.variables, weights_to_use(state), "variables")

    def evaluate(self, iterator: Iterator[Nested], steps: int | None) -> dict[str, float]:
        """Return the mean loss over examples, and the metrics.

        Args:
            iterator: yields batches.
            steps: the number of batches; all of them when None.

        Raises:
            DataError: there was no batch.
        """
        self._reset()
        remaining = steps
        while remaining is None or remaining > 0:
            count = BATCHES_PER_CALL if remaining is None else min(BATCHES_PER_CALL, remaining)
            done = int(self._run(iterator, tf.constant(count)).numpy())
            if done < count:
                break
            remaining = None if remaining is None else remaining - done
        if float(self._examples.numpy()) == 0:
            raise DataError("the evaluation data has no batch")
        loss = float(self._loss_sum.numpy() / self._examples.numpy())
        results = {name: np.asarray(metric.result()) for name, metric in self.spec.metrics.items()}
        return {"loss": loss} | scalars(results)

    def predict(self, dataset: tf.data.Dataset) -> Iterator[dict[str, np.ndarray]]:
        """Yield the predictions for each batch, by name."""
        iterator = iter(dataset)
        while True:
            try:
                predictions = self._predict(iterator)
            except tf.errors.OutOfRangeError:
                return
            yield {name: value.numpy() for name, value in predictions.items()}

    def decode(self, latents: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
        """Yield what a generator decodes latents to, batch by batch, with the latents as `latent`.

        Args:
            latents: float [n, …].

        Raises:
            ComponentError: the model has no decoder.
        """
        if self.spec.decode_fn is None:
            raise ComponentError(
                "this model cannot decode; a Generator with one encoder output can"
            )
        for start in range(0, len(latents), DECODED_AT_ONCE):
            part = latents[start : start + DECODED_AT_ONCE]
            predictions = self._decode(tf.constant(part, tf.float32))
            yield {"latent": part} | {name: value.numpy() for name, value in predictions.items()}

    def sample(self, count: int, seed: int) -> np.ndarray:
        """Draw latents for `decode` from the model's distribution.

        Raises:
            ComponentError: the model has no distribution of latents.
        """
        if self.spec.sample_fn is None:
            raise ComponentError(
                "this model has no distribution of latents to draw from; "
                "a Generator with a LatentBridge has"
            )
        return self.spec.sample_fn(count, np.random.default_rng(seed))

    def export(
        self, directory: Path, format: str, features: Features, processing: Network | None
    ) -> None:
        """Write the model, preceded by the pipeline's processing of raw features.

        A SavedModel's `serve` returns the predictions by name. The other formats hold the network,
        which returns the graph's outputs.

        Args:
            directory: the folder to write.
            format: `saved_model`, `keras`, `onnx` or `litert`.
            features: the `tf.TensorSpec`s of the network's inputs, by name.
            processing: the processing of raw features; None for none.

        Raises:
            ComponentError: a package that the format needs is not installed, or Keras cannot export
                the network in it.
        """
        import keras

        network = as_functional(self.spec.network, features)
        if processing is not None:
            inputs = {tensor.name: processing.output[tensor.name] for tensor in network.inputs}
            network = keras.Model(processing.input, network(inputs), name=network.name)
        if format == "saved_model":
            self._save(directory, network)
            return
        directory.mkdir(parents=True)
        if format == "keras":
            network.save(directory / "model.keras")
            return
        network(network.input)  # Keras exports to ONNX only what has been called
        try:
            network.export(
                str(directory / {"onnx": "model.onnx", "litert": "model.tflite"}[format]),
                format=format,
                verbose=False,
            )
        except (ImportError, ValueError, NotImplementedError) as error:
            shutil.rmtree(directory)
            raise ComponentError(
                f"Keras cannot export this network as {format}: {error}"
            ) from error

    def _save(self, directory: Path, network: Network) -> None:
        module = tf.Module()
        module.network = network
        signature = {
            tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name)
            for tensor in network.inputs
        }

        def serve(features: Features) -> dict[str, tf.Tensor]:
            return dict(self.spec.predict_fn(features, network(features, training=False)))

        module.serve = tf.function(serve, input_signature=[signature])
        tf.saved_model.save(module, str(directory), signatures={"serving_default": module.serve})

    def _run_batches(self, iterator: Nested, count: tf.Tensor) -> tf.Tensor:
        done = tf.constant(0)
        has_batch = tf.constant(True)
        while has_batch & (done < count):
            batch = iterator.get_next_as_optional()
            has_batch = batch.has_value()
            if has_batch:
                features, labels = batch.get_value()
                self._evaluate_batch(features, labels)
                done += 1
        return done

    # As in training, without AutoGraph, whose conversion would dominate start-up.
    @tf.autograph.experimental.do_not_convert
    def _evaluate_batch(self, features: Features, labels: Labels) -> None:
        outputs = self.spec.network(features, training=False)
        loss = total_loss(self.spec, features, labels, outputs)
        size = tf.cast(tf.shape(tf.nest.flatten(features)[0])[0], tf.float32)
        self._loss_sum.assign_add(tf.cast(loss, tf.float32) * size)
        self._examples.assign_add(size)
        self.spec.update_metrics(features, labels, outputs)

    @tf.autograph.experimental.do_not_convert
    def _predict_batch(self, iterator: Iterator[Nested]) -> dict[str, tf.Tensor]:
        features, _ = next(iterator)
        return dict(self.spec.predict_fn(features, self.spec.network(features, training=False)))

    @tf.autograph.experimental.do_not_convert
    def _decode_batch(self, latents: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(self.spec.decode_fn(latents)) if self.spec.decode_fn is not None else {}

    def _reset(self) -> None:
        self._loss_sum.assign(0.0)
        self._examples.assign(0.0)
        for metric in self.spec.metrics.values():
            metric.reset_state()


def scalars(results: Mapping[str, Array]) -> dict[str, float]:
    """Return results as numbers; a result [n] as `NAME/0`, `NAME/1`, and so on."""
    single = {name: float(value) for name, value in results.items() if value.ndim == 0}
    return single | {
        f"{name}/{index}": float(item)
        for name, value in results.items()
        if value.ndim == 1
        for index, item in enumerate(value)
    }


def prediction_rows(
    batches: Iterable[Mapping[str, Array]], keys: Sequence[str] | None
) -> Iterator[dict[str, Array]]:
    """Yield the predictions of each example, one mapping at a time.

    Args:
        batches: predictions by name, with a leading axis of examples.
        keys: the names of the predictions to keep; all when None.

    Raises:
        ComponentError: there is no prediction of a name.
    """
    for batch in batches:
        chosen = choose_predictions(batch, keys)
        for row in zip(*chosen.values(), strict=True):
            yield dict(zip(chosen, row, strict=True))


def choose_predictions(
    predictions: Mapping[str, Array], keys: Sequence[str] | None
) -> Mapping[str, Array]:
    """Return the predictions of these names; all when `keys` is None.

    Raises:
        ComponentError: there is no prediction of a name.
    """
    if keys is None:
        return predictions
    unknown = sorted(set(keys) - set(predictions))
    if unknown or not keys:
        raise ComponentError(
            f"there is no prediction called {', '.join(unknown) or 'nothing'}; "
            f"there are {', '.join(predictions)}"
        )
    return {key: predictions[key] for key in keys}
