"""Names of variables that depend only on the network, not on what else the process has built."""

from __future__ import annotations

import re

from plx_core.plugins.registry import snake_case
from plx_core.types import Network, Variable

UNNAMED = re.compile(r"(variable)(?:_(\d+))?")
"""A pattern of the names that Keras gives variables, and their numbers."""


def variables_by_name(network: Network) -> dict[str, Variable]:
    """Return all variables of a network by name, including the states of random generators.

    Keras numbers unnamed layers over the whole process (`dense_7`). Here they are numbered within
    each network (`dense_1`), and within each layer that contains layers, so that the same network
    has the same names in every process. The same applies to unnamed variables (`variable_7`), and
    to an unnamed network whose class adds its name to its variables' (`my_model_2`). Names that the
    user chose are unchanged, unless they look like Keras's.
    """
    paths = [variable.path.split("/") for variable in network.variables]
    layers = _automatic_names(network)

    def match(path: list[str], depth: int) -> re.Match[str] | None:
        return (UNNAMED if depth == len(path) - 1 else layers).fullmatch(path[depth])

    numbers: dict[tuple[str, ...], set[int]] = {}
    for path in paths:
        for depth in range(len(path)):
            if automatic := match(path, depth):
                key = (*path[:depth], automatic[1])
                numbers.setdefault(key, set()).add(int(automatic[2] or 0))
    result: dict[str, Variable] = {}
    for variable, path in zip(network.variables, paths, strict=True):
        segments = [*path]
        for depth in range(len(path)):
            if automatic := match(path, depth):
                stem = automatic[1]
                number = sorted(numbers[*path[:depth], stem]).index(int(automatic[2] or 0))
                segments[depth] = f"{stem}_{number}" if number else stem
        segments = [re.sub(r"^seed_generator_\d+$", "seed_generator", name) for name in segments]
        name = unique_name = "/".join(segments)
        count = 1
        while unique_name in result:
            unique_name = f"{name}_{count}"
            count += 1
        result[unique_name] = variable
    return result


def _automatic_names(network: Network) -> re.Pattern[str]:
    """Return a pattern of the names that Keras gives the network and its layers, and their numbers.

    `Bidirectional` adds a prefix to the names of its layers.
    """
    stems = {
        snake_case(type(layer).__name__) for layer in network._flatten_layers(include_self=True)
    }
    stem = "|".join(map(re.escape, sorted(stems)))
    return re.compile(rf"((?:forward_|backward_)?(?:{stem}))(?:_(\d+))?")
