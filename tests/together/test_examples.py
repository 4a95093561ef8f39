"""Every example runs, as its first lines say, on a few steps."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.examples_run import EXAMPLES, run_example

from plx_core.cli.main import main


def plx(*args):
    result = CliRunner().invoke(main, list(args), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """A folder to run in, where data/ is what `plx data` would have made."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def metrics_of(run, split):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["metrics"] for line in lines if line["split"] == split]


def test_lenet_digits(workplace, digits):
    Path("data/digits").symlink_to(digits)
    result = plx("run", str(EXAMPLES / "lenet_digits.yml"), "--set", "train.train_steps=60")
    assert "run directory: runs/lenet_digits" in result.output
    (metrics,) = metrics_of(workplace / "runs/lenet_digits", "eval")
    assert metrics["accuracy"] > 0.9


def test_lenet_mnist_in_python(workplace, mnist):
    metrics = run_example("lenet_mnist", "run", str(mnist), 20)
    assert metrics["global_step"] == 20
    assert metrics["accuracy"] > 0.7


def test_the_seeds_own_file_reports_eight_metrics_that_equal_scikit_learns(workplace, mnist):
    measures = pytest.importorskip("sklearn.metrics")
    Path("data/mnist").symlink_to(mnist)
    file, few = str(EXAMPLES / "lenet_mnist.yml"), ("--set", "train.train_steps=8")
    plx("run", file, *few)
    plx("predict", file, *few, "--to", "predictions.npz")
    (found,) = metrics_of(workplace / "runs/lenet_mnsit", "eval")
    with np.load("predictions.npz") as stored:
        predicted = dict(stored)
    truth, decided, odds = (
        read_labels(mnist / "mnist_eval.tfrecord"),
        predicted["classes"],
        predicted["probabilities"],
    )
    assert len(truth) == len(decided) == 2000
    wanted, given = np.eye(10)[truth].ravel(), np.eye(10)[decided].ravel()
    (tn, fp), (fn, tp) = measures.confusion_matrix(wanted, given)
    assert [
        found[name]
        for name in ("true_negatives", "false_positives", "false_negatives", "true_positives")
    ] == [tn, fp, fn, tp]
    assert found["accuracy"] == pytest.approx(measures.accuracy_score(truth, decided))
    assert found["precision"] == pytest.approx(
        measures.precision_score(truth, decided, average="micro")
    )
    assert found["recall"] == pytest.approx(measures.recall_score(truth, decided, average="micro"))
    assert found["streaming_auc"] == pytest.approx(measures.roc_auc_score(wanted, odds.ravel()), abs=1e-3)


def read_labels(path):
    import tensorflow as tf

    keys = {"image/class/label": tf.io.FixedLenFeature((), tf.int64)}
    records = tf.data.TFRecordDataset(str(path)).batch(4096)
    return np.concatenate(
        [tf.io.parse_example(batch, keys)["image/class/label"].numpy() for batch in records]
    )
