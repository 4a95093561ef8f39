"""The order of examples is a function of (seed, epoch, position)."""

from itertools import chain

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract import batches_of, check_pipeline

from plx_core.data import batches as batches_module
from plx_core.data.arrays import ArrayPipeline, numpy_input_fn
from plx_core.data.batches import Resident, batches
from plx_core.data.order import Order
from plx_core.errors import DataError


def visit(order, start=0, take=-1, lengths=None):
    return [
        batch.tolist()
        for batch in batches(order, lambda indices: indices, start, lengths=lengths)
        .take(take)
        .as_numpy_iterator()
    ]


orders = st.builds(
    Order,
    num_examples=st.integers(1, 40),
    batch_size=st.integers(1, 13),
    num_epochs=st.integers(1, 4),
    shuffle=st.booleans(),
    seed=st.integers(-(2**63), 2**63 - 1),
    drop_remainder=st.booleans(),
)


@settings(max_examples=25)
@given(orders)
def test_every_example_comes_once_an_epoch(order):
    visits = visit(order)
    flat = [example for batch in visits for example in batch]
    total = order.num_examples * order.num_epochs
    expected = total // order.batch_size * order.batch_size if order.drop_remainder else total
    assert len(visits) == order.num_batches
    assert len(flat) == expected
    assert all(len(batch) == order.batch_size for batch in visits[:-1])
    for first in range(0, expected - order.num_examples + 1, order.num_examples):
        assert sorted(flat[first : first + order.num_examples]) == list(range(order.num_examples))
    if not order.shuffle:
        assert flat == (list(range(order.num_examples)) * order.num_epochs)[:expected]


@settings(max_examples=12)
@given(orders, st.integers(0, 200), st.sampled_from([(64, 2**16), (3, 2**16), (64, 7)]))
def test_batches_do_not_depend_on_the_start_or_the_size_of_blocks(order, start, sizes):
    whole = visit(order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches_module, "MOST_BATCHES", sizes[0])
        patch.setattr(batches_module, "MOST_INDICES", sizes[1])
        assert visit(order, start) == whole[start:]


@settings(max_examples=15)
@given(orders, st.integers(1, 5), st.data())
def test_workers_divide_the_examples_into_equal_numbers_of_batches(order, workers, data):
    total = order.num_examples * order.num_epochs
    if total < workers or (order.drop_remainder and total < workers * order.batch_size):
        with pytest.raises(DataError, match="too few"):
            order.shard(0, workers)
        return
    parts = [order.shard(worker, workers) for worker in range(workers)]
    visits = [visit(part) for part in parts]
    assert {len(part) for part in visits} == {parts[0].num_batches}
    assert all(batch for part in visits for batch in part)
    flat = sorted(example for part in visits for batch in part for example in batch)
    if not order.drop_remainder:
        assert flat == sorted(list(range(order.num_examples)) * order.num_epochs)
    worker = data.draw(st.integers(0, workers - 1), "the one that resumes from its second batch")
    assert visit(parts[worker], 1) == visits[worker][1:]


def test_an_endless_order_resumes_anywhere():
    order = Order(10, 4, None, shuffle=True, seed=3)
    assert order.num_batches is None
    visits = visit(order, take=200)
    assert sorted([*chain(*visits)][:10]) == list(range(10))
    assert visit(order, 150, 50) == visits[150:]
    far = 10**15
    assert visit(order, far, 2)[1:] == visit(order, far + 1, 1)


def test_all_orders_are_equally_likely():
    """Chi-squared of the examples' places in 1,500 epochs; consecutive seeds would give 30 a degree."""
    n, epochs = 20, 1_500
    order = Order(n, n, epochs, shuffle=True, seed=7)
    places = order.full_batches(tf.constant(0, tf.int64), tf.constant(epochs, tf.int64)).numpy()
    counts = np.stack([np.bincount(places[:, place], minlength=n) for place in range(n)])
    chi_squared = ((counts - epochs / n) ** 2 / (epochs / n)).sum() / (n - 1) ** 2
    assert chi_squared < 1.3
    assert abs((places[:, 1:] == places[:, :-1] + 1).mean() * n - 1) < 0.1


