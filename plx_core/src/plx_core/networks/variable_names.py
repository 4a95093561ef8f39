"""Names of variables that depend on the network alone, not on what else the process has built."""

from __future__ import annotations

import re
from typing import Any


def variables_by_name(network: Any) -> dict[str, Any]:
    """All of a network's variables, the states of its random generators included.

    Keras numbers unnamed layers over the whole process (`dense_7`); here they are numbered anew in each network (`dense_1`), and
    within each layer that holds others, so that the same network has the same names in every process. Names that a person gave stay,
    unless they look like Keras's own.
    """
    paths = [variable.path.split("/") for variable in network.variables]
    automatic = _automatic_names(network)
    numbers: dict[tuple[str, ...], set[int]] = {}
    for path in paths:
        for place, segment in enumerate(path[:-1]):
            if found := automatic.fullmatch(segment):
                numbers.setdefault((*path[:place], found[1]), set()).add(int(found[2] or 0))
    named: dict[str, Any] = {}
    for variable, path in zip(network.variables, paths, strict=True):
        segments = [*path]
        for place, segment in enumerate(path[:-1]):
            if found := automatic.fullmatch(segment):
                number = sorted(numbers[*path[:place], found[1]]).index(int(found[2] or 0))
                segments[place] = f"{found[1]}_{number}" if number else found[1]
        name = "/".join(
            re.sub(r"^seed_generator_\d+$", "seed_generator", segment) for segment in segments
        )
        unique, count = name, 1
        while unique in named:
            unique, count = f"{name}_{count}", count + 1
        named[unique] = variable
    return named


def _automatic_names(network: Any) -> re.Pattern[str]:
    """What Keras calls the layers of a network, and the number behind; `Bidirectional` puts a word before its layers' names."""
    stems = {
        snake_case(type(layer).__name__) for layer in network._flatten_layers(include_self=False)
    }
    return re.compile(
        rf"((?:forward_|backward_)?(?:{'|'.join(map(re.escape, sorted(stems)))}))(?:_(\d+))?"
    )


def snake_case(name: str) -> str:
    """`MaxPooling2D` to `max_pooling2d`, as Keras does it."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
