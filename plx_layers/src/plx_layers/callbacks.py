"""Pictures of what a generator makes, in the run directory's `images` after each evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import tensorflow as tf

from plx_core import Callback, Modes, as_pipeline, numpy_input_fn
from plx_core.annotations import NonNegativeFloat, NonNegativeInt, PositiveInt
from plx_core.errors import ComponentError

FOLDER = "images"
SMALLEST = 56
"""Images of fewer pixels a side are enlarged, so that they can be made out."""
MOST_DIMENSIONS = 10
"""So many dimensions of a latent are shown, a row each."""


class ReconstructionImages(Callback):
    """Examples above what a generator makes of them: `images/STEP_reconstructions.png`; for the `hooks` of `eval`.

    Args:
        count: how many examples, the first of the evaluation data.
        noise: the standard deviation of noise that is added to them first; they are then shown with it too, in a row between.
        feature: which feature holds the images; the only one that may when left out.
        seed: of the noise.
    """

    def __init__(
        self,
        count: PositiveInt = 10,
        noise: NonNegativeFloat = 0.0,
        feature: str | None = None,
        seed: NonNegativeInt = 0,
    ) -> None:
        self._count, self._noise, self._feature, self._seed = count, noise, feature, seed

    def check(self, spec: Any) -> None:
        """Refuse a model whose features hold no images."""
        _image_feature({tensor.name: tensor for tensor in spec.network.inputs}, self._feature)

    def on_evaluate(
        self, run: Any, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Draw them."""
        features = _first_examples(run, self._count)
        name = _image_feature(features, self._feature)
        images = features[name]
        rows, given = [images], images
        if self._noise:
            given = add_noise(images, self._noise, self._seed)
            rows.append(given)
        input_fn = numpy_input_fn({**features, name: given}, batch_size=len(images), shuffle=False)
        rows.append(_results(run.predict(input_fn, ["results"], _checkpoint(run, step))))
        _write(
            run,
            step,
            "reconstructions",
            np.stack(rows),
            low=float(images.min()),
            high=float(images.max()),
        )


