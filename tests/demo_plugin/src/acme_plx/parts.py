"""The parts of a stranger's package."""

import keras
import numpy as np
from keras import ops

from plx_core.annotations import PositiveInt
from plx_core.data.arrays import ArrayPipeline


class Shift(keras.layers.Layer):
    """Adds a number; shapes stay."""

    def __init__(self, by: float = 1.0, name: str | None = None):
        super().__init__(name=name)
        self.by = by

    def call(self, inputs):
        return inputs + self.by


class Quartic(keras.losses.Loss):
    """The fourth power of the error."""

    def __init__(self, scale: float = 1.0, name: str = "quartic"):
        super().__init__(name=name)
        self.scale = scale

    def call(self, y_true, y_pred):
        return ops.mean(self.scale * (y_pred - y_true) ** 4, axis=-1)


class LargestError(keras.metrics.Metric):
    """The largest error seen."""

    def __init__(self, name: str = "largest_error"):
        super().__init__(name=name)
        self.largest = self.add_variable((), "zeros", name="largest")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(y_pred - y_true))))

    def result(self):
        return ops.convert_to_tensor(self.largest)


class Halving(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that halves every so many steps."""

    def __init__(self, start: float, every: PositiveInt = 100):
        self.start, self.every = start, every

    def __call__(self, step):
        return self.start * 0.5 ** ops.floor(ops.cast(step, "float32") / self.every)


class Line(ArrayPipeline):
    """Points on y = 2x + 1."""

    def __init__(
        self,
        points: PositiveInt = 64,
        batch_size: PositiveInt = 16,
        mode: str = "train",
        seed: int | None = None,
    ):
        x = np.linspace(-1, 1, points, dtype="float32")[:, None]
        super().__init__({"x": x}, 2 * x + 1, batch_size, mode=mode, seed=seed)
