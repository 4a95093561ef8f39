"""The metric gives what scikit-learn itself gives."""

import numpy as np
import pytest
from plx_sklearn_metrics.score import SCORES, SklearnScore

from plx_core import testing


@pytest.mark.parametrize("score", SCORES)
def test_it_is_scikit_learns_over_many_batches(score):
    rng = np.random.default_rng(1)
    labels, outputs = rng.integers(0, 4, 200), rng.random((200, 4)).astype("float32")
    metric = SklearnScore(score, 4)
    for start in range(0, 200, 30):
        metric.update_state(labels[start : start + 30], outputs[start : start + 30])
    assert float(metric.result()) == pytest.approx(
        SCORES[score](labels, outputs.argmax(axis=1)), abs=1e-6
    )


def test_one_hot_labels_count_alike():
    labels, outputs = np.array([0, 2, 1]), np.eye(3, dtype="float32")
    plain, one_hot = SklearnScore("cohen_kappa", 3), SklearnScore("cohen_kappa", 3)
    plain.update_state(labels, outputs)
    one_hot.update_state(np.eye(3)[labels], outputs)
    assert float(plain.result()) == float(one_hot.result())


def test_an_unknown_score_is_named():
    with pytest.raises(ValueError, match="expected one of balanced_accuracy"):
        SklearnScore("accuracy", 3)


def test_every_part_passes_its_check():
    results = testing.check_plugin("plx_sklearn_metrics.plugin")
    assert {result.outcome for result in results} == {"passed"}
