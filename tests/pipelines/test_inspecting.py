"""The output of `plx data verify` and `plx data show`; neither imports TensorFlow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from plx_core.errors import DataError
from plx_pipelines.commands.inspecting import show, verify
from plx_pipelines.records.decoding import decode_example
from plx_pipelines.records.encoding import (
    bytes_feature,
    encode_example,
    encode_labelled_image,
    encode_sequence_example,
    float_feature,
    int64_feature,
)
from plx_pipelines.records.tfrecord import write_records

values = st.one_of(
    st.lists(st.binary(max_size=20)),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1).map(lambda v: np.array(v, np.int64)),
    st.lists(st.floats(width=32), min_size=1).map(lambda v: np.array(v, np.float32)),
)


def encoded(value):
    if isinstance(value, list):
        return bytes_feature(value)
    return (
        int64_feature(value.tolist()) if value.dtype == np.int64 else float_feature(value.tolist())
    )


@given(
    st.dictionaries(st.text(max_size=5), values),
    st.dictionaries(st.text(max_size=5), st.lists(values, max_size=3), max_size=3),
)
def test_what_is_encoded_is_decoded(features, sequences):
    data = encode_sequence_example(
        {name: encoded(value) for name, value in features.items()},
        {name: [encoded(value) for value in steps] for name, steps in sequences.items()},
    )
    decoded, lists = decode_example(data)
    np.testing.assert_equal(decoded, features)
    np.testing.assert_equal(lists, sequences)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_example_or_an_error(data):
    try:
        decode_example(data)
    except DataError as error:
        assert "not a tf.train.Example" in str(error)


def test_verify_names_record_and_offset(images, tmp_path):
    parameters, *_ = images("png")
    whole = [Path(parameters["data_files"].replace("*", part)) for part in "01"]
    report = verify(parameters["data_files"])
    assert report.exit_code == 0
    assert report.lines() == [
        f"{whole[0]}: 9 records, all intact",
        f"{whole[1]}: 14 records, all intact",
    ]
    content = bytearray(whole[0].read_bytes())
    content[30] ^= 1
    corrupt = tmp_path / "corrupt.tfrecord"
    corrupt.write_bytes(content[:-1])
    report = verify(str(corrupt))
    assert report.exit_code == 1
    assert next((fault.record, fault.offset) for fault in report.faults) == (0, 0)
    head, first, last = report.lines()
    assert head.startswith(f"{corrupt}: 7 records, 2 corrupt (")
    assert first.startswith("  record 0 at byte 0: the data does not match its checksum (")
    assert last.startswith("  record 8 at byte ")
    assert "the file ends 1 bytes before the record does" in last


@pytest.mark.parametrize("encoding", ["png", "jpeg", "raw"])
def test_show_images(images, tmp_path, encoding):
    parameters, pixels, _ = images(encoding)
    sheet = tmp_path / "sheet.png"
    summary = show(parameters["data_files"], sheet, columns=5, rows=3)
    assert summary.lines()[:2] == ["23 records", "features of all records:"]
    assert summary.features["image/class/label"] == "int64"
    picture = Image.open(sheet)
    assert picture.size == (50, 30)
    first = np.asarray(picture)[2:8, 2:7]
    np.testing.assert_allclose(
        first.astype(int), pixels[0].astype(int), atol=2 if encoding == "jpeg" else 0
    )


def test_show_sequences(tmp_path):
    records = [
        encode_sequence_example({"n": int64_feature([1, 2])}, {"t": [int64_feature([5])] * length})
        for length in range(1, 9)
    ]
    write_records(tmp_path / "x", records)
    assert show(str(tmp_path / "x")).features == {"n": "int64[2]", "t (sequence)": "int64 x 1 to 8"}


def test_show_what_is_no_example(tmp_path):
    write_records(tmp_path / "x", [b"\xff\xff\xff"])
    with pytest.raises(DataError, match=r"not a tf\.train\.Example"):
        show(str(tmp_path / "x"))


def test_no_sheet_without_images(tmp_path):
    write_records(tmp_path / "x", [encode_example({"a": int64_feature([1])})])
    with pytest.raises(DataError, match="no image/encoded"):
        show(str(tmp_path / "x"), tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


def test_neither_imports_tensorflow(images):
    parameters, *_ = images("png")
    code = (
        "import sys; from plx_pipelines.commands.inspecting import show, verify\n"
        f"verify({parameters['data_files']!r}); show({parameters['data_files']!r})\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_sheet_names_the_image_that_cannot_be_decoded(images, tmp_path):
    _, pixels, _ = images("png")
    whole = encode_labelled_image(pixels[0], 0, "png")
    corrupt = encode_example({"image/encoded": bytes_feature([b"\x89PNG\r\n\x1a\nnothing"])})
    write_records(tmp_path / "x", [whole, corrupt])
    assert (
        show(str(tmp_path / "x")).features["image/encoded"]
        == "PNG of 6 x 5 x 3, PNG that cannot be decoded"
    )
    with pytest.raises(DataError, match=r"x: record 1: its image cannot be decoded"):
        show(str(tmp_path / "x"), tmp_path / "sheet.png")