class GeneratedImages(Callback):
    """What a generator makes of latents drawn at random, the same ones each time: `images/STEP_generated.png`; for the `hooks` of `eval`.

    Args:
        rows: how many rows of images.
        columns: how many in a row.
        seed: of the latents.
    """

    def __init__(
        self, rows: PositiveInt = 8, columns: PositiveInt = 8, seed: NonNegativeInt = 0
    ) -> None:
        self._rows, self._columns, self._seed = rows, columns, seed

    def check(self, spec: Any) -> None:
        """Refuse a model that draws no latents."""
        _needs_latents(spec)

    def on_evaluate(
        self, run: Any, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Draw them."""
        _needs_generator(run)
        results = _results(
            run.generate(
                run.evaluated_on,
                self._rows * self._columns,
                self._seed,
                ["results"],
                _checkpoint(run, step),
            )
        )
        _write(
            run, step, "generated", results.reshape(self._rows, self._columns, *results.shape[1:])
        )


class LatentTraversal(Callback):
    """What a generator makes of latents along each of their dimensions: `images/STEP_traversal.png`; for the `hooks` of `eval`.

    Along a dimension lie the quantiles of N(0, 1). Two dimensions span a square of images; of more, each has a row, while the others
    are 0.

    Args:
        columns: how many places along a dimension.
    """

    def __init__(self, columns: PositiveInt = 15) -> None:
        self._columns = columns

    def check(self, spec: Any) -> None:
        """Refuse a model that draws no latents."""
        _needs_latents(spec)

    def on_evaluate(
        self, run: Any, step: int, metrics: Mapping[str, float], split: str = "eval"
    ) -> None:
        """Draw them."""
        _needs_generator(run)
        checkpoint = _checkpoint(run, step)
        (drawn,) = run.generate(run.evaluated_on, 1, 0, ["latent"], checkpoint)
        latents = traversal(len(drawn["latent"]), self._columns)
        results = _results(
            run.decode(
                run.evaluated_on, latents.reshape(-1, latents.shape[-1]), ["results"], checkpoint
            )
        )
        _write(run, step, "traversal", results.reshape(*latents.shape[:2], *results.shape[1:]))


def add_noise(images: np.ndarray, stddev: float, seed: int) -> np.ndarray:
    """Images with normal noise, in their own dtype; whole numbers stay within its bounds."""
    noisy: np.ndarray = images + stddev * np.random.default_rng(seed).standard_normal(
        images.shape, np.float32
    )
    if images.dtype.kind in "iu":
        bounds = np.iinfo(images.dtype)
        noisy = np.clip(np.rint(noisy), bounds.min, bounds.max)
    return noisy.astype(images.dtype)


def traversal(dimensions: int, columns: int) -> np.ndarray:
    """Latents at the quantiles of N(0, 1) along each dimension, float32 [rows, columns, dimensions]."""
    normal = NormalDist()
    places = np.array(
        [normal.inv_cdf((index + 0.5) / columns) for index in range(columns)], np.float32
    )
    if dimensions == 2:
        return np.stack(np.meshgrid(places, places[::-1]), axis=-1)
    rows = min(dimensions, MOST_DIMENSIONS)
    latents = np.zeros((rows, columns, dimensions), np.float32)
    latents[np.arange(rows), :, np.arange(rows)] = places
    return latents


def tile(images: np.ndarray, low: float = 0.0, high: float = 1.0) -> np.ndarray:
    """Images in rows and columns as one, with a white line between them.

    Args:
        images: [rows, columns, height, width, channels].
        low: what becomes black.
        high: what becomes white.

    Returns:
        uint8 [height, width, channels].
    """
    shades = np.clip((images.astype(np.float32) - low) / max(high - low, 1e-12), 0.0, 1.0)
    pixels = np.round(shades * 255.0).astype(np.uint8)
    factor = max(1, SMALLEST // min(images.shape[2:4]))
    pixels = pixels.repeat(factor, axis=2).repeat(factor, axis=3)
    framed = np.pad(pixels, [(0, 0), (0, 0), (0, 2), (0, 2), (0, 0)], constant_values=255)
    rows, columns, height, width, channels = framed.shape
    return framed.swapaxes(1, 2).reshape(rows * height, columns * width, channels)[:-2, :-2]


def _needs_generator(run: Any) -> None:
    if getattr(run, "evaluated_on", None) is None:
        raise ComponentError(
            "pictures are of what a Generator makes of evaluation data; this run has none"
        )


def _needs_latents(spec: Any) -> None:
    if spec.sample_fn is None:
        raise ComponentError(
            "the model knows no distribution of latents to draw from; a Generator with a LatentBridge does"
        )


def _first_examples(run: Any, count: int) -> dict[str, np.ndarray]:
    """The features of the first examples that were evaluated on."""
    _needs_generator(run)
    pipeline = as_pipeline(run.evaluated_on, Modes.PREDICT, run.config.seed)
    batches: list[dict[str, np.ndarray]] = []
    for features, _ in pipeline.dataset():
        batches.append({name: value.numpy() for name, value in features.items()})
        if sum(len(next(iter(batch.values()))) for batch in batches) >= count:
            break
    return {name: np.concatenate([batch[name] for batch in batches])[:count] for name in batches[0]}


def _image_feature(features: Mapping[str, Any], name: str | None) -> str:
    """The feature of this name, or the only one that holds images, of arrays or symbolic tensors by name."""
    found = [key for key, value in features.items() if _is_image(value) and name in (None, key)]
    if len(found) != 1:
        shapes = ", ".join(f"{key} {tuple(value.shape)}" for key, value in features.items())
        wanted = (
            "say with `feature` which feature holds images"
            if name is None
            else f"feature: {name} holds no images"
        )
        raise ComponentError(f"{wanted}, [batch, height, width, 1 or 3]; there are {shapes}")
    return found[0]


def _is_image(value: Any) -> bool:
    return len(value.shape) == 4 and value.shape[-1] in (1, 3)


def _results(rows: Any) -> np.ndarray:
    results = np.stack([row["results"] for row in rows])
    if not _is_image(results):
        raise ComponentError(
            f"the generator's results have shape {results.shape}; a picture needs [batch, height, width, 1 or 3]"
        )
    return results


def _checkpoint(run: Any, step: int) -> Path:
    return Path(run.checkpoints.directory) / f"{step:09d}"


def _write(
    run: Any, step: int, name: str, images: np.ndarray, low: float = 0.0, high: float = 1.0
) -> None:
    path = Path(run.model_dir) / FOLDER / f"{step:09d}_{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_png(tile(images, low, high)).numpy())
