"""The examples of text and images: prepared, checked and run by their commands, and better than always answering with frequencies."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from plx_core.cli.main import main
from plx_pipelines.pipelines.captions import ImageCaptioningPipeline
from plx_pipelines.pipelines.folders import ImageFolderPipeline
from plx_pipelines.pipelines.text_pairs import TFRecordSourceSequencePipeline
from plx_pipelines.text.tokens import read_lines

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """A folder to run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plx(*arguments):
    result = CliRunner().invoke(
        main, [str(argument) for argument in arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result


def run(name, **settings):
    """The metrics of the evaluation at the end."""
    plx(
        "run",
        EXAMPLES / f"{name}.yml",
        *(
            part
            for key, value in settings.items()
            for part in ("--set", f"{key.replace('__', '.')}={value}")
        ),
    )
    lines = [
        json.loads(line) for line in Path("runs", name, "metrics.jsonl").read_text().splitlines()
    ]
    return [line["metrics"] for line in lines if line["split"] == "eval"][-1]


def unigram_loss(train, evaluation):
    """The cross-entropy of a token, where each is expected as often as it occurs in training; padding is left out."""

    def tokens(pipeline):
        return np.concatenate(
            [
                labels["label"][labels["label"] > 0]
                for _, labels in pipeline.dataset().as_numpy_iterator()
            ]
        )

    counts = np.bincount(tokens(train), minlength=10_000) + 1.0
    return -np.log(counts / counts.sum())[tokens(evaluation)].mean()


def test_image_folder():
    plx("data", "shapes", "--set", "count=300")
    metrics = run("image_folder", train__train_steps=90)
    assert metrics["loss"] < 0.8 < np.log(3)
    found = ImageFolderPipeline("data/shapes/eval", 32, 32, mode="eval")
    assert found.classes == ["circle", "square", "triangle"]
    assert sum(len(labels["label"]) for _, labels in found.dataset().as_numpy_iterator()) == 50


def test_captioning():
    plx("data", "shapes")
    written = Path("data/shapes/meta_data.json").stat().st_mtime_ns
    plx("data", "shapes")
    assert Path("data/shapes/meta_data.json").stat().st_mtime_ns == written
    splits = [
        ImageCaptioningPipeline(
            f"data/shapes/shapes_{split}.tfrecord", "data/shapes/meta_data.json", mode="eval"
        )
        for split in ("train", "eval")
    ]
    metrics = run("captioning", train__train_steps=120)
    assert metrics["loss"] < 0.5 * unigram_loss(*splits)


def test_text_classifier(shared):
    Path("languages").mkdir()
    for language in ("en", "de"):
        Path("languages", f"{language}.txt.gz").write_bytes(
            (shared("multi30k") / f"val.{language}.gz").read_bytes()
        )
    plx(
        "data",
        "convert",
        "languages",
        "data/languages",
        "--eval-every",
        20,
        "--delimiter",
        "",
        "--lowercase",
        "--vocabulary-size",
        60,
    )
    metrics = run("text_classifier", train__train_steps=100)
    assert metrics["loss"] < 0.5 < np.log(2)


def test_translation(shared):
    """Learnt by heart, from a few sentences."""
    Path("source").mkdir()
    for language in ("en", "de"):
        lines = b"\n".join(read_lines([str(shared("multi30k") / f"val.{language}.gz")])[:64])
        for part in ("train", "val"):
            Path("source", f"{part}.{language}.gz").write_bytes(gzip.compress(lines))
    plx("data", "text-pairs", "--source", "source")
    parameters = {
        f"{side}_vocabulary": f"data/text-pairs/{side}_vocabulary.txt"
        for side in ("source", "target")
    }
    splits = [
        TFRecordSourceSequencePipeline(
            f"data/text-pairs/text-pairs_{split}.tfrecord",
            **parameters,
            lowercase=True,
            split_punctuation=True,
            mode="eval",
        )
        for split in ("train", "eval")
    ]
    metrics = run(
        "translation", train__train_steps=50, model__classifier__optimizer__Adam__learning_rate=0.01
    )
    assert metrics["loss"] < 0.75 * unigram_loss(*splits)
