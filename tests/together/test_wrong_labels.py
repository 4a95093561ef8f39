"""Labels that are no class: found by `plx check` where the data says how many there are, and named where they are read."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml
from click.testing import CliRunner

import plx_core as plx
from plx_core.cli.main import main
from plx_core.data.arrays import numpy_input_fn
from plx_core.errors import DataError

pytest.importorskip("plx_layers")
pytest.importorskip("plx_pipelines")

CLASSES = 5
RUN = plx.RunConfig(save_summary_steps=None, log_step_count_steps=None)


def write_images(path, labels):
    from plx_pipelines.records.encoding import bytes_feature, encode_example, int64_feature
    from plx_pipelines.records.tfrecord import write_records

    records = [
        encode_example(
            {
                "image/encoded": bytes_feature([bytes([number] * 16)]),
                "image/format": bytes_feature([b"raw"]),
                "image/class/label": int64_feature([label]),
            }
        )
        for number, label in enumerate(labels)
    ]
    write_records(path, records)


def invoke(folder, command, train=(0, 1, 2), evaluation=(0, 1, 2), num_classes=CLASSES, **params):
    """The result of a command for a classifier of images with these labels."""
    for name, labels in (("train", train), ("eval", evaluation)):
        write_images(folder / f"{name}.tfrecord", labels)
    meta = {"height": 4, "width": 4, "channels": 1, "num_classes": num_classes}
    (folder / "meta.json").write_text(json.dumps(meta))

    def data(name):
        options = {"data_files": f"{name}.tfrecord", "meta_data_file": "meta.json", "batch_size": 2}
        return {"TFRecordImagePipeline": options}

    layers = ["Cast", "Flatten", {"Dense": {"units": CLASSES}}]
    config = {
        "version": 1,
        "model": {"classifier": {"graph": {"layers": layers}, **params}},
        "train": {"train_steps": 4, "data_pipeline": data("train")},
        "eval": {"data_pipeline": data("eval")},
    }
    (folder / "a.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    before = Path.cwd()
    os.chdir(folder)
    try:
        return CliRunner().invoke(main, [command, "a.yml"])
    finally:
        os.chdir(before)


@pytest.mark.parametrize("one_hot_encode", [False, True])
@pytest.mark.parametrize("label", [CLASSES, -1, 2**62])
def test_a_run_names_the_record(tmp_path, label, one_hot_encode):
    result = invoke(tmp_path, "run", train=(0, 1, label, 2), one_hot_encode=one_hot_encode)
    assert result.exit_code == 1, result.output
    assert "train.tfrecord: record 2 at byte" in result.output
    assert f"label label is {label}; expected 0 to 4" in " ".join(result.output.split())
    assert "Traceback" not in result.output


def test_an_evaluation_names_the_record(tmp_path):
    result = invoke(tmp_path, "run", evaluation=(0, 1, 2, 7), one_hot_encode=True)
    assert result.exit_code == 1, result.output
    assert "eval.tfrecord: record 3 at byte" in result.output


def test_check_compares_the_classes_of_the_metadata(tmp_path):
    result = invoke(tmp_path, "check", num_classes=CLASSES + 2)
    assert result.exit_code == 2
    assert result.output.startswith("a.yml:3:3 model.classifier: the data has 7 classes, label")
    assert "label label from 0 to 6; the model has 5" in result.output
    assert invoke(tmp_path, "check").exit_code == 0
    assert "num_classes 'ten'" in invoke(tmp_path, "check", num_classes="ten").output


def estimator(path, units=CLASSES, shape=(), **params):
    def model_fn(features, labels, mode):
        graph = plx.Graph(layers=[{"Dense": {"units": units}}])
        return plx.models.Classifier(mode, graph=graph, **params)(features, labels)

    return plx.Estimator(model_fn, path, RUN, trackers=())


def test_sequences_as_long_as_there_are_classes(tmp_path):
    y = np.array([[0, 1, 2, 3, 4], [4, 3, 2, 1, 5]])
    with pytest.raises(DataError, match=r"example 1: label label is 5 at position \[4\]"):
        estimator(tmp_path).train(
            numpy_input_fn({"x": np.ones((2, 5, 3), "float32")}, y, 2, 1, shuffle=False)
        )


@pytest.mark.parametrize(
    ("labels", "params", "message"),
    [
        ([0, 1, 4, 9], {}, "example 3: label label is 9; expected 0 to 4"),
        ([0.0, 1.0, 2.5, 3.0], {}, "example 2: label label is 2.5; expected 0 to 4"),
        (
            [[0, 1], [2, 255], [3, 9], [0, 0]],
            {"padding_label": 255},
            r"example 2: label label is 9 at position \[1\]; expected 0 to 4, or 255 for padding",
        ),
        (
            [[0, 1, 0, 0, 0], [0, 1, 0, 2, 0], [0, 0, 0, 0, 0], [1, 1, 0, 0, 0]],
            {"loss": "SigmoidCrossEntropy"},
            r"example 1: label label is 2 at position \[3\]; expected 0 to 1",
        ),
        (
            [0, 1, 2, 1],
            {"units": 1, "loss": "SigmoidCrossEntropy"},
            "example 2: label label is 2; expected 0 to 1",
        ),
    ],
)
def test_labels_of_every_form_are_compared(tmp_path, labels, params, message):
    y = np.array(labels)
    is_sequence = "padding_label" in params
    x = np.ones((4, 2, 3) if is_sequence else (4, 3), "float32")
    run = estimator(tmp_path, **params)
    with pytest.raises(DataError, match=message):
        run.train(numpy_input_fn({"x": x}, y, 2, 1, shuffle=False))


def test_a_shuffled_endless_stream_names_the_example(tmp_path):
    y = np.zeros(40, "int64")
    y[17] = CLASSES
    with pytest.raises(DataError, match="example 17: label label is 5"):
        estimator(tmp_path).train(
            numpy_input_fn({"x": np.ones((40, 3), "float32")}, y, 8, None, shuffle=True, seed=3),
            max_steps=20,
        )


def test_the_label_of_padding_need_not_be_a_class(tmp_path):
    y = np.array([[0, 1], [2, 255], [3, 255], [0, 0]])
    x = np.random.default_rng(1).normal(size=(4, 2, 3)).astype("float32")
    run = estimator(tmp_path, padding_label=255, metrics=["Accuracy"])
    feed = numpy_input_fn({"x": x}, y, 4, 1, shuffle=False)
    metrics = run.train(feed).evaluate(feed)
    decided = np.stack([row["classes"] for row in run.predict(feed)])
    assert metrics["accuracy"] == pytest.approx((decided == y)[y != 255].mean())


def test_heads_compare_each_its_own_label(tmp_path):
    def model_fn(features, labels, mode):
        layers = [
            {"Dense": {"units": 3, "name": "kind", "inbound_nodes": "x"}},
            {"Dense": {"units": 2, "name": "sort", "inbound_nodes": "x"}},
        ]
        heads = {
            "kind": plx.models.Classifier(mode),
            "sort": plx.models.Classifier(mode, label="b"),
        }
        graph = plx.Graph(layers=layers, output_layers=["kind", "sort"])
        return plx.models.MultiHead(mode, graph=graph, heads=heads)(features, labels)

    labels = {"kind": np.array([0, 2, 1, 2]), "b": np.array([0, 1, 1, 2])}
    with pytest.raises(DataError, match="example 3: label b is 2; expected 0 to 1"):
        plx.Estimator(model_fn, tmp_path, RUN, trackers=()).train(
            numpy_input_fn({"x": np.ones((4, 3), "float32")}, labels, 2, 1, shuffle=False)
        )


def test_a_data_set_of_tensorflow_names_the_batch(tmp_path):
    x, y = np.ones((6, 3), "float32"), np.array([0, 1, 2, 3, 4, 5])
    data = tf.data.Dataset.from_tensor_slices(({"x": x}, y)).batch(4)
    with pytest.raises(DataError, match="row 1 of batch 1, counted from 0: label label is 5"):
        estimator(tmp_path).train(lambda: data)
