"""Parts with one fault each, as people make them."""

import random

import keras
import numpy as np
from keras import ops

import plx_core as plx
from plx_core.data.arrays import ArrayPipeline


class Layer(keras.layers.Layer):
    """A layer without a fault."""

    def __init__(self, by: float = 2.0, name: str | None = None):
        super().__init__(name=name)
        self.by = by

    def call(self, inputs):
        return inputs * self.by

    def get_config(self):
        return {"by": self.by, "name": self.name}


class ForgetfulLayer(Layer):
    """Does not save what it multiplies with."""

    def get_config(self):
        return {"name": self.name}


class RandomLayer(Layer):
    """Draws its noise from NumPy's own generator."""

    def call(self, inputs):
        return inputs + np.random.normal(size=1).astype("float32")


class FixedLayer(Layer):
    """Knows how many examples there are."""

    def call(self, inputs):
        return inputs + ops.zeros((4, 1)) if len(inputs.shape) == 2 and inputs.shape[0] else inputs


class UnusedWeightLayer(Layer):
    """Has a weight that it does not use."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(1,), name="scale")
        self.unused = self.add_weight(shape=(1,), name="unused")

    def call(self, inputs):
        return inputs * self.scale


class SinglePrecisionLayer(Layer):
    """Takes a constant of its own type."""

    def call(self, inputs):
        import tensorflow as tf

        return tf.matmul(inputs, tf.eye(int(inputs.shape[-1])))


class UnannotatedLayer(Layer):
    """Says nothing of what it takes."""

    def __init__(self, by=2.0, name: str | None = None):
        super().__init__(by, name)


class Loss(keras.losses.Loss):
    """Does not save its factor."""

    def __init__(self, factor: float = 1.0, name: str = "loss"):
        super().__init__(name=name)
        self.factor = factor

    def call(self, y_true, y_pred):
        return ops.mean(self.factor * ops.square(y_pred - ops.cast(y_true, y_pred.dtype)), axis=-1)

    def get_config(self):
        return {"name": self.name}


class InfiniteLoss(Loss):
    """Divides by nothing."""

    def call(self, y_true, y_pred):
        return ops.sum(y_pred / 0.0, axis=-1)


class CutLoss(Loss):
    """Leaves TensorFlow on its way."""

    def call(self, y_true, y_pred):
        return ops.mean(ops.stop_gradient(y_pred), axis=-1)


class BatchMeanMetric(keras.metrics.Metric):
    """Keeps the last batch alone."""

    def __init__(self, name: str = "batch_mean"):
        super().__init__(name=name)
        self.last = self.add_variable((), "zeros", name="last")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.last.assign(ops.cast(ops.reshape(y_pred, (-1,))[0], "float32"))

    def result(self):
        return self.last + 0.0


class ClimbingOptimizer(keras.optimizers.SGD):
    """Goes up."""

    def update_step(self, gradient, variable, learning_rate):
        variable.assign(variable + learning_rate * gradient)


class DivingSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Falls below 0."""

    def __init__(self, start: float = 1.0):
        self.start = start

    def __call__(self, step):
        return self.start - ops.cast(step, "float32") * 1e-3

    def get_config(self):
        return {"start": self.start}


class ShuffledPipeline(ArrayPipeline):
    """Has an order of its own each time."""

    def __init__(
        self,
        batch_size: int = 2,
        num_epochs: int | None = None,
        mode: str = "train",
        seed: int | None = None,
    ):
        self._calls = 0
        super().__init__(
            {"x": np.arange(10.0)},
            np.arange(10),
            batch_size,
            num_epochs,
            shuffle=False,
            seed=seed,
            mode=mode,
        )

    def dataset(self, start=0):
        return super().dataset(0)


class MistypedPipeline(ShuffledPipeline):
    """Yields what it does not announce."""

    def dataset(self, start=0):
        import tensorflow as tf

        return ArrayPipeline.dataset(self, start).map(
            lambda features, labels: ({"x": tf.cast(features["x"], tf.int32)}, labels)
        )


class Exploration(plx.Exploration):
    """Without a fault."""

    def __init__(self, probability: float = 0.5, seed: int | None = None):
        self.probability, self.seed = probability, seed
        self.rng = np.random.default_rng(seed)

    def rate(self, timestep):
        return self.probability

    def explore(self, greedy, timestep, scores=None, masks=None):
        if scores is None:
            raise plx.errors.ComponentError("discrete actions alone")
        weights = np.ones_like(scores) if masks is None else masks.astype(float)
        drawn = (weights * self.rng.random(scores.shape)).argmax(axis=1)
        return np.where(self.rng.random(len(greedy)) < self.probability, drawn, greedy)

    def reseed(self, seed):
        self.rng = np.random.default_rng(seed)

    def state(self):
        state = self.rng.bit_generator.state
        return {
            "generator": {
                **state,
                "state": {name: str(value) for name, value in state["state"].items()},
            }
        }

    def restore(self, state):
        words = {name: int(value) for name, value in state["generator"]["state"].items()}
        self.rng.bit_generator.state = {**state["generator"], "state": words}


