"""`xla: auto`: what is quicker is found out once, and kept."""

import json
import time

import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.data.input_fn import as_pipeline
from plx_core.engine import xla_trial
from plx_core.state import Modes

X = np.linspace(-1, 1, 64, dtype=np.float32).reshape(32, 2)
INPUT = plx.inputs.numpy_input_fn({"x": X}, X[:, 0], batch_size=8, num_epochs=None, shuffle=True)


class Program:
    """Takes as long as it is told for a step."""

    def __init__(self, seconds):
        self.seconds, self.log = seconds, []

    def read(self, dataset):
        return dataset

    def run(self, batches, steps):
        if self.seconds is None:
            raise tf.errors.InvalidArgumentError(None, None, "no kernel")
        self.log.append(steps)
        time.sleep(self.seconds * steps)


@pytest.mark.parametrize(
    ("without", "compiled", "expected"),
    [(2e-3, 1e-4, True), (1e-4, 2e-3, False), (1e-3, None, False)],
)
def test_the_quicker_one_is_chosen_once(tmp_path, without, compiled, expected):
    programs = {False: Program(without), True: Program(compiled)}
    pipeline = as_pipeline(INPUT, Modes.TRAIN, 0)

    def rate(xla, rival):
        return xla_trial.steps_per_second(programs[xla], pipeline, rival)

    assert xla_trial.is_faster(tmp_path, rate) is expected
    assert (
        json.loads((tmp_path / "xla.json").read_text())["xla"]
        is xla_trial.stored_result(tmp_path)
        is expected
    )
    tried = list(programs[False].log)
    assert tried == [1, 1, *[xla_trial.STEPS] * (1 + xla_trial.TURNS)]
    assert xla_trial.is_faster(tmp_path, rate) is expected
    assert programs[False].log == tried


def test_what_is_far_slower_is_given_up_early():
    slow = Program(0.15)
    assert xla_trial.steps_per_second(slow, as_pipeline(INPUT, Modes.TRAIN, 0), rival=1000.0) < 10
    assert slow.log == [1, 1]
    assert xla_trial.steps_per_second(slow, as_pipeline(INPUT, Modes.TRAIN, 0), rival=8.0) < 10
    assert slow.log[2:] == [1, 1, *[6] * (1 + xla_trial.TURNS)]


def estimator_of(directory, xla="auto"):
    def model_fn(features, labels, mode):
        graph = plx.Graph(
            layers=[{"Dense": {"units": 4, "activation": "relu"}}, {"Dense": {"units": 1}}]
        )
        return plx.models.Regressor(mode, graph=graph, optimizer="Adam")(features, labels)

    return plx.Estimator(model_fn, directory, plx.EnvironmentConfig(seed=1, xla=xla))


def test_a_run_that_tried_is_the_run_of_its_answer(tmp_path):
    """The trial leaves no trace in the weights, and a resumed run is the same program."""
    tried = estimator_of(tmp_path / "tried").train(INPUT, steps=20)
    answer = json.loads((tmp_path / "tried" / "xla.json").read_text())
    told = estimator_of(tmp_path / "told", answer["xla"]).train(INPUT, steps=20)
    resumed = estimator_of(tmp_path / "tried").train(INPUT, steps=20)
    told.train(INPUT, steps=20)
    assert (tmp_path / "tried" / "xla.json").read_text() == json.dumps(answer)
    for name in tried.get_variable_names():
        np.testing.assert_array_equal(
            resumed.get_variable_value(name), told.get_variable_value(name)
        )
