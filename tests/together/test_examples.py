"""The supervised examples run, each for a few steps, on their own data or on a stand-in for it.

The examples of folders, texts and captions are in test_examples_of_pipelines.py.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.examples_run import EXAMPLES, evaluations, plx, run_file, run_script

from plx_pipelines.records.splits import prepare_images

STEPS = 3
FEW_STEPS = f"train.train_steps={STEPS}"
PREPARE = re.compile(r"^# .* The data is a table:\n#\n((?:#   .*\n)+)#\n", re.MULTILINE)
"""The lines in the head of an example that make its data, where no `plx data` does."""
SMALLER = (
    (r"\b(filters\W+)\d+", r"\g<1>3"),
    (r"\b(units\W+)(4096|512|128|64)\b", r"\g<1>4"),
    (r"\b(output_dim\W+)128", r"\g<1>4"),
    (r"\b(max_length\W+)100", r"\g<1>8"),
    (r"\b(batch_size\W+)\d+", r"\g<1>4"),
)
"""What makes an example quick enough for a test: patterns and replacements."""


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Run in a temporary folder."""
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()


def shrink(name):
    """Write a smaller copy of an example to the folder `small`, and return the folder."""
    text = (EXAMPLES / f"{name}.yml").read_text()
    for pattern, replacement in SMALLER:
        text = re.sub(pattern, replacement, text)
    Path("small").mkdir()
    Path("small", f"{name}.yml").write_text(text)
    return Path("small")


def make_table(name):
    """Run the commands in the head of an example."""
    (lines,) = PREPARE.findall((EXAMPLES / f"{name}.yml").read_text())
    script = re.sub("^#   ", "", lines, flags=re.MULTILINE)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-e", "-c", script],
        check=True,
        env=os.environ | {"PATH": path},
        capture_output=True,
    )


def images_of(folder):
    return sorted(path.name for path in Path(folder, "images").iterdir())


@pytest.mark.curves
def test_lenet_digits(digits):
    Path("data/digits").symlink_to(digits)
    result = plx("run", EXAMPLES / "lenet_digits.yml", "--set", "train.train_steps=60")
    assert "run directory: runs/lenet_digits (curves in curves.png)" in result.output
    (line,) = evaluations("lenet_digits")
    assert line["metrics"]["accuracy"] > 0.9


def test_lenet_mnist_in_python(mnist):
    metrics = run_script("lenet_mnist", "run", str(mnist), 20)
    assert metrics["global_step"] == 20
    assert metrics["accuracy"] > 0.7


def test_the_seeds_own_file_reports_eight_metrics_that_equal_scikit_learns(mnist):
    measures = pytest.importorskip("sklearn.metrics")
    Path("data/mnist").symlink_to(mnist)
    file, few = EXAMPLES / "lenet_mnist.yml", ("--set", "train.train_steps=8")
    plx("run", file, *few)
    plx("predict", file, *few, "--to", "predictions.npz")
    metrics = evaluations("lenet_mnsit")[-1]["metrics"]
    with np.load("predictions.npz") as predictions:
        classes, probabilities = predictions["classes"], predictions["probabilities"]
    labels = read_labels(mnist / "mnist_eval.tfrecord")
    assert len(labels) == len(classes) == 2000
    expected, actual = np.eye(10)[labels].ravel(), np.eye(10)[classes].ravel()
    (tn, fp), (fn, tp) = measures.confusion_matrix(expected, actual)
    names = ("true_negatives", "false_positives", "false_negatives", "true_positives")
    assert [metrics[name] for name in names] == [tn, fp, fn, tp]
    scores = {
        "accuracy": measures.accuracy_score(labels, classes),
        "precision": measures.precision_score(labels, classes, average="micro"),
        "recall": measures.recall_score(labels, classes, average="micro"),
    }
    assert {name: metrics[name] for name in scores} == pytest.approx(scores)
    auc = measures.roc_auc_score(expected, probabilities.ravel())
    assert metrics["auc"] == pytest.approx(auc, abs=3e-3)  # Keras's AUC has 200 thresholds


