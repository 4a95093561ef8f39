"""Checkpoints are whole or not there, whatever breaks: torn files, flipped bits, a full disk at any moment."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from plx_core.errors import CheckpointError, RunFileError
from plx_core.runs import checkpoints as module
from plx_core.runs.checkpoints import ARRAYS, MANIFEST, STATE, Checkpoints, load, step_of, verify


def make_state(step):
    return {
        "global_step": step,
        "program": {
            "variables": {
                "dense/kernel": np.full((3, 2), step, np.float32),
                "dense/bias": np.arange(2) + step,
            }
        },
        "callbacks": {},
        "rate": 0.1,
        "none": None,
    }


def assert_equal(left, right):
    assert type(left) is type(right) or (
        isinstance(left, (list, tuple)) and isinstance(right, (list, tuple))
    )
    if isinstance(left, dict):
        assert list(left) == list(right)
        for name in left:
            assert_equal(left[name], right[name])
    elif isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for one, other in zip(left, right, strict=True):
            assert_equal(one, other)
    elif isinstance(left, np.ndarray):
        assert left.dtype == right.dtype and left.shape == right.shape
        assert left.tobytes() == right.tobytes()
    else:
        assert left == right or (left != left and right != right)


def visible(directory):
    return sorted(path.name for path in directory.iterdir() if not path.name.startswith("."))


arrays = npst.arrays(
    st.sampled_from([np.dtype(name) for name in sorted(module.DTYPES)]),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | arrays
names = st.text(max_size=6).filter(lambda name: name != module.ARRAY_KEY) | st.sampled_from(
    ["a", "a/b", "b", "__metadata__", ""]
)
states = st.dictionaries(
    names,
    st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=8,
    ),
)


@given(states)
def test_what_is_saved_comes_back_bit_for_bit(tmp_path_factory, state):
    directory = tmp_path_factory.mktemp("checkpoints")
    assert_equal(load(Checkpoints(directory).save(3, state)), state)


def test_arrays_come_back_however_they_lie_in_memory(tmp_path):
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    state = {
        "transposed": base.T,
        "strided": base[:, ::2, 1:],
        "fortran": np.asfortranarray(base),
        "scalar": np.float32(2.5),
    }
    loaded = load(Checkpoints(tmp_path).save(0, state))
    for name, value in state.items():
        np.testing.assert_array_equal(loaded[name], value)


def test_names_that_read_alike_as_paths_stay_apart(tmp_path):
    loaded = load(Checkpoints(tmp_path).save(0, {"a/b": np.array(1), "a": {"b": np.array(2)}}))
    assert (loaded["a/b"], loaded["a"]["b"]) == (1, 2)


@pytest.mark.parametrize(
    "state",
    [
        {"x": object()},
        {"x": b"bytes"},
        {"x": np.array(["text"])},
        {"x": np.array([object()])},
        {"x": np.zeros(2, ">c16")},
        {1: 2},
        {"x": {"$array": 1}},
    ],
)
def test_what_could_not_come_back_is_refused_before_anything_is_written(tmp_path, state):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(CheckpointError):
        checkpoints.save(1, state)
    assert checkpoints.latest() is None
    assert visible(tmp_path) == []


def cut(path, size):
    with path.open("r+b") as file:
        file.truncate(size)


@pytest.mark.parametrize("name", [STATE, ARRAYS, MANIFEST])
def test_a_truncated_file_is_noticed_at_every_length(tmp_path, name, caplog):
    checkpoints = Checkpoints(tmp_path)
    good, torn = checkpoints.save(1, make_state(1)), checkpoints.save(2, make_state(2))
    whole = (torn / name).read_bytes()
    for size in {0, 1, len(whole) // 2, len(whole) - 2, len(whole) - 1}:
        (torn / name).write_bytes(whole)
        cut(torn / name, size)
        assert verify(torn), size
        with pytest.raises(CheckpointError, match=torn.name):
            load(torn)
        assert Checkpoints(tmp_path).latest() == good
        assert torn.name in caplog.text
    assert torn.is_dir(), "a torn checkpoint is skipped, never deleted"


@given(st.data())
def test_a_flipped_bit_is_noticed_or_harmless(tmp_path_factory, data):
    path = Checkpoints(tmp_path_factory.mktemp("checkpoints")).save(1, make_state(1))
    file = path / data.draw(st.sampled_from([STATE, ARRAYS, MANIFEST]))
    content = bytearray(file.read_bytes())
    position = int(
        data.draw(st.floats(0, 1, exclude_max=True)) * len(content)
    )  # the manifest's length varies with the time in it
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    file.write_bytes(content)
    if file.name != MANIFEST:
        assert verify(path)
    try:
        loaded = load(path)
    except CheckpointError:
        return
    assert_equal(loaded, make_state(1))


@pytest.mark.parametrize("name", [STATE, ARRAYS, MANIFEST])
def test_a_missing_file_is_named(tmp_path, name):
    path = Checkpoints(tmp_path).save(1, make_state(1))
    (path / name).unlink()
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        load(path)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EMFILE, errno.EIO])
def test_what_cannot_be_read_now_is_not_taken_for_torn(tmp_path, monkeypatch, code):
    checkpoints = Checkpoints(tmp_path)
    old, new = (checkpoints.save(step, make_state(step)) for step in (1, 2))
    read = Path.read_bytes

    def failing(path):
        if path.parent == new:
            raise OSError(code, os.strerror(code), str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    if code == errno.EIO:
        assert Checkpoints(tmp_path).latest() == old
    else:
        with pytest.raises(
            RunFileError, match=f"manifest.json cannot be read: {os.strerror(code)}"
        ):
            Checkpoints(tmp_path).latest()


def test_all_checkpoints_torn_means_none(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        cut(checkpoints.save(step, make_state(step)) / ARRAYS, 3)
    assert Checkpoints(tmp_path).latest() is None


def test_a_checkpoint_of_another_format_is_refused(tmp_path):
    path = Checkpoints(tmp_path).save(1, make_state(1))
    stored = (path / STATE).read_bytes().replace(b'"format": 1', b'"format": 9')
    (path / STATE).write_bytes(stored)
    manifest = json.loads((path / MANIFEST).read_text())
    manifest["files"][STATE] = {"bytes": len(stored), "sha256": hashlib.sha256(stored).hexdigest()}
    (path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="format 9"):
        load(path)


class FailingSystem:
    """Lets `count` file operations pass, and fails at the next one: with a part of the bytes written, as a full disk does."""

    def __init__(self, monkeypatch, code):
        self.left, self.calls, self.code = None, 0, code
        write_file = module._write_file

        def partial(path, content):
            if self.strikes():
                path.write_bytes(content[: len(content) // 2])
                self.fail(path)
            return write_file(path, content)

        monkeypatch.setattr(module, "_write_file", partial)
        operations = ((Path, "mkdir"), (Path, "rename"), (Path, "replace"), (os, "fsync"))
        for owner, name in operations:
            monkeypatch.setattr(owner, name, self.wrap(getattr(owner, name)))

    def strikes(self):
        self.calls += 1
        if self.left is None:
            return False
        self.left -= 1
        return self.left < 0

    def fail(self, path):
        raise OSError(self.code, os.strerror(self.code), str(path))

    def wrap(self, function):
        def wrapped(*args, **kwargs):
            if self.strikes():
                self.fail(args[0])
            return function(*args, **kwargs)

        return wrapped


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("same_step", [False, True])
def test_a_disk_that_fails_at_any_operation_leaves_a_whole_checkpoint(
    tmp_path, monkeypatch, code, same_step
):
    system = FailingSystem(monkeypatch, code)
    Checkpoints(tmp_path / "counted").save(1, make_state(1))
    operations = system.calls + 4  # two more renames where the step is saved again
    assert operations > 10
    failures = 0
    for number in range(operations):
        directory = tmp_path / f"{number}"
        Checkpoints(directory).save(1, make_state(1))
        Checkpoints(directory).save(2, make_state(2))
        system.left = number
        try:
            Checkpoints(directory).save(2 if same_step else 3, make_state(3))
        except CheckpointError as error:
            failures += 1
            assert os.strerror(code) in str(error)
        system.left = None
        latest = Checkpoints(directory).latest()
        assert latest is not None
        state = load(latest)
        assert_equal(state, make_state(state["global_step"]))
        assert step_of(latest) == 2 or not same_step, "saving a step again loses neither"
        assert step_of(latest) >= 2
        Checkpoints(directory).save(4, make_state(4))
        assert Checkpoints(directory).latest().name == "000000004", "the next save works again"
        assert not list(directory.glob(".*")), "what was written aside is swept up"
    assert failures >= 8


def test_no_checkpoint_is_seen_before_it_is_whole(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, make_state(1))
    seen = []
    write_file = module._write_file

    def watched(path, content):
        seen.append(visible(tmp_path))
        return write_file(path, content)

    monkeypatch.setattr(module, "_write_file", watched)
    checkpoints.save(2, make_state(2))
    assert seen == [["000000001"]] * 3
    assert visible(tmp_path) == ["000000001", "000000002"]


def test_files_and_folders_are_synced_before_and_after_the_rename(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor):
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.split("-")[0])
        fsync(descriptor)

    def noted_replace(path, target):
        events.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    Checkpoints(tmp_path / "checkpoints").save(1, make_state(1))
    assert events == [ARRAYS, STATE, MANIFEST, ".000000001", "rename", "checkpoints"]


def test_the_newest_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=3)
    for step in range(1, 8):
        checkpoints.save(step, make_state(step))
    assert [step_of(path) for path in checkpoints.paths()] == [5, 6, 7]


def test_all_are_kept_where_there_is_no_limit(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=None)
    for step in range(1, 8):
        checkpoints.save(step, make_state(step))
    assert len(checkpoints.paths()) == 7


def test_torn_ones_do_not_count_and_do_not_push_out_what_was_just_saved(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=2)
    for step in (10, 90, 100):
        checkpoints.save(step, make_state(step))
    shutil.copytree(tmp_path / "000000100", tmp_path / "000000050")
    for step in (90, 100):
        cut(tmp_path / f"{step:09d}" / ARRAYS, 5)
    again = Checkpoints(tmp_path, keep_max=2)
    assert step_of(again.latest()) == 50
    again.save(60, make_state(60))
    assert [step_of(path) for path in again.paths()] == [50, 60, 90, 100]
    assert step_of(again.latest()) == 60
    again.save(70, make_state(70))
    assert [step_of(path) for path in again.paths()] == [60, 70, 90, 100]


def test_a_torn_one_that_is_written_again_stays_under_another_name(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    cut(checkpoints.save(5, make_state(5)) / ARRAYS, 5)
    again = Checkpoints(tmp_path)
    again.save(5, make_state(5))
    assert_equal(load(again.latest()), make_state(5))
    assert [name.split("-")[0] for name in visible(tmp_path)] == ["000000005", "000000005.torn"]


@pytest.mark.parametrize("put_away", [False, True])
def test_a_kill_amid_saving_a_step_again_loses_neither(tmp_path, put_away, caplog):
    checkpoints = Checkpoints(tmp_path)
    target = checkpoints.save(5, make_state(5))
    newer = Checkpoints(tmp_path / "aside").save(5, make_state(6))
    newer.rename(tmp_path / "000000005.new")
    if put_away:
        target.rename(tmp_path / ".000000005-0123abcd")
    shutil.rmtree(tmp_path / "aside")
    again = Checkpoints(tmp_path, keep_max=1)
    assert_equal(load(again.latest()), make_state(6))
    assert (step_of(again.latest()), again.path_of(5)) == (5, again.latest())
    again.save(7, make_state(7))
    assert [path.name for path in tmp_path.iterdir()] == ["000000007"]
    assert not caplog.records


def test_the_best_is_kept_besides_the_newest(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep_max=2, best=lambda: tmp_path / "000000003")
    for step in range(1, 8):
        checkpoints.save(step, make_state(step))
    assert [step_of(path) for path in checkpoints.paths()] == [3, 6, 7]


def test_one_is_kept_for_each_number_of_hours(tmp_path, monkeypatch):
    now = [1_000_000.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    checkpoints = Checkpoints(tmp_path, keep_max=2, keep_every_n_hours=1.0)
    for step in range(1, 13):  # every 20 minutes
        checkpoints.save(step, make_state(step))
        now[0] += 1200
    assert [step_of(path) for path in checkpoints.paths()] == [1, 4, 7, 10, 11, 12]


def test_a_path_that_is_no_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        step_of(tmp_path / "checkpoints")


def test_steps_are_sorted_as_numbers(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (999_999_999, 1_000_000_000, 1_000_000_001):
        checkpoints.save(step, make_state(step))
    assert step_of(checkpoints.latest()) == 1_000_000_001
