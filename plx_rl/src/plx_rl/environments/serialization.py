"""Convert objects to plain data and back, so that a checkpoint can store them.

Plain data are numbers, strings, arrays, lists and mappings of these. Containers, random generators,
known simulators and objects of Python classes are converted. Code and spaces are not stored: they
stay as they are. Anything else, such as an object of an unknown C library, is an error, because a
state without it would be incomplete.
"""

from __future__ import annotations

import math
import random
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, TypeAlias, TypeGuard

import gymnasium
import numpy as np

from plx_core import State, Stateful
from plx_core.types import Space

Plain: TypeAlias = Any
"""Plain data."""
Live: TypeAlias = Any
"""An object that is converted to plain data, or restored from it."""

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
CONTAINERS: Mapping[str, Callable[[list[Live]], Live]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
HEAP_TYPE = 1 << 9
"""The flag of classes created by a `class` statement (`Py_TPFLAGS_HEAPTYPE`)."""


class NotSerializable(Exception):
    """An object cannot be converted to plain data."""


def encode(value: Live, seen: set[int], path: str) -> Plain:
    """Convert a value to plain data.

    Args:
        value: the value.
        seen: the ids of objects that are already encoded; further references are not stored.
        path: the location of the value, for messages.

    Raises:
        NotSerializable: the value, or a part of it, cannot be converted.
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
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return {KIND: "array", VALUE: value.copy()}
    if isinstance(value, np.ndarray) and value.dtype.kind in "SU":
        return {KIND: "code"}
    if isinstance(value, (np.random.Generator, np.random.RandomState, random.Random)):
        return {KIND: "generator", VALUE: _generator_state(value)}
    if isinstance(value, gymnasium.Space):
        return {KIND: "space", VALUE: _space_generators(value)}
    if id(value) in seen:
        return {KIND: "code"}
    seen.add(id(value))
    return _encode_object(value, seen, path)


def decode(encoded: Plain, current: Live) -> Live:
    """Convert plain data to a value.

    Args:
        encoded: the plain data.
        current: the present value, which is modified in place where possible.
    """
    if not isinstance(encoded, Mapping):
        return encoded
    kind: str = encoded[KIND]
    value: Plain = encoded.get(VALUE)
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
            state = value.get(str(index))
            part._np_random = None if state is None else _restored_generator(state, part._np_random)
        return current
    if kind == "simulator":
        SIMULATORS[type(current).__name__][1](current, value)
        return current
    if kind == "enum":
        return type(_of_same_class(current, encoded))[value]
    if kind == "object":
        set_attributes(_of_same_class(current, encoded), value)
        return current
    return _decode_container(kind, encoded, current)


def attributes(
    owner: Live, seen: set[int], path: str, ignored: frozenset[str] = frozenset()
) -> dict[str, Plain]:
    """Convert an object's attributes, or its `state()` if it has one, to plain data."""
    if has_own_state(owner):
        return {KIND: "own", VALUE: owner.state()}
    return {
        name: encode(value, seen, f"{path}.{name}")
        for name, value in variables(owner).items()
        if name not in ignored
    }


def set_attributes(owner: Live, state: State, ignored: frozenset[str] = frozenset()) -> None:
    """Set an object's attributes from a state, and delete those that the state does not have."""
    if state.get(KIND) == "own":
        owner.restore(state[VALUE])
        return
    present = variables(owner)
    for name in present.keys() - state.keys() - ignored:
        delattr(owner, name)
    for name, encoded in state.items():
        value = decode(encoded, present.get(name))
        if name not in present or value is not present[name]:
            setattr(owner, name, value)


def variables(owner: Live) -> dict[str, Live]:
    """Return an object's attributes, from its `__dict__` and its slots."""
    slots = (name for cls in type(owner).__mro__ for name in getattr(cls, "__slots__", ()))
    slot_values = {
        name: getattr(owner, name)
        for name in slots
        if name not in ("__dict__", "__weakref__") and hasattr(owner, name)
    }
    return slot_values | dict(getattr(owner, "__dict__", {}))


def has_own_state(owner: object) -> TypeGuard[Stateful]:
    """Return whether an object has the methods `state` and `restore`."""
    return callable(getattr(type(owner), "state", None)) and callable(
        getattr(type(owner), "restore", None)
    )


def same(first: Plain, second: Plain) -> bool:
    """Return whether two pieces of plain data are equal; NaN equals NaN."""
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    if type(first) is not type(second):
        return False
    if isinstance(first, float) and math.isnan(first):
        return math.isnan(second)
    return bool(first == second)


def _encode_object(value: Live, seen: set[int], path: str) -> Plain:
    if isinstance(value, (list, tuple, deque, set, frozenset)):
        return _encode_container(value, seen, path)
    if isinstance(value, dict):
        pairs = [
            [encode(key, seen, path), encode(item, seen, f"{path}[{key!r}]")]
            for key, item in value.items()
        ]
        return {KIND: "dict", VALUE: pairs}
    if type(value).__name__ in SIMULATORS:
        return {KIND: "simulator", VALUE: SIMULATORS[type(value).__name__][0](value)}
    is_python_object = all(
        base is object or base.__flags__ & HEAP_TYPE for base in type(value).__mro__
    )
    if has_own_state(value) or is_python_object:
        return {
            KIND: "object",
            "class": type(value).__qualname__,
            VALUE: attributes(value, seen, path),
        }
    raise _refusal(value, path)


def _encode_container(
    value: list[Live] | tuple[Live, ...] | deque[Live] | set[Live] | frozenset[Live],
    seen: set[int],
    path: str,
) -> Plain:
    items = sorted(value) if isinstance(value, (set, frozenset)) else value
    encoded = [encode(item, seen, f"{path}[{index}]") for index, item in enumerate(items)]
    kind = type(value).__name__
    extra = {}
    if isinstance(value, deque):
        kind = "deque"
        extra = {"maxlen": value.maxlen}
    elif hasattr(value, "_fields"):
        kind = "record"
    elif kind not in CONTAINERS:
        raise _refusal(value, path)
    return {KIND: kind, "class": type(value).__qualname__, VALUE: encoded} | extra


def _refusal(value: object, path: str) -> NotSerializable:
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    return NotSerializable(f"{path} is a {name}, which cannot be copied")


def _of_same_class(current: Live, encoded: Mapping[str, Plain]) -> Live:
    if type(current).__qualname__ != encoded["class"]:
        raise NotSerializable(
            f"a {type(current).__qualname__} cannot be restored from a {encoded['class']}"
        )
    return current


def _decode_array(value: np.ndarray, current: Live) -> np.ndarray:
    # In place, so that views of the array in other attributes stay views of it.
    if (
        isinstance(current, np.ndarray)
        and current.shape == value.shape
        and current.dtype == value.dtype
        and current.flags.writeable
    ):
        current[...] = value
        return current
    return value.copy()


def _decode_container(kind: str, encoded: Mapping[str, Plain], current: Live) -> Live:
    if kind == "dict":
        return _decode_dict(encoded[VALUE], current)
    present = list(current) if isinstance(current, (list, tuple, deque)) else []
    present += [None] * (len(encoded[VALUE]) - len(present))
    values = [decode(item, present[index]) for index, item in enumerate(encoded[VALUE])]
    if kind == "list" and isinstance(current, list):
        # In place, so that other attributes that refer to this list still do.
        current[:] = values
        return current
    if kind == "record":
        return type(_of_same_class(current, encoded))(*values)
    return deque(values, maxlen=encoded["maxlen"]) if kind == "deque" else CONTAINERS[kind](values)


def _decode_dict(pairs: list[list[Plain]], current: Live) -> dict[Live, Live]:
    present = current if isinstance(current, dict) else {}
    keys = [decode(key, None) for key, _ in pairs]
    items = {
        key: decode(item, present.get(key)) for key, (_, item) in zip(keys, pairs, strict=True)
    }
    present.clear()
    present.update(items)
    return present


def _generator_state(
    generator: np.random.Generator | np.random.RandomState | random.Random,
) -> dict[str, Plain]:
    if isinstance(generator, random.Random):
        version, numbers, gauss = generator.getstate()
        return {"library": "random", "version": version, "numbers": list(numbers), "gauss": gauss}
    if isinstance(generator, np.random.RandomState):
        return {"library": "numpy-legacy", "state": _plain(generator.get_state(legacy=False))}
    return {"library": "numpy", "state": _plain(generator.bit_generator.state)}


def _restored_generator(state: Mapping[str, Plain], current: Live) -> Live:
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


def _space_generators(space: Space) -> dict[str, Plain]:
    return {
        str(index): _generator_state(part._np_random)
        for index, part in enumerate(_spaces(space))
        if part._np_random is not None
    }


def _spaces(space: Space) -> Iterator[Space]:
    """Yield a space and every space within it."""
    yield space
    inner = getattr(space, "spaces", ())
    for part in inner.values() if isinstance(inner, Mapping) else inner:
        yield from _spaces(part)


def _plain(value: Plain) -> Plain:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return int(value) if isinstance(value, np.integer) else value


def _atari_state(ale: Live) -> np.ndarray:
    return np.frombuffer(ale.cloneState(include_rng=True).serialize(), np.uint8).copy()


def _set_atari_state(ale: Live, state: np.ndarray) -> None:
    from ale_py import ALEState

    ale.restoreState(ALEState(state.tobytes()))


def _mujoco_state(data: Live) -> np.ndarray:
    import mujoco

    state = np.empty(mujoco.mj_stateSize(data.model, mujoco.mjtState.mjSTATE_INTEGRATION))
    mujoco.mj_getState(data.model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    return state


def _set_mujoco_state(data: Live, state: np.ndarray) -> None:
    import mujoco

    mujoco.mj_setState(data.model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
    mujoco.mj_forward(data.model, data)
    # mj_forward changes the solver's warm start, which is part of the state.
    mujoco.mj_setState(data.model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)


def _constant_state(simulator: Live) -> bool:
    return True


def _keep_constant(simulator: Live, state: Plain) -> None:
    pass


SIMULATORS: Mapping[str, tuple[Callable[[Live], Plain], Callable[[Live, Plain], None]]] = {
    "ALEInterface": (_atari_state, _set_atari_state),
    "MjData": (_mujoco_state, _set_mujoco_state),
    "MjModel": (_constant_state, _keep_constant),
}
"""Functions that get and set the state of a known simulator, by the name of its class."""
