"""Sequences from record files and text files, vocabularies and tokens."""

import gzip
import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tests.contract import batches_of, check_pipeline, check_resumes

from plx_core.errors import CorruptData, DataError
from plx_pipelines.pipelines.sequences import TFRecordSequencePipeline
from plx_pipelines.pipelines.text_pairs import ParallelTextPipeline, TFRecordSourceSequencePipeline
from plx_pipelines.records.encoding import (
    bytes_feature,
    encode_example,
    encode_sequence_example,
    float_feature,
    int64_feature,
)
from plx_pipelines.records.tfrecord import write_records
from plx_pipelines.text.tokens import Encoder, Tokenizer, iterate_tokens, mask, read_lines
from plx_pipelines.text.vocabularies import SPECIALS, Vocabulary

COUNT = 21
LENGTHS = [(number * 5) % 9 for number in range(COUNT)]


@pytest.fixture(scope="module")
def sequence_files(tmp_path_factory):
    """21 sequences of numbers and of points, each with a label, in two files."""
    folder = tmp_path_factory.mktemp("sequences")
    records = [
        encode_sequence_example(
            {"number": int64_feature([number]), "label": int64_feature([number % 3])},
            {
                "source_token": [int64_feature([number * 10 + step]) for step in range(length)],
                "points": [float_feature([step, -step]) for step in range(length)],
            },
        )
        for number, length in enumerate(LENGTHS)
    ]
    write_records(folder / "a.tfrecord", records[:8])
    write_records(folder / "b.tfrecord", records[8:])
    content = {
        "context_features": {"number": {"dtype": "int64"}, "label": {"dtype": "int64"}},
        "sequence_features": {
            "source_token": {"dtype": "int64"},
            "points": {"dtype": "float32", "shape": [2]},
        },
        "labels": ["label"],
    }
    (folder / "meta_data.json").write_text(json.dumps(content))
    return {
        "data_files": str(folder / "*.tfrecord"),
        "meta_data_file": str(folder / "meta_data.json"),
    }


@pytest.mark.parametrize(
    "extra",
    [{}, {"cache": False}, {"max_length": 5}, {"dynamic_pad": False, "max_length": 5}],
    ids=str,
)
def test_sequence_examples(sequence_files, extra):
    def make(**order):
        return TFRecordSequencePipeline(**sequence_files, **extra, **order)

    check_pipeline(make, lambda batch: batch[0]["number"], range(COUNT))
    longest = extra.get("max_length", 99)
    for features, labels in batches_of(make(num_epochs=1, batch_size=6, shuffle=True)):
        lengths = np.minimum(np.array(LENGTHS)[features["number"]], longest)
        np.testing.assert_array_equal(features["source_len"], lengths)
        np.testing.assert_array_equal(features["points_len"], lengths)
        np.testing.assert_array_equal(labels["label"], features["number"] % 3)
        assert features["source_token"].shape[1] == (5 if "dynamic_pad" in extra else lengths.max())
        for row, (number, length) in enumerate(zip(features["number"], lengths, strict=True)):
            assert features["source_token"][row, :length].tolist() == [
                number * 10 + step for step in range(length)
            ]
            assert not features["source_token"][row, length:].any()
            assert features["points"][row, :length].tolist() == [
                [step, -step] for step in range(length)
            ]
            assert not features["points"][row, length:].any()


