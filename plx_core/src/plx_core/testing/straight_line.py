"""The run in which callbacks and exporters are checked: it fits a straight line."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from keras import ops

from plx_core.config.sections import RunConfig
from plx_core.data.arrays import ArrayPipeline
from plx_core.models.spec import EstimatorSpec
from plx_core.supervised.estimator import Estimator
from plx_core.types import Features, Labels


def create_estimator(folder: Path) -> Estimator:
    """Return an estimator that saves checkpoints every two steps and logs every step."""
    config = RunConfig(save_checkpoints_steps=2, log_step_count_steps=1, save_summary_steps=2)
    return Estimator(_model_fn, folder, config, trackers=[])


def create_data(num_epochs: int | None = None) -> ArrayPipeline:
    """Return two batches of four points of the line y = 2x + 1 for each epoch."""
    x = np.linspace(-1, 1, 8, dtype="float32")[:, None]
    return ArrayPipeline({"x": x}, 2 * x + 1, 4, num_epochs=num_epochs)


def _model_fn(features: Features, labels: Labels, mode: str) -> EstimatorSpec:
    network = keras.Model(features, keras.layers.Dense(1, name="line")(features["x"]), name="line")
    return EstimatorSpec(
        mode=mode,
        network=network,
        loss_fn=lambda features, labels, outputs: ops.mean((outputs - labels) ** 2),
        optimizer=keras.optimizers.SGD(0.05) if mode == "train" else None,
    )
