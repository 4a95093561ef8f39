"""Small estimators for the tests of the engine."""

import hashlib

import keras
import tensorflow as tf

import plx_core as plx
from plx_core.config.sections import EnvironmentConfig, RunConfig
from plx_core.data.arrays import numpy_input_fn
from plx_core.runs.checkpoints import load

GRAPH = {
    "layers": [
        {"Dense": {"units": 8, "activation": "relu"}},
        {"Dropout": {"rate": 0.3}},
        {"Dense": {"units": 2}},
    ]
}


def classify(graph=None, **params):
    """A model_fn of a Classifier."""
    params = {
        "loss": "SparseCategoricalCrossentropy",
        "optimizer": {"Adam": {"learning_rate": 0.01}},
        "metrics": ["Accuracy"],
        **params,
    }
    params["loss"] = (
        keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        if params["loss"] is not None
        else None
    )

    def model_fn(features, labels, mode):
        return plx.models.Classifier(mode, graph=plx.Graph(**(graph or GRAPH)), **params)(
            features, labels
        )

    return model_fn


def make_estimator(path, model_fn=None, seed=5, trackers=(), **run):
    """An estimator that saves at the end alone, and writes no TensorBoard events."""
    run_config = RunConfig(
        **{
            "save_summary_steps": None,
            "log_step_count_steps": None,
            "save_checkpoints_secs": 1e9,
            **run,
        }
    )
    return plx.Estimator(
        model_fn or classify(),
        path,
        EnvironmentConfig(seed=seed, run_config=run_config),
        trackers=trackers,
    )


def feed(data, **kwargs):
    """An input_fn of arrays, shuffled and without end unless it is said otherwise."""
    x, y = data
    return numpy_input_fn(
        {"x": x}, y, **{"batch_size": 16, "num_epochs": None, "shuffle": True, "seed": 11, **kwargs}
    )


def fingerprint(estimator):
    """A hash of all that the newest checkpoint holds of weights, optimizer, metrics, random states and position."""
    state = load(estimator.latest_checkpoint())
    digest = hashlib.sha256()
    for group, variables in sorted(state["program"].items()):
        for name, value in sorted(variables.items()):
            digest.update(f"{group}/{name}{value.dtype}{value.shape}".encode() + value.tobytes())
    return state["global_step"], state["input"]["batch"], digest.hexdigest()


class Recorder(plx.Callback):
    """Notes what is called and when."""

    def __init__(self, every_n_steps=None):
        self.every_n_steps = every_n_steps
        self.events = []
        self.logged = {}

    def on_log(self, run, step, metrics):
        self.events.append(("log", step))
        self.logged[step] = dict(metrics)

    def on_steps(self, run, step, metrics):
        self.events.append(("steps", step))

    def on_checkpoint(self, run, step, path):
        self.events.append(("save", step))

    def at(self, kind):
        return [step for what, step in self.events if what == kind]


class ListTracker(plx.Tracker):
    """Keeps what it is given."""

    def __init__(self):
        self.rows = []

    def log(self, step, split, metrics):
        self.rows.append((step, split, dict(metrics)))


def endless_nan_after(batches, size=4):
    """A data set of unknown length whose batch number `batches` holds a NaN."""

    def examples():
        for number in range(batches + 4):
            x = tf.random.stateless_normal([size, 4], seed=[1, number])
            yield {"x": x * float("nan") if number == batches else x}, tf.range(size) % 2

    spec = ({"x": tf.TensorSpec([size, 4])}, tf.TensorSpec([size], tf.int32))
    return tf.data.Dataset.from_generator(examples, output_signature=spec)
