"""Record files: the same bytes as TensorFlow's, and every corruption is detected."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from plx_core.errors import CorruptData, DataError
from plx_pipelines.records.tfrecord import (
    RecordReader,
    find_files,
    load_index,
    masked_crc,
    scan,
    write_records,
)

RECORDS = [bytes([number]) * (number * 3 % 17) for number in range(20)]


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "some.tfrecord"
    assert write_records(file, RECORDS) == len(RECORDS)
    return file


def read_all(path):
    """Return the intact records by number, and the faults."""
    index = scan(path)
    reader = RecordReader([index])
    return dict(
        zip(index.numbers.tolist(), reader.read(np.arange(len(index))), strict=True)
    ), index.faults


def test_tensorflow_reads_what_is_written(path):
    assert list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()) == RECORDS


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_what_tensorflow_writes_is_read(tmp_path_factory, records):
    file = tmp_path_factory.mktemp("tf") / "x.tfrecord"
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in records:
            writer.write(record)
    assert read_all(file) == (dict(enumerate(records)), ())


def test_masked_crc_of_known_bytes():
    # CRC32C of "123456789" is E3069283 (RFC 3720 B.4); rotated right by 15 and added to.
    crc = 0xE3069283
    assert masked_crc(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_records_in_any_order_from_several_files(tmp_path):
    indexes = []
    for part in range(3):
        write_records(tmp_path / f"{part}", [f"{part}-{row}".encode() for row in range(part + 1)])
        indexes.append(scan(tmp_path / f"{part}"))
    reader = RecordReader(indexes)
    assert len(reader) == 6
    assert reader.num_bytes == 18
    assert reader.read(np.array([5, 0, 2, 2])) == [b"2-2", b"0-0", b"1-1", b"1-1"]


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    def records():
        yield b"one"
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        write_records(tmp_path / "x", records())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("remembered", [False, True], ids=["scanned", "index remembered"])
def test_every_flipped_byte(path, tmp_path, remembered):
    """A flipped bit in the data loses that record; one in the length loses the rest of the file."""
    whole = path.read_bytes()
    starts = np.cumsum([0] + [len(record) + 16 for record in RECORDS])
    corrupt = tmp_path / "corrupt.tfrecord"
    for offset in range(len(whole)):
        content = bytearray(whole)
        content[offset] ^= 0x40
        corrupt.write_bytes(whole if remembered else content)
        number = int(np.searchsorted(starts, offset, "right")) - 1
        if not remembered:
            records, (fault,) = read_all(corrupt)
            assert (fault.record, fault.offset) == (number, starts[number])
            in_length = offset - starts[number] < 12
            intact = RECORDS[:number] if in_length else RECORDS
            assert records == {
                place: record for place, record in enumerate(intact) if place != number
            }
            assert (
                fault.lost_bytes
                == (len(whole) if in_length else starts[number + 1]) - starts[number]
            )
            continue
        reader = RecordReader(
            [load_index(corrupt)]
        )  # the file becomes corrupt after the index was written
        corrupt.write_bytes(content)
        for place, record in enumerate(RECORDS):
            try:
                assert reader.read(np.array([place])) == [record]
            except CorruptData as error:
                assert place == number
                assert f"corrupt.tfrecord: record {number} at byte {starts[number]}:" in str(error)
        reader.close()


@pytest.mark.parametrize("remembered", [False, True], ids=["scanned", "while it is read"])
def test_every_truncation(path, tmp_path, remembered):
    whole = path.read_bytes()
    starts = np.cumsum([0] + [len(record) + 16 for record in RECORDS])
    corrupt = tmp_path / "corrupt.tfrecord"
    for size in range(len(whole)):
        number = int(np.searchsorted(starts, size, "right")) - 1
        corrupt.write_bytes(whole if remembered else whole[:size])
        if not remembered:
            records, faults = read_all(corrupt)
            assert records == dict(enumerate(RECORDS[:number]))
            cut = size - starts[number]
            assert [(fault.record, fault.offset, fault.lost_bytes) for fault in faults] == (
                [(number, starts[number], cut)] if cut else []
            )
            continue
        reader = RecordReader([scan(corrupt)])
        os.truncate(corrupt, size)
        for place, record in enumerate(RECORDS):
            try:
                assert reader.read(np.array([place])) == [record]
            except CorruptData as error:
                assert starts[place + 1] > size
                assert f"record {place} at byte {starts[place]}: the file ends" in str(error)
        reader.close()


def test_a_length_beyond_the_file_is_not_allocated(tmp_path):
    length = (2**62).to_bytes(8, "little")
    (tmp_path / "bomb").write_bytes(length + masked_crc(length).to_bytes(4, "little") + b"x" * 20)
    (fault,) = scan(tmp_path / "bomb").faults
    assert "the file ends" in fault.reason
    assert fault.lost_bytes == 32


def test_a_compressed_file_is_recognised(path, tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(path.read_bytes()))
    (fault,) = scan(tmp_path / "x.gz").faults
    assert "gzip" in fault.reason


def test_an_index_is_made_once(path, monkeypatch):
    first = load_index(path)
    monkeypatch.setattr(
        "plx_pipelines.records.tfrecord.scan", lambda *_, **__: pytest.fail("scanned again")
    )
    again = load_index(path)
    np.testing.assert_array_equal(first.offsets, again.offsets)
    np.testing.assert_array_equal(first.lengths, again.lengths)


def test_a_verified_index_is_not_taken_from_an_unverified_one(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1  # in the data of the last record
    path.write_bytes(content)
    assert not load_index(path).faults
    (fault,) = load_index(path, verify=True).faults
    assert fault.record == 19
    assert load_index(path).faults == (fault,)


def test_an_index_of_another_time_or_size_is_made_again(path):
    assert len(load_index(path)) == 20
    write_records(path, RECORDS[:7])
    assert len(load_index(path)) == 7


@pytest.mark.parametrize("content", [b"", b"not an index", b"PK\x03\x04torn"])
def test_a_broken_index_is_made_again(path, content):
    load_index(path)
    place = path.with_name(f".{path.name}.index")
    place.write_bytes(content)
    assert len(load_index(path)) == 20
    assert place.read_bytes() != content


def test_every_bit_of_an_index_matters(path):
    """A corrupt index never returns a wrong record."""
    index = load_index(path)
    place = path.with_name(f".{path.name}.index")
    whole = place.read_bytes()
    for offset in range(0, len(whole), 7):
        content = bytearray(whole)
        content[offset] ^= 0x10
        place.write_bytes(content)
        again = load_index(path)
        assert again.offsets.tolist() == index.offsets.tolist()
        assert again.lengths.tolist() == index.lengths.tolist()


def test_an_index_goes_to_the_cache_where_the_folder_cannot_be_written(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))
    path.with_name(f".{path.name}.index").mkdir()  # nothing can be put in its place
    load_index(path)
    monkeypatch.setattr(
        "plx_pipelines.records.tfrecord.scan", lambda *_, **__: pytest.fail("scanned again")
    )
    assert len(load_index(path)) == 20


def test_files_and_patterns(tmp_path):
    for name in ("b.tfrecord", "a.tfrecord", "c.txt"):
        (tmp_path / name).touch()
    files = find_files(
        [str(tmp_path / "c.txt"), str(tmp_path / "*.tfrecord"), str(tmp_path / "a.tfrecord")]
    )
    assert [Path(name).name for name in files] == ["c.txt", "a.tfrecord", "b.tfrecord"]
    with pytest.raises(DataError, match=r"there is no file .*\*\.png"):
        find_files(str(tmp_path / "*.png"))
