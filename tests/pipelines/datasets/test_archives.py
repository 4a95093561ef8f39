"""Data sets from archives or text files, prepared from a folder, an archive and a download."""

import hashlib
import io
import tarfile

import numpy as np
import pytest
from PIL import Image
from tests.contract import batches_of

from plx_core.errors import CorruptData, DataError
from plx_pipelines.commands.inspecting import verify
from plx_pipelines.datasets import cifar10, flowers17, imdb, text_pairs
from plx_pipelines.datasets.downloading import Remote
from plx_pipelines.pipelines.images import TFRecordImagePipeline
from plx_pipelines.pipelines.sequences import TFRecordSequencePipeline
from plx_pipelines.pipelines.text_pairs import TFRecordSourceSequencePipeline
from plx_pipelines.text.vocabularies import Vocabulary

RNG = np.random.default_rng(0)
PIXELS = {
    name: RNG.integers(0, 256, (5, 3, 32, 32), np.uint8)
    for name in ("data_batch_1", "data_batch_2", "test_batch")
}


def jpeg(colour, size=(20, 10)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "jpeg", quality=95)
    return buffer.getvalue()


FILES = {
    cifar10: {
        f"cifar-10-batches-bin/{name}.bin": b"".join(
            bytes([row]) + image.tobytes() for row, image in enumerate(images)
        )
        for name, images in PIXELS.items()
    },
    imdb: {
        f"aclImdb/{part}/{label}/{number}_9.txt": f"A {word} film,<br /><br />number {number}.".encode()
        for part in ("train", "test")
        for label, word in (("neg", "dull"), ("pos", "Great"), ("unsup", "odd"))
        for number in range(3)
    },
    flowers17: {
        f"jpg/image_{number:04}.jpg": jpeg((number % 80, 200, 100))
        for number in (*range(1, 12), *range(1351, 1361))
    },
}


def lay_out(files, folder, archive):
    """Write the files into a folder, or into an archive in it."""
    folder.mkdir()
    if archive is None:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return folder
    with tarfile.open(folder / archive, "w:gz") as packed:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            packed.addfile(member, io.BytesIO(content))
    return folder


@pytest.fixture(params=["folder", "archive", "download"])
def prepared(request, tmp_path, monkeypatch):
    """A function that prepares a data set from each of the three sources."""

    def prepare(dataset, **further):
        folder = lay_out(
            FILES[dataset],
            tmp_path / "source",
            None if request.param == "folder" else dataset.ARCHIVE.name,
        )
        if request.param == "download":
            monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))
            digest = hashlib.sha256((folder / dataset.ARCHIVE.name).read_bytes()).hexdigest()
            monkeypatch.setattr(dataset, "ARCHIVE", Remote(dataset.ARCHIVE.name, digest))
            monkeypatch.setattr(dataset, "ADDRESS", folder.as_uri() + "/")
        source = None if request.param == "download" else str(folder)
        metadata = dataset.prepare(str(tmp_path / "out"), source, **further)
        assert not dataset.prepare(str(tmp_path / "out"), source, **further)["written"]
        assert verify(list(metadata["files"].values())).exit_code == 0
        return metadata

    return prepare


def read(pipeline, metadata, split):
    ((features, labels),) = batches_of(
        pipeline(metadata["files"][split], metadata["meta_data_file"], batch_size=100, mode="eval")
    )
    return features, labels["label"]


def test_cifar10(prepared):
    metadata = prepared(cifar10)
    assert metadata["num_samples"] == {"train": 10, "eval": 5}
    assert metadata["labels_to_classes"]["9"] == "truck"
    for split, names in (("train", ("data_batch_1", "data_batch_2")), ("eval", ("test_batch",))):
        features, labels = read(TFRecordImagePipeline, metadata, split)
        np.testing.assert_array_equal(
            features["image"],
            np.concatenate([PIXELS[name] for name in names]).transpose(0, 2, 3, 1),
        )
        assert labels.tolist() == [*range(5)] * len(names)


def test_imdb(prepared, tmp_path):
    metadata = prepared(imdb, vocabulary_size=12)
    assert metadata["num_samples"] == {"train": 6, "eval": 6}
    vocabulary = Vocabulary.load(tmp_path / "out" / "vocabulary.txt")
    assert len(vocabulary) == 12
    features, labels = read(TFRecordSequencePipeline, metadata, "eval")
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert features["source_len"].tolist() == [7] * 6
    assert vocabulary.decode(features["source_token"][0])[:5] == [
        "a",
        "dull",
        "film",
        ",",
        "number",
    ]
    assert imdb.prepare(str(tmp_path / "out"), str(tmp_path / "source"), 10)["written"]


