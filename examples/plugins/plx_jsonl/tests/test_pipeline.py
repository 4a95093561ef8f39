"""The batches and errors of the pipeline, and the checks of plx."""

import numpy as np
import pytest
import tensorflow as tf
from plx_jsonl.examples import houses
from plx_jsonl.pipeline import JSONLinesPipeline

from plx_core import testing
from plx_core.errors import CorruptData, DataError


def test_batches_hold_the_numbers_of_the_lines(tmp_path):
    pipeline = JSONLinesPipeline(**houses(tmp_path)["params"], batch_size=4, mode="eval")
    (features, labels), *_ = pipeline.dataset().as_numpy_iterator()
    assert features["x"].tolist() == [[0.0, 0.0], [1.0, 0.5], [2.0, 1.0], [3.0, 1.5]]
    assert labels.tolist() == [[0.0], [1.0], [2.0], [3.0]]
    assert pipeline.num_batches == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"size" [3, 1.5], "price": 3.0}', "0.jsonl, at byte 99: not a line of JSON"),
        ("[3, 1.5, 3.0]", "0.jsonl, at byte 99: expected an object, got a list"),
        ('{"size": [3], "price": 3.0}', "expected 2 numbers in size, as in the first line"),
        ('{"size": "3", "price": 3.0}', "expected a number or a list of numbers in size, got '3'"),
    ],
)
def test_a_corrupt_line_is_located(tmp_path, line, message):
    params = houses(tmp_path)["params"]
    path = tmp_path / "0.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:3], line, *lines[4:]]) + "\n")
    pipeline = JSONLinesPipeline(**params, mode="eval")
    with pytest.raises(tf.errors.OpError):
        list(pipeline.dataset())
    failure = pipeline.failure()
    assert isinstance(failure, CorruptData)
    assert str(failure).startswith("example 3: ")
    assert message in str(failure)
    assert "plx_core.errors" not in str(failure)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_files": "nowhere/*.jsonl"}, "there is no file nowhere"),
        ({"labels": "cost"}, "expected a number or a list of numbers in cost, got None"),
    ],
)
def test_wrong_parameters_are_explained(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        JSONLinesPipeline(**houses(tmp_path)["params"] | change)


def test_an_epoch_has_every_line_once(tmp_path):
    pipeline = JSONLinesPipeline(
        **houses(tmp_path)["params"], batch_size=3, num_epochs=2, shuffle=True, seed=1
    )
    labels = np.concatenate(
        [labels.ravel() for _, labels in pipeline.dataset().as_numpy_iterator()]
    )
    assert sorted(labels[:10]) == sorted(labels[10:]) == list(range(10))
    assert labels[:10].tolist() != labels[10:].tolist()


def test_the_plugin_passes_its_checks():
    results = testing.check_plugin("plx_jsonl.plugin")
    assert {result.outcome for result in results} == {"passed"}