def read_labels(path):
    import tensorflow as tf

    keys = {"image/class/label": tf.io.FixedLenFeature((), tf.int64)}
    records = tf.data.TFRecordDataset(str(path)).batch(4096)
    return np.concatenate(
        [tf.io.parse_example(batch, keys)["image/class/label"].numpy() for batch in records]
    )


@pytest.mark.parametrize("name", ["autoencoder", "conv_autoencoder", "denoising_autoencoder"])
def test_autoencoders(digits, name):
    Path("data/digits").symlink_to(digits)
    assert run_file(name, FEW_STEPS)["step"] == STEPS
    assert images_of(f"runs/{name}") == [f"{STEPS:09d}_reconstructions.png"]


def test_a_variational_autoencoder_in_both_forms(digits):
    """The digits have the shape of MNIST's, and take their place."""
    Path("data/mnist").mkdir()
    for path in digits.iterdir():
        Path("data/mnist", path.name.replace("digits", "mnist")).symlink_to(path)
    from_file = run_file("variational_autoencoder", FEW_STEPS)["metrics"]
    from_script = run_script("variational_autoencoder", "python", "data/mnist", STEPS)
    assert from_script == pytest.approx(from_file | {"global_step": STEPS}, rel=1e-5, abs=1e-6)
    kinds = ("generated", "reconstructions", "traversal")
    for folder in ("runs/variational_autoencoder", "python"):
        assert images_of(folder) == [f"{STEPS:09d}_{kind}.png" for kind in kinds]


@pytest.mark.slow
def test_the_loss_of_a_variational_autoencoder_of_mnist_falls_by_half_in_two_of_its_five_epochs(
    mnist,
):
    Path("data/mnist").symlink_to(mnist)
    line = run_file("variational_autoencoder", "train.train_steps=500")
    undecided = 28 * 28 * np.log(2)
    assert line["step"] == 500
    assert line["metrics"]["loss"] < min(0.5 * undecided, 150)
    losses = [line["metrics"]["loss"] for line in evaluations("variational_autoencoder")]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("name", ["diabetes", "multi_head_iris", "time_series", "xor"])
def test_tables(name):
    pytest.importorskip("sklearn", reason="scikit-learn brings the data")
    make_table(name)
    line = run_file(name, FEW_STEPS)
    assert line["step"] == STEPS
    assert np.isfinite(list(line["metrics"].values())).all()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("alexnet_flowers17", (80, 80, 3)),
        ("convnet_cifar10", (32, 32, 3)),
        ("vgg19_flowers17", (32, 32, 3)),
    ],
)
def test_networks_for_photographs_on_noise(name, shape):
    """Their data sets are large downloads; smaller networks on smaller images run the files."""
    data = name.rpartition("_")[2]
    rng = np.random.default_rng(0)
    splits = {
        split: (rng.integers(0, 256, (8, *shape), np.uint8), np.arange(8))
        for split in ("train", "eval")
    }
    names = [str(number) for number in range(8)]
    prepare_images(data, f"data/{data}", "raw", lambda: splits, names)
    assert run_file(name, FEW_STEPS, folder=shrink(name))["step"] == STEPS


@pytest.mark.parametrize("name", ["imdb_bidirectional_lstm", "imdb_lstm"])
def test_readers_of_reviews_on_a_few_words(name):
    Path("imdb").mkdir()
    for opinion in ("good", "bad"):
        lines = [f"a {opinion} film, {opinion} to the end {number}" for number in range(10)]
        Path("imdb", f"{opinion}.txt").write_text("\n".join(lines) + "\n")
    plx("data", "convert", "imdb", "data/imdb", "--eval-every", "5")
    assert run_file(name, FEW_STEPS, folder=shrink(name))["step"] == STEPS


def test_no_supervised_example_is_missing_here():
    tests = "".join(
        Path(__file__).with_name(f"test_examples{part}.py").read_text()
        for part in ("", "_of_pipelines")
    )
    supervised = [path for path in EXAMPLES.glob("*.yml") if "data_pipeline" in path.read_text()]
    assert [path.stem for path in supervised if f'"{path.stem}' not in tests] == []
