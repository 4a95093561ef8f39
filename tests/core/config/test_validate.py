"""Trees are read by the types that are expected, strictly, and what is written is what is read."""

from typing import Annotated, Any, Literal

import pytest
import yaml
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

from plx_core.annotations import Of, Range
from plx_core.components.json_schema import factory_schema, schema_of
from plx_core.components.schema_cache import Signatures
from plx_core.config.load import Permissions, load_tree
from plx_core.config.validate import Reader
from plx_core.config.yaml_tree import from_python, parse, to_python
from plx_core.errors import ConfigError
from plx_core.plugins.discovery import Plugins
from plx_core.plugins.registry import Registry


def read(text, annotation):
    """The value, and the messages."""
    reader = Reader(Registry(Plugins()), Signatures())
    value = reader.read(parse(text, "x.yml"), schema_of(annotation))
    return value, [problem.message for problem in reader.problems]


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("1e-3", float, 0.001),
        ("5", float, 5),
        ("5", int, 5),
        ("012", int, 12),
        ("0x1F", int, 31),
        ("-3", int, -3),
        (".inf", float, float("inf")),
        ("true", bool, True),
        ("False", bool, False),
        ("no", str, "no"),
        ("695e0514", str, "695e0514"),
        ("1.10", str, "1.10"),
        ("2024-01-01", str, "2024-01-01"),
        ("22:22:22", Any, "22:22:22"),
        ("on", Any, "on"),
        ("1e3", Any, 1000.0),
        ("~", int | None, None),
        ("[1, 2]", list[int], [1, 2]),
        ("3", int | list[int], 3),
        ("[3]", int | list[int], [3]),
        ("b", Literal["a", "b"], "b"),
        ("{a: 1.5}", dict[str, float], {"a": 1.5}),
        ("[1, 2]", tuple[int, int], [1, 2]),
    ],
)
def test_a_scalar_is_what_its_type_says(text, annotation, value):
    assert read(text, annotation) == (value, [])


@pytest.mark.parametrize(
    ("text", "annotation", "message"),
    [
        ("1.9", int, "expected an integer, got 1.9"),
        ("'5'", int, 'expected an integer, got the string "5"'),
        ("yes", bool, "expected true or false, got yes; write true or false"),
        ("1", bool, "expected true or false, got 1"),
        ("nan.", float, "expected a number, got nan."),
        ("~", str, "expected a string, got nothing"),
        ("c", Literal["a", "b"], "expected one of a, b, got c"),
        ("5", Annotated[int, Range(maximum=4)], "expected an integer at most 4, got 5"),
        ("0", Annotated[float, Range(above=0.0)], "expected a number above 0, got 0"),
        ("x", int | list[int], "expected an integer or a list of integers, got x"),
        ("[1, x]", list[int], "expected an integer, got x"),
        ("[1]", tuple[int, int], "expected 2 items, got 1"),
        ("{a: 1}", list[int], "expected a list of integers, got a mapping with a"),
        (
            "x",
            list[Annotated[float, Range(minimum=0.0)]],
            "expected a list of numbers at least 0, got x",
        ),
        (
            "x",
            list[Literal["a", "b"]],
            "expected a list, each item one of a, b, got x",
        ),
    ],
)
def test_nothing_is_coerced(text, annotation, message):
    assert read(text, annotation)[1] == [message]


plain_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False)
    | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(min_size=1, max_size=8), children, max_size=4)
    ),
    max_leaves=20,
)


@given(plain_data)
def test_python_data_survives_the_tree(data):
    assert to_python(from_python(data)) == data


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,6}", fullmatch=True),
        st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False),
        max_size=6,
    )
)
def test_what_yaml_writes_is_read_back(data):
    assert to_python(parse(yaml.safe_dump(data), "x.yml")) == data


@given(st.text(max_size=200))
def test_any_text_is_a_tree_or_an_error_with_a_place(text):
    try:
        parse(text, "x.yml")
    except ConfigError as error:
        assert all(problem.place is not None for problem in error.problems)


@frozen
class Small:
    size: int
    rate: float = 0.5
    names: list[str] = field(factory=list)


def test_a_class_says_all_that_is_wrong():
    _, messages = read("{rat: 1, names: [1, {}]}", Small)
    assert messages == [
        "unknown key; did you mean rate?",
        "expected a string, got an empty mapping",
        "size is missing; expected an integer",
    ]


