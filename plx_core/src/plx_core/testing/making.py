"""How checks make a part: as a config does, and with nothing drawn from anybody else's generators."""

from __future__ import annotations

import functools
import inspect
import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import yaml
from attrs import frozen

from plx_core.components.component import Component, active_registry
from plx_core.components.json_schema import is_mode, type_hints
from plx_core.components.schema_cache import Signatures
from plx_core.config.validate import Reader
from plx_core.config.yaml_tree import parse
from plx_core.errors import PlxError
from plx_core.hookspecs import hookimpl
from plx_core.plugins.discovery import Plugin, load_plugins
from plx_core.plugins.registry import SINGULAR, Registry
from plx_core.runs import checkpoints
from plx_core.testing.failures import CannotTry, CheckFailed, expecting, require

UNDER_TEST = "under_test"
"""The name of the plug-in that offers a class or function which no installed one does."""


@frozen
class Part:
    """A part that is checked.

    Args:
        component: makes it.
        about: what messages call it.
    """

    component: Component
    about: str

    @property
    def factory(self) -> Any:
        """What makes it."""
        return self.component.entry.load()

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The factory's parameters by name."""
        return inspect.signature(self.factory).parameters

    def takes(self, name: str) -> bool:
        """Whether the factory has a parameter of this name."""
        return name in self.parameters

    def build(self, **supplied: Any) -> Any:
        """Make one; `supplied` is what core fills in where a config leaves it out."""
        with expecting(
            self.about,
            f"made it with {_shown(self.component.params)}",
            "an object",
            "give it parameters that its constructor accepts",
        ):
            try:
                return self.component.build(**supplied)
            except PlxError as error:
                if isinstance(error.__cause__, ImportError):
                    raise CannotTry(
                        f"{self.about} needs a package that is not installed: {error}"
                    ) from error
                raise

    def varied(self, **params: Any) -> Part:
        """The same part with other values of those of these parameters that it has."""
        known = {name: value for name, value in params.items() if self.takes(name)}
        component = self.component
        changed = Component(
            component.kind,
            component.name,
            {**component.params, **known},
            registry=component.registry,
        )
        return Part(changed, self.about)


def part_of(kind: str, part: Any, params: Mapping[str, Any] | None) -> Part:
    """A part by its name, a `{Name: {…}}` mapping or its factory; its signature is checked first, and its parameters if there are any."""
    if isinstance(part, (str, Mapping, Component)):
        component = Component.of(kind, part)
        found = Component(
            kind,
            component.name,
            {**component.params, **(params or {})},
            registry=component.registry or active_registry(),
        )
    elif callable(part):
        name = getattr(part, "__name__", type(part).__name__)
        found = Component(
            kind,
            f"{UNDER_TEST}/{name}",
            dict(params or {}),
            registry=_registry_with(kind, name, part),
        )
    else:
        raise TypeError(
            f"a check takes a {SINGULAR[kind]}'s class or function, or its name; got {part!r}"
        )
    made = Part(found, f"{SINGULAR[kind]} {found.name.rpartition('/')[2]}")
    with expecting(
        made.about,
        "looked it up",
        "a factory",
        "offer it in a hook of your plugin.py, and install your package",
    ):
        factory = made.factory
    check_signature(made.about, kind, factory)
    if params is not None:
        _check_config(made)
    return made


def check_signature(about: str, kind: str, factory: Any) -> None:
    """Fail where a config could not be checked against a factory's signature."""
    did = "read its signature"
    require(
        inspect.getdoc(factory),
        about,
        did,
        "no docstring",
        "a docstring",
        "say in one line what it is: `plx components` shows that line",
    )
    owner = (
        getattr(factory.__init__ if inspect.isclass(factory) else factory, "__module__", "") or ""
    )
    if owner.partition(".")[0] in ("keras", "builtins") or hasattr(
        factory, "__signature__"
    ):  # it is Keras's, which annotates nothing
        return
    with expecting(
        about,
        did,
        "annotations that Python can resolve",
        "import what the annotations name, outside `if TYPE_CHECKING:`",
    ):
        hints = type_hints(factory)
    for position, parameter in enumerate(inspect.signature(factory).parameters.values()):
        if kind == "activations" and position == 0:
            continue
        is_keras = inspect.isclass(factory) and any(
            cls.__module__.startswith("keras.") for cls in factory.__mro__
        )
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            require(
                is_keras,
                about,
                did,
                f"it takes {parameter}",
                "named parameters alone",
                "write out its parameters: a misspelt one would go unnoticed in a config",
            )
            continue
        require(
            parameter.name in hints or is_mode(parameter),
            about,
            did,
            f"{parameter.name} has no annotation",
            "a type for each parameter",
            "annotate it, with the words of plx_core.annotations where it has bounds or takes a component",
        )


