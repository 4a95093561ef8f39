"""The dimensions of a sweep, and the corners of its space."""

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given

from plx_core.errors import ComponentError
from plx_scale.tune.space import Choice, Interval, as_choice, corners, grid_point, parse, size_of


@pytest.mark.parametrize(
    ("written", "dimension"),
    [
        ([16, 32], Choice((16, 32))),
        ([True, 1, 1.0, None, "a"], Choice((True, 1, 1.0, None, "a"))),
        ({"float": [0, 1]}, Interval(0.0, 1.0)),
        ({"float": [0, 1, 0.25]}, Interval(0.0, 1.0, 0.25)),
        ({"log": [1e-4, 0.1]}, Interval(1e-4, 0.1, is_log=True)),
        ({"int": [16, 128, 16]}, Interval(16, 128, 16, is_integer=True)),
        ({"log_int": [1, 512]}, Interval(1, 512, is_log=True, is_integer=True)),
    ],
)
def test_what_can_be_written(written, dimension):
    assert parse(written) == dimension


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (3, "expected a list of values"),
        ("abc", "expected a list of values"),
        ({}, "expected a list of values"),
        ({"uniform": [0, 1]}, r"got \{'uniform'"),
        ({"float": [0, 1], "log": [1, 2]}, "expected a list of values"),
        ([], "the list of values is empty"),
        ([1, 2, 1], "the value 1 is listed twice"),
        ({"float": [1]}, "float takes numbers"),
        ({"float": "01"}, "float takes numbers"),
        ({"float": [0, float("inf")]}, "float takes numbers"),
        ({"int": [1, 2.5]}, "int takes integers"),
        ({"int": [True, 2]}, "int takes integers"),
        ({"log": [1, 10, 2]}, r"\[low, high\]; got"),
        ({"float": [2, 1]}, "the low end of float is above the high end"),
        ({"log": [0, 1]}, "has no logarithm"),
        ({"int": [1, 9, 0]}, "the step of int has to be above 0"),
    ],
)
def test_what_cannot_be_written(written, message):
    with pytest.raises(ComponentError, match=message):
        parse(written)


def test_extremes_and_sizes():
    assert parse({"int": [16, 130, 16]}).extremes == (16, 128)
    assert parse({"int": [16, 130, 16]}).size == 8
    assert parse({"float": [0, 1, 0.1]}).size == 11
    assert parse({"float": [0, 1]}).size is None
    assert parse({"int": [3, 3]}).extremes == (3,)
    assert size_of({"a": parse([1, 2, 3]), "b": parse({"int": [1, 4]})}) == 12
    assert size_of({"a": parse([1]), "b": parse({"float": [0, 1]})}) is None


def test_values_of_lists_and_mappings_come_back():
    dimension = parse([[1, 2], {"Adam": {}}, 1, True])

    for value in dimension.values:
        returned = dimension.value_of(as_choice(value))
        assert returned == value and type(returned) is type(value)


dimensions = st.one_of(
    st.lists(st.integers(), min_size=1, max_size=5, unique=True).map(parse),
    st.tuples(st.integers(0, 5), st.integers(6, 9)).map(lambda ends: parse({"int": list(ends)})),
)


@given(st.dictionaries(st.sampled_from("abcdefgh"), dimensions, min_size=1))
def test_corners_have_every_extreme_value_and_only_those(space):
    points = list(corners(space))
    for path, dimension in space.items():
        assert {point[path] for point in points} == set(dimension.extremes)
    assert all(list(point) == list(space) for point in points)
    unique = {tuple(point.values()) for point in points}
    assert len(unique) == len(points)


def test_a_small_space_is_covered():
    space = {"a": parse([1, 2, 3]), "b": parse({"float": [0, 1]})}
    points = {tuple(point.values()) for point in corners(space)}
    assert points == set(itertools.product([1, 2, 3], [0.0, 1.0]))


def test_a_grid_has_each_point_once():
    space = {"a": parse(["x", "y"]), "b": parse({"int": [1, 6, 2]}), "c": parse({"int": [0, 1]})}
    points = [tuple(grid_point(space, number).values()) for number in range(size_of(space))]
    assert points == list(itertools.product(["x", "y"], [1, 3, 5], [0, 1]))
