"""Draw the results of a generator, in the run directory's `images`, after each evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import tensorflow as tf

from plx_core import (
    Callback,
    Estimator,
    EstimatorSpec,
    Modes,
    Run,
    as_pipeline,
    numpy_input_fn,
)
from plx_core.annotations import NonNegativeFloat, NonNegativeInt, PositiveInt
from plx_core.errors import ComponentError
from plx_core.types import Array, Tensor

FOLDER = "images"
MIN_SIZE = 56
"""The size in pixels below which images are enlarged, so that they can be seen."""
MAX_DIMENSIONS = 10
"""The largest number of latent dimensions to draw, a row for each."""


class ReconstructionImages(Callback):
    """Draw examples above their reconstructions: `images/STEP_reconstructions.png`; for `eval`.

    Args:
        count: the number of examples, the first of the evaluation data.
        noise: the standard deviation of noise to add to them first; a row of the noisy images is
            then drawn in between.
        feature: the feature that holds the images; the only one with a fitting shape when omitted.
        seed: the seed of the noise.
    """

    def __init__(
        self,
        count: PositiveInt = 10,
        noise: NonNegativeFloat = 0.0,
        feature: str | None = None,
        seed: NonNegativeInt = 0,
    ) -> None:
        self._count = count
        self._noise = noise
        self._feature = feature
        self._seed = seed

    def check(self, spec: EstimatorSpec) -> None:
        """Raise an error if no feature of the model holds images."""
        _image_feature({tensor.name: tensor for tensor in spec.network.inputs}, self._feature)

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Draw the images."""
        estimator = _estimator(run)
        features = _first_examples(estimator, self._count)
        name = _image_feature(features, self._feature)
        images = features[name]
        inputs = images
        rows = [images]
        if self._noise:
            inputs = add_noise(images, self._noise, self._seed)
            rows.append(inputs)
        input_fn = numpy_input_fn({**features, name: inputs}, batch_size=len(images), shuffle=False)
        rows.append(_results(estimator.predict(input_fn, ["results"], _checkpoint(run, step))))
        low = float(images.min())
        high = float(images.max())
        _write(run, step, "reconstructions", np.stack(rows), low, high)


class GeneratedImages(Callback):
    """Draw the results for the same random latents: `images/STEP_generated.png`; for `eval`.

    Args:
        rows: the number of rows of images.
        columns: the number of columns.
        seed: the seed of the latents.
    """

    def __init__(
        self, rows: PositiveInt = 8, columns: PositiveInt = 8, seed: NonNegativeInt = 0
    ) -> None:
        self._rows = rows
        self._columns = columns
        self._seed = seed

    def check(self, spec: EstimatorSpec) -> None:
        """Raise an error if the model draws no latents."""
        _require_latents(spec)

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Draw the images."""
        estimator = _estimator(run)
        examples = estimator.generate(
            estimator.evaluated_on,
            self._rows * self._columns,
            self._seed,
            ["results"],
            _checkpoint(run, step),
        )
        results = _results(examples)
        images = results.reshape(self._rows, self._columns, *results.shape[1:])
        _write(run, step, "generated", images)


class LatentTraversal(Callback):
    """Draw the results for latents along each dimension: `images/STEP_traversal.png`; for `eval`.

    Along a dimension are the quantiles of N(0, 1). Two dimensions
    form a square of images. If there are more, each has a row, in which the others are 0.

    Args:
        columns: the number of quantiles.
    """

    def __init__(self, columns: PositiveInt = 15) -> None:
        self._columns = columns

    def check(self, spec: EstimatorSpec) -> None:
        """Raise an error if the model draws no latents."""
        _require_latents(spec)

    def on_evaluate(
        self, run: Run, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Draw the images."""
        estimator = _estimator(run)
        input_fn = estimator.evaluated_on
        checkpoint = _checkpoint(run, step)
        (example,) = estimator.generate(input_fn, 1, 0, ["latent"], checkpoint)
        latents = traversal(len(example["latent"]), self._columns)
        codes = latents.reshape(-1, latents.shape[-1])
        results = _results(estimator.decode(input_fn, codes, ["results"], checkpoint))
        _write(run, step, "traversal", results.reshape(*latents.shape[:2], *results.shape[1:]))