def test_buckets_resume(sequence_files):
    pipeline = TFRecordSequencePipeline(
        **sequence_files, bucket_by_length=True, num_epochs=8, batch_size=4, shuffle=True, seed=1
    )
    check_resumes(pipeline)
    batches = [batch[0] for batch in batches_of(pipeline)]
    assert sorted(np.concatenate([features["number"] for features in batches]).tolist()) == sorted(
        [*range(COUNT)] * 8
    )
    assert np.mean([np.ptp(features["source_len"]) for features in batches]) < 1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"sequence_features": {"a": {"dtype": "int8"}}}, "a must be like"),
        ({"sequence_features": {"a": 3}}, "a must be like"),
        ({"context_features": [1]}, "must be like"),
        (
            {"labels": ["lable"]},
            "labels must be a list of names among number, label, source_token, source_len, points, "
            "points_len",
        ),
        ({"sequence_features": None}, "needs sequence_features: dict"),
    ],
)
def test_wrong_metadata(sequence_files, tmp_path, change, message):
    from pathlib import Path

    content = json.loads(Path(sequence_files["meta_data_file"]).read_text()) | change
    (tmp_path / "meta_data.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        TFRecordSequencePipeline(sequence_files["data_files"], str(tmp_path / "meta_data.json"))


def test_a_fixed_width_needs_max_length(sequence_files):
    with pytest.raises(ValueError, match="needs max_length"):
        TFRecordSequencePipeline(**sequence_files, dynamic_pad=False)


PAIRS = [
    (f"w{number} " * (number % 4 + 1), f"Ä{number}, {number}" + "!" * (number % 3))
    for number in range(COUNT)
]


@pytest.fixture(scope="module")
def pair_files(tmp_path_factory):
    """The pairs in a record file and in text files, one compressed, and their vocabularies."""
    folder = tmp_path_factory.mktemp("pairs")
    records = [
        encode_example(
            {"source": bytes_feature([a.encode()]), "target": bytes_feature([b.encode()])}
        )
        for a, b in PAIRS
    ]
    write_records(folder / "x.tfrecord", records)
    (folder / "source.txt").write_text(
        "".join(f"{source}\n" for source, _ in PAIRS), encoding="utf-8"
    )
    (folder / "target.txt.gz").write_bytes(
        gzip.compress("\r\n".join(target for _, target in PAIRS).encode())
    )
    tokenizer = Tokenizer(lowercase=True, split_punctuation=True)
    for side in (0, 1):
        lines = [pair[side].encode() for pair in PAIRS]
        Vocabulary.fit(iterate_tokens(lines, tokenizer)).save(folder / f"{side}.txt")
    return folder


def pipelines(folder, **parameters):
    """The same pairs from record files and from text files."""
    vocabularies = {
        "source_vocabulary": str(folder / "0.txt"),
        "target_vocabulary": str(folder / "1.txt"),
    }
    parameters = {"lowercase": True, "split_punctuation": True} | vocabularies | parameters
    return {
        "records": lambda **order: TFRecordSourceSequencePipeline(
            str(folder / "x.tfrecord"), **parameters, **order
        ),
        "texts": lambda **order: ParallelTextPipeline(
            str(folder / "source.txt"), [str(folder / "target.txt.gz")], **parameters, **order
        ),
        "cached": lambda **order: ParallelTextPipeline(
            str(folder / "source.txt"),
            str(folder / "target.txt.gz"),
            **parameters,
            cache=True,
            **order,
        ),
    }


FIXED = {"dynamic_pad": False, "max_length": 4}


@pytest.mark.parametrize(
    ("kind", "fixed"),
    [("records", {}), ("records", FIXED), ("texts", {}), ("cached", FIXED)],
    ids=str,
)
def test_pairs_of_texts(pair_files, kind, fixed):
    make = pipelines(pair_files, **fixed)[kind]
    source, target = (Vocabulary.load(pair_files / f"{side}.txt") for side in (0, 1))

    def numbers(batch):
        return [int(source.tokens[row[0]].removeprefix("w")) for row in batch[0]["source_token"]]

    check_pipeline(make, numbers, range(COUNT))
    for batch in batches_of(make(num_epochs=1, batch_size=8, shuffle=True)):
        features, labels = batch
        for row, number in enumerate(numbers(batch)):
            words = [f"w{number}"] * (number % 4 + 1)
            tokens = [f"ä{number}", ",", f"{number}", *"!" * (number % 3)][: 3 if fixed else None]
            inputs, targets = features["target_token"][row], labels["label"][row]
            assert features["source_len"][row] == len(words)
            assert features["target_len"][row] == len(tokens) + 1
            assert features["source_token"][row].tolist()[: len(words)] == source.encode(words)
            assert inputs.tolist()[: len(tokens) + 1] == target.encode(["<s>", *tokens])
            assert targets.tolist()[: len(tokens) + 1] == target.encode([*tokens, "</s>"])
            assert not inputs[len(tokens) + 1 :].any()
            assert not targets[len(tokens) + 1 :].any()
            assert target.decode(targets) == tokens
        assert not fixed or inputs.shape == targets.shape == (4,)


def test_features_by_other_names(tmp_path):
    write_records(
        tmp_path / "x",
        [encode_example({"en": bytes_feature([b"a b"]), "de": bytes_feature([b"c"])})],
    )
    pipeline = TFRecordSourceSequencePipeline(
        str(tmp_path / "x"), source_field="en", target_field="de", mode="eval"
    )
    ((features, labels),) = batches_of(pipeline)
    assert features["source_token"].tolist() == [[b"a", b"b"]]
    assert labels["label"].tolist() == [[b"c", b"</s>"]]


def test_tokens_without_vocabularies_are_strings(pair_files):
    make = pipelines(
        pair_files, source_vocabulary=None, target_vocabulary=None, target_delimiter=""
    )["texts"]
    pipeline = make(num_epochs=1, batch_size=3, shuffle=False)
    features, labels = batches_of(pipeline)[0]
    assert pipeline.element_spec[0]["source_token"].dtype == tf.string
    assert features["source_token"].tolist() == [
        [b"w0", b"", b""],
        [b"w1", b"w1", b""],
        [b"w2", b"w2", b"w2"],
    ]
    assert labels["label"][0].tolist()[:2] == ["ä".encode(), b"0"]


def test_files_of_different_lengths(pair_files, tmp_path):
    (tmp_path / "short").write_text("a\nb\n")
    with pytest.raises(DataError, match="the source has 21 lines and the target 2"):
        ParallelTextPipeline(str(pair_files / "source.txt"), str(tmp_path / "short"))


def test_lines_that_are_not_utf8_are_skipped_in_pairs(tmp_path):
    (tmp_path / "a").write_bytes(b"1\n2\n\xff\n4\n5\n")
    (tmp_path / "b").write_bytes(b"1\n\xc3\n3\n4\n5")
    files = str(tmp_path / "a"), str(tmp_path / "b")
    pipeline = ParallelTextPipeline(*files, on_corrupt="skip", mode="eval")
    ((features, _),) = batches_of(pipeline)
    assert features["source_token"].tolist() == [[b"1"], [b"4"], [b"5"]]
    assert pipeline.counters() == {"corrupt_pairs": 2}
    with pytest.raises(
        CorruptData, match=r"pair 2 of .*a is not UTF-8; 2 are more than corrupt_budget: 1"
    ):
        ParallelTextPipeline(*files, on_corrupt="skip", corrupt_budget=1)
    with pytest.raises(DataError, match=r"a cannot be read as text: line 3 is not UTF-8"):
        ParallelTextPipeline(*files)


@pytest.mark.parametrize(
    "name, content",
    [("x.gz", b"not gzip"), ("x.gz", gzip.compress(b"abc" * 50, mtime=0)[:-9]), ("x", b"\xff\xfe")],
)
def test_files_that_are_not_text(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as text"):
        read_lines([str(tmp_path / name)])


def test_vocabularies_need_the_marks(pair_files, tmp_path):
    Vocabulary(["<pad>", "a"]).save(tmp_path / "v")
    with pytest.raises(DataError, match="the vocabulary lacks <s>, </s>"):
        pipelines(pair_files, target_vocabulary=str(tmp_path / "v"))["texts"]()


def test_vocabularies_are_sorted_by_count_then_alphabetically():
    vocabulary = Vocabulary.fit(["b", "a", "b", "c", "c", "d"], max_size=7)
    assert vocabulary.tokens == (*SPECIALS, "b", "c", "a")
    assert vocabulary.encode(["c", "d", "<s>"]) == [5, 1, 2]
    assert Vocabulary.fit(["b", "a", "b"], min_count=2, specials=()).tokens == ("b",)


def test_counts_equal_those_of_scikit_learn():
    text = pytest.importorskip("sklearn.feature_extraction.text")
    lines = ["a dog and a cat", "the cat", "a bird, the bird and the cat", "dog"]
    vectorizer = text.CountVectorizer(token_pattern=r"\w+|[^\w\s]")
    counts = dict(
        zip(
            vectorizer.fit(lines).get_feature_names_out(),
            vectorizer.transform(lines).sum(0).A1,
            strict=True,
        )
    )
    tokens = list(
        iterate_tokens([line.encode() for line in lines], Tokenizer(split_punctuation=True))
    )
    assert Vocabulary.fit(tokens, specials=()).tokens == tuple(
        sorted(counts, key=lambda token: (-counts[token], token))
    )
    vectorizer = text.CountVectorizer(token_pattern=r"\w+|[^\w\s]", max_features=3)
    expected = set(vectorizer.fit(lines).vocabulary_)
    assert set(Vocabulary.fit(tokens, 3, specials=()).tokens) == expected


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1),
        unique=True,
    )
)
def test_a_vocabulary_is_saved_and_loaded(tmp_path_factory, tokens):
    path = tmp_path_factory.mktemp("v") / "vocabulary.txt"
    vocabulary = Vocabulary(tokens)
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    if tokens:
        assert (
            vocabulary.table().lookup(tf.constant(tokens)).numpy().tolist()
            == vocabulary.encode(tokens)
            == [*range(len(tokens))]
        )


