"""What every pipeline promises, as checks that a test calls."""

import hashlib

import numpy as np
import tensorflow as tf


def batches_of(pipeline, start=0, take=-1):
    """The batches as nested NumPy arrays."""
    return list(pipeline.dataset(start).take(take).as_numpy_iterator())


def fingerprint(batch):
    """A hash of everything in a batch."""
    digest = hashlib.sha256()
    for part in tf.nest.flatten(batch):
        array = np.asarray(part)
        digest.update(repr((array.dtype.kind, array.shape)).encode())
        digest.update(
            b"\0".join(array.ravel().tolist()) if array.dtype == object else array.tobytes()
        )
    return digest.hexdigest()


def check_resumes(pipeline, seed=0, count=3):
    """Started at random batches and after the last, the sequence goes on exactly as the uninterrupted one does.

    TensorFlow traces each start anew; ten of each kind of pipeline are tried in `test_killed.py`.
    """
    prints = [fingerprint(batch) for batch in batches_of(pipeline)]
    assert len(prints) == pipeline.num_batches
    starts = np.random.default_rng(seed).choice(
        np.arange(1, len(prints)), min(count, len(prints) - 1), replace=False
    )
    for start in (*starts.tolist(), len(prints)):
        assert [fingerprint(batch) for batch in batches_of(pipeline, start)] == prints[start:], (
            f"from batch {start}"
        )
    return prints


def check_spec(pipeline):
    """Each batch is what `element_spec` says."""
    spec = pipeline.element_spec
    for batch in pipeline.dataset().take(3):
        tf.nest.assert_same_structure(spec, batch)
        for wanted, found in zip(tf.nest.flatten(spec), tf.nest.flatten(batch), strict=True):
            assert wanted.is_compatible_with(found), f"{found.shape} {found.dtype} is not {wanted}"


def check_pipeline(make, identify, expected, num_epochs=2):
    """The order, the resume and the spec of `make(shuffle=…, num_epochs=…, seed=…, batch_size=…)`.

    `identify(batch)` gives a number for each example, and `expected` all of them in the order in which they were written.
    """

    def visit(**parameters):
        return np.concatenate(
            [
                identify(batch)
                for batch in batches_of(make(num_epochs=num_epochs, batch_size=4, **parameters))
            ]
        )

    expected = np.asarray(expected)
    plain, shuffled = visit(shuffle=False, seed=1), visit(shuffle=True, seed=1)
    assert plain.tolist() == np.tile(expected, num_epochs).tolist()
    for epoch in np.split(shuffled, num_epochs):
        assert sorted(epoch.tolist()) == sorted(expected.tolist())
    first, second, *_ = np.split(shuffled, num_epochs)
    assert first.tolist() != second.tolist() != expected.tolist()
    assert visit(shuffle=True, seed=1).tolist() == shuffled.tolist()
    assert visit(shuffle=True, seed=2).tolist() != shuffled.tolist()
    for shuffle in (False, True):
        pipeline = make(num_epochs=num_epochs, batch_size=4, shuffle=shuffle, seed=5)
        check_resumes(pipeline, count=2)
    check_spec(pipeline)