def add_noise(images: Array, stddev: float, seed: int) -> Array:
    """Add normal noise to images, in their dtype; integers are clipped to its bounds."""
    noise = np.random.default_rng(seed).standard_normal(images.shape, np.float32)
    noisy: Array = images + stddev * noise
    if images.dtype.kind in "iu":
        bounds = np.iinfo(images.dtype)
        noisy = np.clip(np.rint(noisy), bounds.min, bounds.max)
    return noisy.astype(images.dtype)


def traversal(dimensions: int, columns: int) -> Array:
    """Return latents at the quantiles of N(0, 1): float32 [rows, columns, dimensions]."""
    normal = NormalDist()
    quantiles = np.array(
        [normal.inv_cdf((index + 0.5) / columns) for index in range(columns)], np.float32
    )
    if dimensions == 2:
        return np.stack(np.meshgrid(quantiles, quantiles[::-1]), axis=-1)
    rows = min(dimensions, MAX_DIMENSIONS)
    latents = np.zeros((rows, columns, dimensions), np.float32)
    latents[np.arange(rows), :, np.arange(rows)] = quantiles
    return latents


def tile(images: Array, low: float = 0.0, high: float = 1.0) -> Array:
    """Join images to one, in rows and columns with white lines between them.

    Args:
        images: [rows, columns, height, width, channels].
        low: the value to draw in black.
        high: the value to draw in white.

    Returns:
        uint8 [height, width, channels].
    """
    shades = np.clip((images.astype(np.float32) - low) / max(high - low, 1e-12), 0.0, 1.0)
    pixels = np.round(shades * 255.0).astype(np.uint8)
    factor = max(1, MIN_SIZE // min(images.shape[2:4]))
    pixels = pixels.repeat(factor, axis=2).repeat(factor, axis=3)
    framed = np.pad(pixels, [(0, 0), (0, 0), (0, 2), (0, 2), (0, 0)], constant_values=255)
    rows, columns, height, width, channels = framed.shape
    return framed.swapaxes(1, 2).reshape(rows * height, columns * width, channels)[:-2, :-2]


def _estimator(run: Run) -> Estimator:
    """Return the estimator that evaluated a generator."""
    if not isinstance(run, Estimator) or run.evaluated_on is None:
        raise ComponentError(
            "images show what a Generator makes of evaluation data; this run has no such data"
        )
    return run


def _require_latents(spec: EstimatorSpec) -> None:
    if spec.sample_fn is None:
        raise ComponentError(
            "the model has no distribution of latents to draw from; "
            "a Generator with a LatentBridge has one"
        )


def _first_examples(estimator: Estimator, count: int) -> dict[str, Array]:
    """Return the features of the first examples of the evaluation data."""
    pipeline = as_pipeline(estimator.evaluated_on, Modes.PREDICT, estimator.config.seed)
    batches: list[dict[str, Array]] = []
    for features, _ in pipeline.dataset():
        batches.append({name: value.numpy() for name, value in features.items()})
        if sum(len(next(iter(batch.values()))) for batch in batches) >= count:
            break
    return {name: np.concatenate([batch[name] for batch in batches])[:count] for name in batches[0]}


def _image_feature(features: Mapping[str, Array | Tensor], name: str | None) -> str:
    """Return the feature of this name, or the only one that holds images."""
    matches = [key for key, value in features.items() if _is_image(value) and name in (None, key)]
    if len(matches) == 1:
        return matches[0]
    shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in features.items())
    if name is None:
        problem = "set `feature` to the feature that holds images"
    else:
        problem = f"feature: {name} holds no images"
    raise ComponentError(f"{problem}, [batch, height, width, 1 or 3]; there are {shapes}")


def _is_image(value: Array | Tensor) -> bool:
    return len(value.shape) == 4 and value.shape[-1] in (1, 3)


def _results(rows: Iterable[Mapping[str, Any]]) -> Array:
    results = np.stack([row["results"] for row in rows])
    if not _is_image(results):
        raise ComponentError(
            f"the generator's results have shape {results.shape}; "
            "an image has [batch, height, width, 1 or 3]"
        )
    return results


def _checkpoint(run: Run, step: int) -> Path:
    return Path(run.checkpoints.directory) / f"{step:09d}"


def _write(
    run: Run, step: int, name: str, images: Array, low: float = 0.0, high: float = 1.0
) -> None:
    path = Path(run.model_dir) / FOLDER / f"{step:09d}_{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(tile(images, low, high)).numpy())