def test_seeds_give_different_orders():
    first, one = tf.constant(0, tf.int64), tf.constant(1, tf.int64)
    firsts = {
        tuple(Order(30, 30, 1, True, seed).full_batches(first, one).numpy()[0].tolist())
        for seed in range(50)
    }
    assert len(firsts) == 50


def test_buckets_hold_examples_of_similar_lengths():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 100, 1_003)
    order = Order(1_003, 8, 2, shuffle=True, seed=1)
    bucketed = visit(order, lengths=Resident(lengths))
    spread = np.mean([np.ptp(lengths[batch]) for batch in bucketed])
    assert spread < 8 < np.mean([np.ptp(lengths[batch]) for batch in visit(order)])
    assert sorted(chain(*bucketed)) == sorted([*range(1_003)] * 2)
    means = np.array([lengths[batch].mean() for batch in bucketed[:64]])
    assert abs(np.corrcoef(means, np.arange(64))[0, 1]) < 0.5
    for start in (1, 63, 64, 100, 249, 250, 251):
        assert visit(order, start, lengths=Resident(lengths)) == bucketed[start:]


def test_arrays():
    x = {"a": np.arange(22, dtype="float32"), "b": np.arange(44).reshape(22, 2)}

    def make(**parameters):
        return ArrayPipeline(x, np.arange(22), **parameters)

    check_pipeline(make, lambda batch: batch[1], range(22))
    features, labels = batches_of(make(shuffle=True, num_epochs=1, batch_size=22))[0]
    np.testing.assert_array_equal(features["a"], labels)
    np.testing.assert_array_equal(features["b"][:, 0], labels * 2)


def test_arrays_of_strings_without_labels():
    pipeline = ArrayPipeline(np.array(["a", "bb", "c"]), batch_size=2, num_epochs=1, shuffle=False)
    assert [features["features"].tolist() for features, _ in batches_of(pipeline)] == [
        [b"a", b"bb"],
        [b"c"],
    ]
    assert pipeline.element_spec[1] == {}


def test_workers_share_arrays():
    pipeline = ArrayPipeline(np.arange(10), batch_size=2, num_epochs=1, shuffle=True, seed=1)
    halves = [
        {
            int(x)
            for features, _ in batches_of(pipeline.shard(worker, 2))
            for x in features["features"]
        }
        for worker in range(2)
    ]
    assert halves[0] | halves[1] == set(range(10))
    assert not halves[0] & halves[1]


@pytest.mark.parametrize(
    "x, y, message",
    [
        (np.zeros((3, 2)), np.zeros(4), "differ in their number of examples"),
        (1.0, None, "first axis"),
        ({}, None, "first axis"),
    ],
)
def test_arrays_of_wrong_shapes(x, y, message):
    with pytest.raises(ValueError, match=message):
        ArrayPipeline(x, y)


def test_too_few_examples():
    with pytest.raises(DataError, match="no examples"):
        ArrayPipeline(np.zeros((0, 2)))
    with pytest.raises(DataError, match="too few for a batch of 4"):
        ArrayPipeline(np.zeros((3, 2)), batch_size=4, num_epochs=1, drop_remainder=True)


def test_defaults_depend_on_the_mode():
    x = np.arange(8)
    training, evaluation = (
        ArrayPipeline(x, batch_size=8, seed=1),
        ArrayPipeline(x, batch_size=8, seed=1, mode="eval"),
    )
    assert training.num_batches is None
    assert evaluation.num_batches == 1
    assert batches_of(evaluation)[0][0]["features"].tolist() == list(range(8))
    assert batches_of(training, take=1)[0][0]["features"].tolist() != list(range(8))


def test_numpy_input_fn():
    input_fn = numpy_input_fn(
        {"x": np.arange(6)}, np.arange(6), batch_size=4, num_epochs=1, shuffle=False
    )
    assert [labels.tolist() for _, labels in batches_of(input_fn())] == [[0, 1, 2, 3], [4, 5]]
    assert numpy_input_fn(np.arange(6), num_epochs=None, shuffle=True)().num_batches is None
    with pytest.raises(ValueError, match="shuffle must be"):
        numpy_input_fn(np.arange(3))
