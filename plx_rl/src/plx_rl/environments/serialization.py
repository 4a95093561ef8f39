"""Objects to plain data and back: numbers, texts, arrays, containers, random generators, and objects made of these.

What is code, or a space, stays as it is. What else cannot be copied, such as an object of a C library that is not known
here, is an error: a state without it would not be one.
"""

from __future__ import annotations

import random
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

import gymnasium
import numpy as np

KIND, VALUE = "$", "value"
CODE = (
    types.ModuleType,
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    type,
    range,
    slice,
    np.dtype,
)
CONTAINERS: Mapping[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
HEAP_TYPE = 1 << 9
"""The flag of a class that was made by a `class` statement."""


class NotPlainData(Exception):
    """Something that cannot be copied."""


def encode(value: Any, seen: set[int], path: str) -> Any:
    """A value as plain data.

    Args:
        value: the value.
        seen: the ids of the objects on the way here, which are left as they are where they come again.
        path: where the value was found, for messages.

    Raises:
        NotPlainData: the value, or something in it, cannot be copied.
    """
    if isinstance(value, np.str_):
        return str(value)
    if isinstance(value, np.generic):
        return {KIND: "scalar", VALUE: np.asarray(value)}
    if isinstance(value, Enum):
        return {KIND: "enum", "class": type(value).__qualname__, VALUE: value.name}
    if isinstance(value, CODE):
        return {KIND: "code"}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufSU":
        return (
            {KIND: "array", VALUE: value.copy()} if value.dtype.kind in "biuf" else {KIND: "code"}
        )
    if isinstance(value, (np.random.Generator, np.random.RandomState, random.Random)):
        return {KIND: "generator", VALUE: _generator_state(value)}
    if isinstance(value, gymnasium.Space):
        return {KIND: "space", VALUE: _space_generators(value)}
    if id(value) in seen:
        return {KIND: "code"}
    seen.add(id(value))
    return _encode_object(value, seen, path)


def decode(encoded: Any, current: Any) -> Any:
    """The value of plain data; `current` is what stands in its place now, and is changed in place where it can be."""
    if not isinstance(encoded, Mapping):
        return encoded
    kind: str = encoded[KIND]
    value: Any = encoded.get(VALUE)
    if kind == "code":
        return current
    if kind == "scalar":
        return np.asarray(value)[()]
    if kind == "array":
        return _decode_array(np.asarray(value), current)
    if kind == "generator":
        return _restored_generator(value, current)
    if kind == "space":
        for index, part in enumerate(_spaces(current)):
            part._np_random = (
                _restored_generator(value[str(index)], part._np_random)
                if str(index) in value
                else None
            )
        return current
    if kind == "simulator":
        SIMULATORS[type(current).__name__][1](current, value)
        return current
    if kind == "enum":
        return type(_alike(current, encoded))[value]
    if kind == "object":
        set_attributes(_alike(current, encoded), value)
        return current
    return _decode_container(kind, encoded, current)


def attributes(
    owner: Any, seen: set[int], path: str, ignored: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """What an object's attributes hold, or what its own `state()` says."""
    if has_own_state(owner):
        return {KIND: "own", VALUE: owner.state()}
    return {
        name: encode(value, seen, f"{path}.{name}")
        for name, value in variables(owner).items()
        if name not in ignored
    }


def set_attributes(
    owner: Any, state: Mapping[str, Any], ignored: frozenset[str] = frozenset()
) -> None:
    """Give an object the attributes of a state, and take those that the state has not."""
    if state.get(KIND) == "own":
        owner.restore(state[VALUE])
        return
    present = variables(owner)
    for name in present.keys() - state.keys() - ignored:
        delattr(owner, name)
    for name, encoded in state.items():
        value = decode(encoded, present.get(name))
        if value is not present.get(name, NotPlainData):
            setattr(owner, name, value)


def variables(owner: Any) -> dict[str, Any]:
    """An object's attributes, in its `__dict__` or in slots."""
    slots = (name for cls in type(owner).__mro__ for name in getattr(cls, "__slots__", ()))
    found = {
        name: getattr(owner, name)
        for name in slots
        if name not in ("__dict__", "__weakref__") and hasattr(owner, name)
    }
    return found | dict(getattr(owner, "__dict__", {}))


def has_own_state(owner: Any) -> bool:
    """Whether an object has methods `state` and `restore`, as everything of plx that changes over time."""
    return callable(getattr(type(owner), "state", None)) and callable(
        getattr(type(owner), "restore", None)
    )


def same(first: Any, second: Any) -> bool:
    """Whether two pieces of plain data are equal."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        both = isinstance(first, np.ndarray) and isinstance(second, np.ndarray)
        return both and np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    return type(first) is type(second) and bool(
        first == second or (first != first and second != second)
    )


def _encode_object(value: Any, seen: set[int], path: str) -> Any:
    if isinstance(value, (list, tuple, deque, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        encoded = [encode(item, seen, f"{path}[{index}]") for index, item in enumerate(items)]
        kind = "deque" if isinstance(value, deque) else type(value).__name__
        if kind not in CONTAINERS and kind != "deque":
            kind = "record" if hasattr(value, "_fields") else _refuse(value, path)
        extra = {"maxlen": value.maxlen} if isinstance(value, deque) else {}
        return {KIND: kind, "class": type(value).__qualname__, VALUE: encoded} | extra
    if isinstance(value, dict):
        pairs = [
            [encode(key, seen, path), encode(item, seen, f"{path}[{key!r}]")]
            for key, item in value.items()
        ]
        return {KIND: "dict", VALUE: pairs}
    if type(value).__name__ in SIMULATORS:
        return {KIND: "simulator", VALUE: SIMULATORS[type(value).__name__][0](value)}
    if has_own_state(value) or all(
        base is object or base.__flags__ & HEAP_TYPE for base in type(value).__mro__
    ):
        return {
            KIND: "object",
            "class": type(value).__qualname__,
            VALUE: attributes(value, seen, path),
        }
    return _refuse(value, path)


def _refuse(value: Any, path: str) -> Any:
    raise NotPlainData(
        f"{path} is a {type(value).__module__}.{type(value).__qualname__}, which cannot be copied"
    )


def _alike(current: Any, encoded: Mapping[str, Any]) -> Any:
    if type(current).__qualname__ != encoded["class"]:
        raise NotPlainData(
            f"a {encoded['class']} cannot be put where a {type(current).__qualname__} is"
        )
    return current


def _decode_array(value: np.ndarray, current: Any) -> Any:
    # In place, so that a view of the array in another attribute goes on being one.
    if (
        isinstance(current, np.ndarray)
        and current.shape == value.shape
        and current.dtype == value.dtype
        and current.flags.writeable
    ):
        current[...] = value
        return current
    return value.copy()


def _decode_container(kind: str, encoded: Mapping[str, Any], current: Any) -> Any:
    if kind == "dict":
        present = current if isinstance(current, dict) else {}
        keys = [decode(key, None) for key, _ in encoded[VALUE]]
        items = {
            key: decode(item, present.get(key))
            for key, (_, item) in zip(keys, encoded[VALUE], strict=True)
        }
        present.clear()
        present.update(items)
        return present
    present_items = list(current) if isinstance(current, (list, tuple, deque)) else []
    padded = present_items + [None] * (len(encoded[VALUE]) - len(present_items))
    values = [decode(item, padded[index]) for index, item in enumerate(encoded[VALUE])]
    if kind == "list" and isinstance(current, list):
        current[:] = (
            values  # in place, so that another attribute that holds the same list goes on doing so
        )
        return current
    if kind == "record":
        return type(_alike(current, encoded))(*values)
    return deque(values, maxlen=encoded["maxlen"]) if kind == "deque" else CONTAINERS[kind](values)


def _generator_state(value: Any) -> dict[str, Any]:
    if isinstance(value, random.Random):
        version, numbers, gauss = value.getstate()
        return {"library": "random", "version": version, "numbers": list(numbers), "gauss": gauss}
    if isinstance(value, np.random.RandomState):
        return {"library": "numpy-legacy", "state": _plain(value.get_state(legacy=False))}
    return {"library": "numpy", "state": _plain(value.bit_generator.state)}


def _restored_generator(state: Mapping[str, Any], current: Any) -> Any:
    if state["library"] == "random":
        current = current if isinstance(current, random.Random) else random.Random()
        current.setstate((state["version"], tuple(state["numbers"]), state["gauss"]))
    elif state["library"] == "numpy-legacy":
        current = current if isinstance(current, np.random.RandomState) else np.random.RandomState()
        current.set_state(dict(state["state"]))
    else:
        name = state["state"]["bit_generator"]
        if (
            not isinstance(current, np.random.Generator)
            or type(current.bit_generator).__name__ != name
        ):
            current = np.random.Generator(getattr(np.random, name)())
        current.bit_generator.state = dict(state["state"])
    return current


def _space_generators(space: Any) -> dict[str, Any]:
    parts = enumerate(_spaces(space))
    return {
        str(index): _generator_state(part._np_random)
        for index, part in parts
        if part._np_random is not None
    }


def _spaces(space: Any) -> Iterator[Any]:
    yield space
    inner = getattr(space, "spaces", ())
    for part in inner.values() if isinstance(inner, Mapping) else inner:
        yield from _spaces(part)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, np.integer) else value


def _atari_state(ale: Any) -> np.ndarray:
    return np.frombuffer(ale.cloneState(include_rng=True).serialize(), np.uint8).copy()


def _set_atari_state(ale: Any, state: np.ndarray) -> None:
    from ale_py import ALEState

    ale.restoreState(ALEState(state.tobytes()))


def _mujoco_state(data: Any) -> np.ndarray:
    import mujoco

    state = np.empty(mujoco.mj_stateSize(data.model, mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_getState(data.model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    return state


def _set_mujoco_state(data: Any, state: np.ndarray) -> None:
    import mujoco

    mujoco.mj_setState(data.model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    mujoco.mj_forward(data.model, data)
    # The forward pass moves the warm start of the solver, which is part of the state.
    mujoco.mj_setState(data.model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)


def _stays(simulator: Any, state: Any = None) -> bool:
    return True


SIMULATORS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    "ALEInterface": (_atari_state, _set_atari_state),
    "MjData": (_mujoco_state, _set_mujoco_state),
    "MjModel": (_stays, _stays),
}
"""How the state of a known simulator is had and set, by the name of its class."""