def test_a_signature_is_a_schema():
    def factory(
        size: int,
        loss: Annotated[Any, Of("losses")] = "Huber",
        *,
        rate: float | None = None,
        mode: str = "train",
    ) -> None: ...

    schema = factory_schema(factory, "layers")
    assert schema["required"] == ["size"]
    assert list(schema["properties"]) == ["size", "loss", "rate"]
    assert schema["properties"]["loss"] == {"x-component": "losses", "default": "Huber"}
    assert schema["additionalProperties"] is False


def test_a_child_that_passes_keywords_on_has_its_parents_parameters():
    class Parent:
        def __init__(self, rank, name=None, **kwargs): ...

    class Child(Parent):
        def __init__(self, units, **kwargs): ...

    class Forwarding(Parent):
        def __init__(self, **kwargs): ...

    assert list(factory_schema(Child)["properties"]) == ["units", "name"]
    assert factory_schema(Forwarding)["required"] == ["rank"]


def write(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_a_file_is_laid_on_those_it_extends(tmp_path):
    write(
        tmp_path,
        "base.yml",
        "train: {train_steps: 5, first_update: 3}\nmodel: {classifier: {loss: {Huber: {delta: 2}}, n_classes: 3}}",
    )
    path = write(
        tmp_path,
        "top.yml",
        "extends: base.yml\ntrain: {train_steps: 7}\nmodel: {classifier: {loss: {Hinge: {}}}}",
    )
    assert to_python(load_tree(path)) == {
        "train": {"train_steps": 7, "first_update": 3},
        "model": {"classifier": {"loss": {"Hinge": {}}, "n_classes": 3}},
    }


def test_another_model_takes_the_place_of_the_one_extended(tmp_path):
    write(tmp_path, "base.yml", "model: {classifier: {n_classes: 3}}")
    path = write(tmp_path, "top.yml", "extends: base.yml\nmodel: {regressor: {name: r}}")
    assert to_python(load_tree(path)) == {"model": {"regressor": {"name": "r"}}}


def test_set_makes_what_is_not_there_and_reaches_into_lists(tmp_path):
    path = write(
        tmp_path,
        "a.yml",
        "model: {classifier: {loss: Huber, graph: {layers: [{Dense: {units: 1}}, Flatten]}}}",
    )
    sets = [
        "model.classifier.loss.Huber.delta=1e-3",
        "model.classifier.graph.layers.0.Dense.units=8",
        "model.classifier.graph.layers.1.Flatten.name=flat",
        "train.callbacks=[{StopAtStep: {last_step: 3}}]",
    ]
    assert to_python(load_tree(path, sets)) == {
        "model": {
            "classifier": {
                "loss": {"Huber": {"delta": 0.001}},
                "graph": {"layers": [{"Dense": {"units": 8}}, {"Flatten": {"name": "flat"}}]},
            }
        },
        "train": {"callbacks": [{"StopAtStep": {"last_step": 3}}]},
    }


@pytest.mark.parametrize(
    "text",
    [
        "nothing",
        "=3",
        "model.classifier.graph.layers.7.Dense.units=8",
        "model.classifier.n_classes.x=1",
    ],
)
def test_a_setting_that_fits_nowhere_is_an_error(tmp_path, text):
    path = write(
        tmp_path, "a.yml", "model: {classifier: {n_classes: 3, graph: {layers: [Flatten]}}}"
    )
    if text.startswith("model.classifier.n_classes"):
        assert to_python(load_tree(path, [text]))["model"]["classifier"]["n_classes"] == {
            "x": 1
        }  # reading it says what is wrong
        return
    with pytest.raises(ConfigError, match="--set"):
        load_tree(path, [text])


def test_variables_are_those_that_are_allowed(tmp_path):
    path = write(tmp_path, "a.yml", "project: {name: '${env:PLX_WHO}-${env:TEAM}'}")
    environ = {"PLX_WHO": "me", "TEAM": "us"}
    assert to_python(load_tree(path, allowed=Permissions(env=("TE*",)), environ=environ)) == {
        "project": {"name": "me-us"}
    }
    with pytest.raises(ConfigError, match="TEAM may not be read"):
        load_tree(path, environ=environ)


def test_merge_keys_and_aliases_are_read(tmp_path):
    path = write(tmp_path, "a.yml", "x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: *x")
    assert to_python(load_tree(path)) == {
        "x": {"a": 1, "b": 2},
        "y": {"b": 3, "a": 1},
        "z": {"a": 1, "b": 2},
    }


def test_json_is_read_as_the_yaml_that_it_is(tmp_path):
    assert to_python(
        load_tree(write(tmp_path, "a.json", '{"a": 1e-3, "b": [true, null], "c": "no"}'))
    ) == {
        "a": 0.001,
        "b": [True, None],
        "c": "no",
    }
