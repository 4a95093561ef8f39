"""The part that a check tries, built as a config builds it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any, TypeAlias

import yaml
from attrs import frozen

from plx_core.annotations import ComponentLike
from plx_core.components.component import Component, active_registry
from plx_core.components.json_schema import is_mode, type_hints
from plx_core.components.schema_cache import Signatures
from plx_core.config.validate import Reader
from plx_core.config.yaml_tree import parse
from plx_core.errors import PlxError
from plx_core.hookspecs import Factory, hookimpl
from plx_core.plugins.discovery import Plugin, load_plugins
from plx_core.plugins.registry import SINGULAR, Registry
from plx_core.testing.failures import CannotTry, CheckFailed, expecting, require

UNDER_TEST = "under_test"
"""Name of the plug-in that offers a class or function which no installed plug-in offers."""

Built: TypeAlias = Any
"""What a part's factory returns."""

Params: TypeAlias = Mapping[str, Any]
"""A part's parameters by name."""


@frozen
class Part:
    """A part to check.

    Args:
        component: builds it.
        about: its name in messages, such as `layer Scale`.
    """

    component: Component
    about: str

    @property
    def factory(self) -> Factory:
        """The class or function."""
        return self.component.entry.load()

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The factory's parameters by name."""
        return inspect.signature(self.factory).parameters

    def takes(self, name: str) -> bool:
        """Return whether the factory has a parameter of this name."""
        return name in self.parameters

    def build(self, **supplied: Any) -> Built:
        """Build the part.

        Args:
            supplied: what core fills in where a config leaves it out, such as `mode` or `seed`.

        Raises:
            CheckFailed: the factory raises.
            CannotTry: it needs a package that is not installed.
        """
        with expecting(
            self.about,
            f"built it with {_format(self.component.params)}",
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
        """Return the part with other values of those of these parameters that it takes."""
        accepted = {name: value for name, value in params.items() if self.takes(name)}
        component = self.component
        changed = Component(
            component.kind,
            component.name,
            {**component.params, **accepted},
            registry=component.registry,
        )
        return Part(changed, self.about)


def part_of(kind: str, part: ComponentLike, params: Params | None) -> Part:
    """Return the part that a check was given, after a check of its signature and parameters.

    Args:
        kind: one of `plx_core.KINDS`.
        part: a class or function, a name, or a `{Name: {…}}` mapping.
        params: its parameters; not checked when None.

    Raises:
        CheckFailed: there is no such part, its signature cannot be a schema, or a config with these
            parameters is wrong.
    """
    if isinstance(part, (str, Mapping, Component)):
        component = Component.of(kind, part)
        name, registry = component.name, component.registry or active_registry()
        values = {**component.params, **(params or {})}
    elif callable(part):
        bare_name = getattr(part, "__name__", type(part).__name__)
        name, registry = f"{UNDER_TEST}/{bare_name}", _registry_with(kind, bare_name, part)
        values = dict(params or {})
    else:
        raise TypeError(
            f"a check takes a {SINGULAR[kind]}'s class or function, or its name; got {part!r}"
        )
    component = Component(kind, name, values, registry=registry)
    result = Part(component, f"{SINGULAR[kind]} {name.rpartition('/')[2]}")
    with expecting(
        result.about,
        "looked it up",
        "a factory",
        "offer it in a hook of your plugin.py, and install your package",
    ):
        factory = result.factory
    check_signature(result.about, kind, factory)
    if params is not None:
        _check_config(result)
    return result


def check_signature(about: str, kind: str, factory: Factory) -> None:
    """Fail the check if a factory has no docstring, or its signature cannot be a config's schema.

    Raises:
        CheckFailed: it does not.
    """
    did = "read its signature"
    require(
        inspect.getdoc(factory),
        about,
        did,
        "no docstring",
        "a docstring",
        "describe it in one line, which `plx components` shows",
    )
    if _is_from_keras(factory):  # Keras annotates nothing
        return
    with expecting(
        about,
        did,
        "annotations that Python can resolve",
        "import what the annotations name, outside `if TYPE_CHECKING:`",
    ):
        hints = type_hints(factory)
    extends_keras = inspect.isclass(factory) and any(
        cls.__module__.startswith("keras.") for cls in factory.__mro__
    )
    for position, parameter in enumerate(inspect.signature(factory).parameters.values()):
        if kind == "activations" and position == 0:
            continue
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            require(
                extends_keras,
                about,
                did,
                f"it takes {parameter}",
                "named parameters only",
                "name each parameter: otherwise a config's typing errors go unnoticed",
            )
            continue
        require(
            parameter.name in hints or is_mode(parameter),
            about,
            did,
            f"{parameter.name} has no annotation",
            "a type for each parameter",
            "annotate it; plx_core.annotations has types for bounded numbers and for components",
        )


def _is_from_keras(factory: Factory) -> bool:
    owner = factory.__init__ if inspect.isclass(factory) else factory
    module = getattr(owner, "__module__", "") or ""
    return module.partition(".")[0] in ("keras", "builtins") or hasattr(factory, "__signature__")


def _check_config(part: Part) -> None:
    """Fail the check if a config with exactly these parameters would be refused."""
    component = part.component
    try:
        text = yaml.safe_dump({component.name: dict(component.params)})
    except yaml.YAMLError:  # a test may pass objects, which a config cannot hold
        return
    reader = Reader(component.registry or active_registry(), _signatures())
    with expecting(
        part.about, "read its parameters as a config", "a schema", "annotate them with plain types"
    ):
        reader.read(parse(text, "the parameters"), {"x-component": component.kind}, component.name)
    if reader.problems:
        raise CheckFailed(
            part.about,
            f"checked {_format(component.params)} as a config",
            "; ".join(map(str, reader.problems)),
            "no mistake",
            "give the check parameters that the signature allows, or fix the annotation that "
            "refuses them",
        )


@functools.cache
def _signatures() -> Signatures:
    return Signatures()


def _registry_with(kind: str, name: str, factory: Factory) -> Registry:
    """Return a registry of the installed plug-ins and one that offers this factory."""
    module = ModuleType(UNDER_TEST)
    hook = f"provide_{kind}"

    def provide() -> Mapping[str, Factory]:
        return {name: factory}

    provide.__name__ = hook
    setattr(module, hook, hookimpl(provide))
    plugins = load_plugins()
    plugins.add(Plugin(UNDER_TEST, UNDER_TEST), module)
    return Registry(plugins)


def _format(params: Params) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in params.items()) or "no parameters"