class GlobalExploration(Exploration):
    """Throws everybody's coins."""

    def explore(self, greedy, timestep, scores=None, masks=None):
        chosen = super().explore(greedy, timestep, scores, masks)
        random.random()
        return chosen


class LawlessExploration(Exploration):
    """Does not know that actions may be illegal."""

    def explore(self, greedy, timestep, scores=None, masks=None):
        return super().explore(greedy, timestep, scores, None)


class ForgetfulExploration(Exploration):
    """Keeps its generator to itself."""

    def state(self):
        return {}

    def restore(self, state):
        pass


class UnseededExploration(Exploration):
    """Has no time for seeds that come late."""

    def reseed(self, seed):
        pass


class AnonymousExploration(Exploration):
    """Does not say that it has a seed."""

    def __init__(self, probability: float = 0.5, seed: int | None = None):
        super().__init__(probability, seed)
        self.seed = None


class SeedlessExploration(plx.Exploration):
    """Has no `reseed`."""

    rate = Exploration.rate
    explore = Exploration.explore
    state = Exploration.state
    restore = Exploration.restore


class Reservoir(plx.Memory):
    """Keeps a uniform sample of all transitions."""

    def __init__(self, size: int = 48, batch_size: int = 8, seed: int | None = None):
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.rows, self.seen = [], 0
        self.rng = np.random.default_rng(seed)

    def step(self, **transition):
        for index in range(len(transition["reward"])):
            row = {name: np.array(column[index]) for name, column in transition.items()}
            self.seen += 1
            if len(self.rows) == self.size:
                place = int(self.rng.integers(self.seen))
                if place >= self.size:
                    continue
                del self.rows[place]
            self.rows.append(row)

    def can_sample(self, count=None):
        return len(self.rows) >= (count or self.batch_size)

    def sample(self, batches=1):
        if not self.can_sample():
            raise plx.errors.DataError("too few")
        places = self.rng.integers(len(self.rows), size=(batches, self.batch_size))
        return {
            name: np.stack([[self.rows[place][name] for place in batch] for batch in places])
            for name in self.rows[0]
        }

    def get_by_index(self, index):
        return self.rows[index]

    def clear(self):
        self.rows, self.seen = [], 0

    def reseed(self, seed):
        self.rng = np.random.default_rng(seed)

    def __len__(self):
        return len(self.rows)

    def state(self):
        columns = {name: np.stack([row[name] for row in self.rows]) for name in self.rows[0]}
        return {**Exploration.state(self), "seen": self.seen, "columns": columns}

    def restore(self, state):
        Exploration.restore(self, state)
        self.seen, columns = state["seen"], state["columns"]
        self.rows = [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]


class UnseededReservoir(Reservoir):
    """Has no time for seeds that come late."""

    def reseed(self, seed):
        pass


class FrozenMemory(Reservoir):
    """Keeps the first transitions for ever."""

    def step(self, **transition):
        if len(self.rows) < self.size:
            super().step(**transition)


class UnsortedMemory(Reservoir):
    """Returns the newest first."""

    def get_by_index(self, index):
        return self.rows[-1 - index]


class SharingMemory(Reservoir):
    """Keeps views of arrays that are not its own."""

    def step(self, **transition):
        super().step(**transition)
        self.rows[-1]["state"] = transition["state"][-1]


class Callback(plx.Callback):
    """Counts blocks, and keeps what no checkpoint can."""

    def state(self):
        return {"seen": {1, 2}}


def with_any(**params):
    """Takes whatever it is given."""
    return Layer(**params)


class BranchingSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Branches on a tensor, which only AutoGraph would turn into an operation."""

    def __call__(self, step):
        if step < 10:
            return 0.1
        return 0.01

    def get_config(self):
        return {}


class AveragedBridge(plx.Bridge):
    """Has one loss for a batch."""

    def cross(self, encoding):
        return plx.BridgeOutput(
            latent=encoding, code=encoding, losses={"size": ops.mean(ops.abs(encoding))}
        )


class LambdaBridge(plx.Bridge):
    """Hides what it computes in a function that no file can hold."""

    def cross(self, encoding):
        return plx.BridgeOutput(
            latent=encoding, code=keras.layers.Lambda(lambda values: values * 2.0)(encoding)
        )


class GlobalBridge(plx.Bridge):
    """Draws latents from NumPy's own generator."""

    def cross(self, encoding):
        return plx.BridgeOutput(latent=encoding, code=encoding)

    def sample_fn(self, latent):
        return lambda count, generator: np.random.normal(size=(count, latent.shape[-1]))


class ForgetfulRegularizer(keras.regularizers.Regularizer):
    """Does not save its factor."""

    def __init__(self, factor: float = 1.0):
        self.factor = factor

    def __call__(self, x):
        return self.factor * ops.sum(ops.square(x))

    def get_config(self):
        return {}
