"""Convert folders, arrays and texts to record files, and read them with the pipelines."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tests.contract import batches_of

from plx_core.cli.main import main
from plx_core.errors import CorruptData, DataError
from plx_pipelines.commands.converting import (
    convert_arrays,
    convert_images,
    convert_pairs,
    convert_texts,
    find_form,
)
from plx_pipelines.commands.inspecting import verify
from plx_pipelines.pipelines.images import TFRecordImagePipeline
from plx_pipelines.pipelines.sequences import TFRecordSequencePipeline
from plx_pipelines.pipelines.text_pairs import TFRecordSourceSequencePipeline
from plx_pipelines.text.tokens import Tokenizer
from plx_pipelines.text.vocabularies import Vocabulary


def plx(*arguments):
    return CliRunner().invoke(
        main, [str(argument) for argument in arguments], catch_exceptions=False
    )


def read(pipeline, metadata, split, **further):
    batches = batches_of(
        pipeline(
            metadata["files"][split],
            metadata["meta_data_file"],
            batch_size=100,
            mode="eval",
            **further,
        )
    )
    assert len(batches) == 1
    return batches[0]


@pytest.fixture
def folder(tmp_path):
    """Seven images of two classes; the colour of an image is its number."""
    for number in range(7):
        path = tmp_path / "animals" / ("ant" if number < 4 else "bee") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 4), (number, 10, 20)).save(path)
    return tmp_path / "animals"


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_images(folder, tmp_path, shards, encoding):
    metadata = convert_images(folder, tmp_path / "out", encoding=encoding, shards=shards)
    assert metadata["num_samples"] == {"train": 7}
    assert metadata["labels_to_classes"] == {"0": "ant", "1": "bee"}
    names = sorted(
        path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")
    )
    assert names[0] == (
        "animals_train.tfrecord" if shards == 1 else "animals_train-00000-of-00003.tfrecord"
    )
    assert len(names) == shards + 1
    features, labels = read(TFRecordImagePipeline, metadata, "train")
    labels_by_colour = dict(
        zip(features["image"][:, 3, 4, 0].tolist(), labels["label"].tolist(), strict=True)
    )
    assert labels_by_colour == {0: 0, 1: 0, 2: 0, 3: 0, 4: 1, 5: 1, 6: 1}


def test_images_are_resized_held_out_and_made_grey(folder, tmp_path):
    Image.new("L", (9, 9), 200).save(folder / "bee" / "9.png")
    metadata = convert_images(
        folder, tmp_path / "out", "name", eval_every=2, size=(2, 3), channels=1
    )
    assert metadata["num_samples"] == {"train": 4, "eval": 4}
    features, labels = read(TFRecordImagePipeline, metadata, "eval")
    assert features["image"].shape == (4, 2, 3, 1)
    assert labels["label"].tolist() == [0, 0, 1, 1]
    assert features["image"][-1].ravel().tolist() == [200] * 6


def test_images_of_several_sizes_and_files_that_are_none(folder, tmp_path):
    Image.new("RGB", (9, 9)).save(folder / "bee" / "9.png")
    with pytest.raises(DataError, match=r"9\.png is 9 x 9 and .*0\.png is 4 x 5; give a size"):
        convert_images(folder, tmp_path / "out")
    (folder / "bee" / "9.png").write_bytes(b"nothing")
    with pytest.raises(CorruptData, match=r"9\.png is not an image"):
        convert_images(folder, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    (folder / "bee" / "9.png").unlink()
    convert_images(folder, tmp_path / "out")
    with pytest.raises(DataError, match="holds a data set already"):
        convert_images(folder, tmp_path / "out")
    with pytest.raises(DataError, match="7 records are too few for 8 files"):
        convert_images(folder, tmp_path / "other", shards=8)
    assert not (tmp_path / "other" / "meta_data.json").exists()


def test_arrays_of_images(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (12, 3, 4), np.uint8)
    np.savez(tmp_path / "some.npz", x=pixels, y=np.arange(12) % 3)
    metadata = convert_arrays(tmp_path / "some.npz", tmp_path / "out", eval_every=4, shards=2)
    assert metadata["num_samples"] == {"train": 9, "eval": 3}
    features, labels = read(TFRecordImagePipeline, metadata, "eval")
    np.testing.assert_array_equal(np.sort(labels["label"]), [0, 1, 2])
    np.testing.assert_array_equal(features["image"][0, ..., 0], pixels[9])


def test_arrays_of_anything(tmp_path):
    rng = np.random.default_rng(1)
    arrays = {
        "a": rng.normal(size=(5, 2, 3)).astype("f4"),
        "b": rng.integers(-9, 9, 5),
        "c": np.array(list("abcdé")),
        "y": rng.normal(size=5),
    }
    metadata = convert_arrays(arrays, tmp_path / "out")
    features, labels = read(TFRecordSequencePipeline, metadata, "train")
    np.testing.assert_array_equal(features["a"], arrays["a"])
    np.testing.assert_array_equal(features["b"], arrays["b"])
    assert [text.decode() for text in features["c"]] == list("abcdé")
    np.testing.assert_allclose(labels["y"], arrays["y"], rtol=1e-6)
    assert set(labels) == {"y"}


@pytest.mark.parametrize(
    "arrays, message",
    [
        (
            {"x": np.zeros((3, 2)), "y": np.zeros(4)},
            r"of the same size; the shapes are x \(3, 2\), y \(4,\)",
        ),
        ({"x": np.zeros(3, complex)}, "the array x has the dtype complex128"),
        ({"x": np.zeros(0)}, "no examples"),
        ({"x": np.zeros(())}, "first axis of the same size"),
    ],
)
def test_arrays_that_are_refused(tmp_path, arrays, message):
    with pytest.raises(DataError, match=message):
        convert_arrays(arrays, tmp_path / "out")
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read as arrays"):
        convert_arrays(tmp_path / "x.npz", tmp_path / "out")
    with pytest.raises(DataError, match="there is no array z; there are x"):
        convert_arrays({"x": np.zeros(3)}, tmp_path / "out", labels=["z"])


@pytest.mark.parametrize("form", ["files", "folders"])
def test_texts(tmp_path, form):
    texts = {"de": ["ein Hund", "eine Katze und ein Hund"], "en": ["a dog", "a cat", "the cat"]}
    for name, lines in texts.items():
        (tmp_path / "in" / name).mkdir(parents=True)
        if form == "folders":
            for number, line in enumerate(lines):
                (tmp_path / "in" / name / f"{number}.txt").write_text(line.replace(" und", "\nund"))
        else:
            (tmp_path / "in" / name).rmdir()
            (tmp_path / "in" / f"{name}.txt.gz").write_bytes(
                gzip.compress("\n".join([*lines, "", ""]).encode())
            )
    metadata = convert_texts(
        tmp_path / "in", tmp_path / "out", tokenizer=Tokenizer(lowercase=True), vocabulary_size=9
    )
    assert metadata["labels_to_classes"] == {"0": "de", "1": "en"}
    vocabulary = Vocabulary.load(tmp_path / "out" / metadata["vocabulary"])
    assert len(vocabulary) == metadata["vocabulary_size"] == 9
    features, labels = read(TFRecordSequencePipeline, metadata, "train")
    assert labels["label"].tolist() == [0, 0, 1, 1, 1]
    assert features["source_len"].tolist() == [2, 5, 2, 2, 2]
    assert vocabulary.decode(features["source_token"][1]) == [
        "<unk>",
        "<unk>",
        "<unk>",
        "ein",
        "hund",
    ]


def test_pairs(tmp_path):
    (tmp_path / "a.en").write_text("A dog.\nA cat.\n")
    (tmp_path / "a.de").write_text("Ein Hund.\nEine Katze.\n")
    metadata = convert_pairs(
        tmp_path / "a.en",
        tmp_path / "a.de",
        tmp_path / "out",
        tokenizer=Tokenizer(split_punctuation=True),
    )
    assert metadata["num_samples"] == {"train": 2}
    pipeline = TFRecordSourceSequencePipeline(
        metadata["files"]["train"],
        source_vocabulary=str(tmp_path / "out" / metadata["source_vocabulary"]),
        target_vocabulary=str(tmp_path / "out" / metadata["target_vocabulary"]),
        split_punctuation=True,
        mode="eval",
    )
    ((features, labels),) = batches_of(pipeline)
    assert features["source_len"].tolist() == [3, 3]
    assert 1 not in features["source_token"]
    assert 1 not in labels["label"]
    (tmp_path / "a.de").write_text("Ein Hund.\n")
    with pytest.raises(DataError, match="has 2 lines and .* 1; their lines must correspond"):
        convert_pairs(tmp_path / "a.en", tmp_path / "a.de", tmp_path / "other")


def test_the_command(folder, tmp_path):
    result = plx(
        "data",
        "convert",
        folder,
        tmp_path / "out",
        "--shards",
        2,
        "--eval-every",
        3,
        "--size",
        "8x6",
        "--channels",
        1,
        "--encoding",
        "raw",
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:2] == [
        "pipeline: TFRecordImagePipeline",
        "num_samples: {'train': 5, 'eval': 2}",
    ]
    meta_data = json.loads((tmp_path / "out" / "meta_data.json").read_text())
    assert [meta_data[key] for key in ("name", "height", "width", "channels", "shards")] == [
        "animals",
        8,
        6,
        1,
        2,
    ]
    assert verify(str(tmp_path / "out" / "*.tfrecord")).exit_code == 0
    np.savez(tmp_path / "x.npz", a=np.zeros(3), b=np.arange(3))
    assert (
        plx("data", "convert", tmp_path / "x.npz", tmp_path / "arrays", "--label", "b").exit_code
        == 0
    )
    assert json.loads((tmp_path / "arrays" / "meta_data.json").read_text())["labels"] == ["b"]
    (tmp_path / "t").write_text("x y\n")
    result = plx(
        "data",
        "convert",
        tmp_path / "t",
        tmp_path / "pairs",
        "--target",
        tmp_path / "t",
        "--delimiter",
        "",
    )
    assert result.exit_code == 0
    assert (tmp_path / "pairs" / "source_vocabulary.txt").read_text().split("\n")[4:] == [
        " ",
        "x",
        "y",
        "",
    ]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--size", "3"], "expected height x width"),
        (["--lowercase"], "--lowercase is not for images, and the source has images"),
        (["--label", "y"], "--label is not for images"),
        (["--eval-every", "5"], "eval_every: 5 leaves 7 of 7 examples"),
    ],
)
def test_the_command_explains(folder, tmp_path, arguments, message):
    result = plx("data", "convert", folder, tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_converted(tmp_path):
    (tmp_path / "x.csv").write_text("a,b")
    for source in (tmp_path, tmp_path / "x.csv"):
        with pytest.raises(DataError, match="cannot be converted; expected"):
            find_form(Path(source))