def test_invalid_vocabularies(tmp_path):
    with pytest.raises(DataError, match="'a' occurs 2 times"):
        Vocabulary(["a", "b", "a"])
    with pytest.raises(DataError, match="cannot be read"):
        Vocabulary.load(tmp_path / "none")
    with pytest.raises(DataError, match="line break"):
        Vocabulary(["a\nb"]).save(tmp_path / "v")
    with pytest.raises(DataError, match="there is no <unk>"):
        Vocabulary(["a"]).encode(["b"])


@pytest.mark.parametrize(
    "tokenizer, expected",
    [
        (Tokenizer(), ["Ein", "Hund,", "grün."]),
        (Tokenizer(lowercase=True, split_punctuation=True), ["ein", "hund", ",", "grün", "."]),
        (Tokenizer(delimiter=","), ["Ein  Hund", " grün."]),
        (Tokenizer(delimiter=""), list("Ein  Hund, grün.")),
    ],
)
def test_tokenizers(tokenizer, expected):
    assert [
        token.decode() for token in tokenizer(tf.constant(["Ein  Hund, grün."])).to_list()[0]
    ] == expected


def test_an_encoder_puts_marks_within_the_length():
    vocabulary = Vocabulary.fit(["a", "b", "c"])
    encoder = Encoder(Tokenizer(), vocabulary, start=True, stop=True, max_length=4)
    assert [vocabulary.tokens[number] for number in encoder(tf.constant(["a b c"]))[0].numpy()] == [
        "<s>",
        "a",
        "b",
        "</s>",
    ]
    assert encoder(tf.constant([""])).to_list() == [vocabulary.encode(["<s>", "</s>"])]


