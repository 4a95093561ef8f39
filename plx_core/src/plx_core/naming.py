"""Names of variables that depend on the network alone, not on what else the process has built."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


def variables_by_name(network: Any) -> dict[str, Any]:
    """All of a network's variables, the states of its random generators included.

    Keras numbers unnamed layers over the whole process (`dense_7`); here they are numbered anew in each network (`dense_1`), so
    that the same network has the same names in every process. Names that a person gave stay, unless they look like Keras's own.
    """
    renamed = _renamed(network)
    named: dict[str, Any] = {}
    for variable in network.variables:
        segments = [renamed.get(segment, segment) for segment in variable.path.split("/")]
        name = "/".join(re.sub(r"^seed_generator_\d+$", "seed_generator", segment) for segment in segments)
        unique, count = name, 1
        while unique in named:
            unique, count = f"{name}_{count}", count + 1
        named[unique] = variable
    return named


def _renamed(network: Any) -> Mapping[str, str]:
    """New names of automatically named layers, in the order in which they were made, which is that of their numbers."""
    numbers: dict[str, set[int]] = {}
    for layer in _layers(network):
        stem = snake_case(type(layer).__name__)
        if automatic := re.fullmatch(rf"{re.escape(stem)}(?:_(\d+))?", layer.name):
            numbers.setdefault(stem, set()).add(int(automatic[1] or 0))
    return {_numbered(stem, old): _numbered(stem, new) for stem, found in numbers.items() for new, old in enumerate(sorted(found))}


def _numbered(stem: str, number: int) -> str:
    return f"{stem}_{number}" if number else stem


def _layers(network: Any) -> Iterable[Any]:
    for layer in getattr(network, "layers", ()):
        yield layer
        yield from _layers(layer)


def snake_case(name: str) -> str:
    """`MaxPooling2D` to `max_pooling2d`, as Keras does it."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
