"""The pipeline: its numbers, its errors, and the checks of plx."""

import numpy as np
import pytest
from plx_jsonl.examples import houses
from plx_jsonl.pipeline import JSONLinesPipeline

from plx_core import testing
from plx_core.errors import CorruptData, DataError


def test_the_numbers_are_those_of_the_lines(tmp_path):
    pipeline = JSONLinesPipeline(**houses(tmp_path)["params"], batch_size=4, mode="eval")
    (features, labels), *_ = pipeline.dataset().as_numpy_iterator()
    assert features["x"].tolist() == [[0.0, 0.0], [1.0, 0.5], [2.0, 1.0], [3.0, 1.5]]
    assert labels.tolist() == [[0.0], [1.0], [2.0], [3.0]]
    assert pipeline.num_batches == 3


def test_a_line_that_is_no_json_is_named(tmp_path):
    params = houses(tmp_path)["params"]
    path = tmp_path / "0.jsonl"
    path.write_text(path.read_text().replace('{"size": [3', '{"size" [3'))
    pipeline = JSONLinesPipeline(**params, mode="eval")
    with pytest.raises(Exception, match="not a line of JSON"):
        list(pipeline.dataset())
    assert isinstance(pipeline.failure(), CorruptData)
    assert f"{path}, at byte" in str(pipeline.failure())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data_files": "nowhere/*.jsonl"}, "there is no file nowhere"),
        ({"labels": "cost"}, "labels: expected a number or a list of numbers in cost, got None"),
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


def test_every_part_passes_its_check():
    results = testing.check_plugin("plx_jsonl.plugin")
    assert {result.outcome for result in results} == {"passed"}