def test_flowers17(prepared):
    metadata = prepared(flowers17, size=8)
    assert metadata["num_samples"] == {"train": 17, "eval": 4}
    assert (metadata["height"], metadata["image_format"], metadata["labels_to_classes"]["0"]) == (
        8,
        "jpeg",
        "daffodil",
    )
    features, labels = read(TFRecordImagePipeline, metadata, "eval")
    assert features["image"].shape == (4, 8, 8, 3)
    assert labels.tolist() == [0, 0, 16, 16]
    np.testing.assert_allclose(features["image"][:, 0, 0, 0], [5, 10, 1355 % 80, 1360 % 80], atol=3)


@pytest.mark.parametrize(
    "dataset, files, message",
    [
        (cifar10, {}, r"has no file with a path like .*cifar-10-binary\.tar\.gz has such files"),
        (cifar10, {"test_batch.bin": b"\0" * 3073}, r"has no data_batch_1\.bin"),
        (
            cifar10,
            {"test_batch.bin": b"\0" * 3072},
            "has 3072 bytes; expected a multiple of 3073",
        ),
        (cifar10, {"test_batch.bin": b"\x0a" * 3073}, "has the label 10; there are 10 classes"),
        (imdb, {"train/pos/1_1.txt": b"good"}, "has no reviews such as test/pos"),
        (flowers17, {"image_1361.jpg": b""}, r"image_1361\.jpg in .* numbered from 1 to 1360"),
        (
            flowers17,
            {f"image_000{n}.jpg": b"no image" for n in range(1, 6)},
            r"image_0001\.jpg in .* is not an image that can be read",
        ),
    ],
)
def test_sources_that_are_wrong(tmp_path, dataset, files, message):
    folder = lay_out(files, tmp_path / "source", None)
    with pytest.raises((DataError, CorruptData), match=message):
        dataset.prepare(str(tmp_path / "out"), str(folder))
    assert not (tmp_path / "out" / "meta_data.json").exists()


@pytest.mark.parametrize("cut", [0, 20, 4_000])
def test_archives_that_are_cut_off(tmp_path, cut):
    folder = lay_out(FILES[cifar10], tmp_path / "source", cifar10.ARCHIVE.name)
    archive = folder / cifar10.ARCHIVE.name
    archive.write_bytes(archive.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz cannot be read"):
        cifar10.prepare(str(tmp_path / "out"), str(folder))


def test_text_pairs(shared, tmp_path):
    metadata = text_pairs.prepare(
        str(tmp_path / "out"), str(shared("multi30k")), vocabulary_size=500
    )
    assert metadata["num_samples"] == {"train": 29_000, "eval": 1_014}
    vocabularies = {
        f"{side}_vocabulary": str(tmp_path / "out" / f"{side}_vocabulary.txt")
        for side in ("source", "target")
    }
    pipeline = TFRecordSourceSequencePipeline(
        metadata["files"]["eval"],
        **vocabularies,
        lowercase=True,
        split_punctuation=True,
        batch_size=2,
        mode="eval",
    )
    features, labels = batches_of(pipeline, take=1)[0]
    source, target = (Vocabulary.load(path) for path in vocabularies.values())
    assert source.decode(features["source_token"][0])[:4] == ["a", "group", "of", "men"]
    assert target.decode(labels["label"][0])[:4] == ["eine", "gruppe", "von", "männern"]
    assert not text_pairs.prepare(str(tmp_path / "out"), vocabulary_size=500)["written"]


def test_the_other_way_round_and_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))
    lines = {
        "train.en": b"a dog\na cat\n",
        "train.de": b"ein Hund\neine Katze\n",
        "val.en": b"a\n",
        "val.de": b"ein\n",
    }
    folder = lay_out(lines, tmp_path / "source", None)
    monkeypatch.setattr(text_pairs, "ADDRESS", folder.as_uri() + "/")
    monkeypatch.setattr(
        text_pairs,
        "FILES",
        [Remote(name, hashlib.sha256(text).hexdigest()) for name, text in lines.items()],
    )
    metadata = text_pairs.prepare(str(tmp_path / "out"), source_language="de", target_language="en")
    assert metadata["source_language"] == "de"
    features, _ = batches_of(
        TFRecordSourceSequencePipeline(metadata["files"]["train"], num_epochs=1, shuffle=False)
    )[0]
    assert features["source_token"].tolist() == [[b"ein", b"Hund"], [b"eine", b"Katze"]]


def test_text_pairs_that_are_wrong(tmp_path):
    with pytest.raises(ValueError, match="are both de"):
        text_pairs.prepare(str(tmp_path / "out"), source_language="de")
    folder = lay_out({"train.en": b"a\n"}, tmp_path / "source", None)
    with pytest.raises(DataError, match=r"has no train\.de, with or without \.gz"):
        text_pairs.prepare(str(tmp_path / "out"), str(folder))