@contextmanager
def no_global_randomness(about: str, did: str) -> Iterator[None]:
    """Fail where the body draws from, or seeds, the generators that all of a process shares."""
    before = random.getstate(), np.random.get_state(legacy=False)
    yield
    after = random.getstate(), np.random.get_state(legacy=False)
    for name, one, other in zip(("random", "numpy.random"), before, after, strict=True):
        require(
            same(one, other),
            about,
            did,
            f"the state of {name} changed",
            "no use of generators that a whole process shares",
            "draw from np.random.default_rng(seed), or in layers from keras.random with a keras.random.SeedGenerator(seed)",
        )


@contextmanager
def own_settings(seed: int = 7) -> Iterator[None]:
    """Seed everything for the body, and put the process's settings back afterwards."""
    kept = random.getstate(), np.random.get_state(), keras.config.dtype_policy()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        keras.config.set_dtype_policy(kept[2])


def kept_by_a_checkpoint(about: str, state: Any) -> dict[str, Any]:
    """What a checkpoint gives back of a part's state."""
    remedy = "return a mapping of names to NumPy arrays, numbers, texts, None, lists of these, and mappings of these"
    require(
        isinstance(state, Mapping),
        about,
        "asked for its state()",
        f"a {type(state).__name__}",
        "a mapping",
        remedy,
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        expecting(about, "wrote its state() to a checkpoint", "a checkpoint", remedy),
    ):
        path = checkpoints.Checkpoints(Path(folder)).save(1, {"part": dict(state)})
        restored: dict[str, Any] = checkpoints.load(path)["part"]
    return restored


def plain(value: Any) -> Any:
    """Nested tensors as NumPy arrays that nothing else will change."""
    return tf.nest.map_structure(lambda part: np.array(part), value)


def same(one: Any, other: Any) -> bool:
    """Whether nested values are the same, to the bit."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(
            same(first, second) for first, second in zip(one, other, strict=True)
        )
    if one is None or other is None:
        return one is other
    first, second = np.asarray(one), np.asarray(other)
    return first.shape == second.shape and bool(
        np.array_equal(first, second, equal_nan=first.dtype.kind in "fc")
    )


def close(one: Any, other: Any, tolerance: float = 1e-4) -> bool:
    """Whether nested numbers are nearly the same."""
    first, second = tf.nest.flatten(plain(one)), tf.nest.flatten(plain(other))
    return len(first) == len(second) and all(
        left.shape == right.shape
        and (
            bool(
                np.allclose(
                    left.astype(float), right.astype(float), tolerance, tolerance, equal_nan=True
                )
            )
            if left.dtype.kind in "fiub"
            else bool((left == right).all())
        )
        for left, right in zip(first, second, strict=True)
    )


def short(value: Any) -> str:
    """A value in little space."""
    text = " ".join(str(plain(value)).split())
    return text if len(text) <= 160 else f"{text[:160]}…"


def _check_config(part: Part) -> None:
    """Fail where a config that says just these parameters would be refused."""
    component = part.component
    try:
        text = yaml.safe_dump({component.name: dict(component.params)})
    except yaml.YAMLError:  # a test may give objects, which no config holds
        return
    reader = Reader(component.registry or active_registry(), _signatures())
    with expecting(
        part.about, "read its parameters as a config", "a schema", "annotate them with plain types"
    ):
        reader.read(parse(text, "the parameters"), {"x-component": component.kind}, component.name)
    if reader.problems:
        raise CheckFailed(
            part.about,
            f"checked {_shown(component.params)} as a config",
            "; ".join(map(str, reader.problems)),
            "no mistake",
            "give the check parameters that the signature admits, or mend the annotation that refuses them",
        )


@functools.cache
def _signatures() -> Signatures:
    return Signatures()


def _registry_with(kind: str, name: str, factory: Any) -> Registry:
    module = ModuleType(UNDER_TEST)
    hook = f"provide_{kind}"

    def provide() -> Mapping[str, Any]:
        return {name: factory}

    provide.__name__ = hook
    setattr(module, hook, hookimpl(provide))
    plugins = load_plugins()
    plugins.add(Plugin(UNDER_TEST, UNDER_TEST), module)
    return Registry(plugins)


def _shown(params: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in params.items()) or "no parameters"