def test_masks():
    assert mask(tf.constant([0, 2, 3]), 3).numpy().tolist() == [[0, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_real_sentences(shared, tmp_path):
    folder = shared("multi30k")
    tokenizer = Tokenizer(lowercase=True, split_punctuation=True)
    for language in ("en", "de"):
        lines = read_lines([str(folder / f"val.{language}.gz")])
        Vocabulary.fit(iterate_tokens(lines, tokenizer), max_size=2_000).save(
            tmp_path / f"{language}.txt"
        )
    parameters = {"lowercase": True, "split_punctuation": True, "num_epochs": 1, "seed": 1}
    parameters |= {
        f"{side}_vocabulary": str(tmp_path / f"{language}.txt")
        for side, language in (("source", "en"), ("target", "de"))
    }

    def waste(pipeline):
        return np.mean(
            [
                1 - features["source_len"].mean() / features["source_token"].shape[1]
                for features, _ in batches_of(pipeline)
            ]
        )

    plain = ParallelTextPipeline(str(folder / "val.en.gz"), str(folder / "val.de.gz"), **parameters)
    pipeline = ParallelTextPipeline(
        str(folder / "val.en.gz"), str(folder / "val.de.gz"), **parameters, bucket_by_length=True
    )
    prints = check_resumes(pipeline)
    assert len(set(prints)) == pipeline.num_batches == 16
    assert waste(pipeline) < 0.6 * waste(plain)
