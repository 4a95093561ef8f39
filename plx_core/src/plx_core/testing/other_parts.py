"""The check of kinds that are small: a signature that a config can be checked against, an object, and a call where one is possible."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from plx_core.models.bridge import BridgeSpec, SampleFn
from plx_core.networks.load_model import load_model
from plx_core.state import Modes
from plx_core.testing.failures import expecting, require
from plx_core.testing.keras_parts import copied, require_same_numbers
from plx_core.testing.making import (
    Part,
    close,
    no_global_randomness,
    own_settings,
    part_of,
    plain,
    same,
)

UNBUILT = frozenset(("agents", "datasets", "wrappers"))
"""Kinds whose factories need a run, an environment or a download: of these only the signature is checked."""
AS_OPS = "compute with keras.ops alone"
ENCODING, EXAMPLES, LATENTS = 8, 4, 3
"""How many numbers the encoding has that a bridge is tried on, of how many examples, and how many latents are drawn from it."""


def check_part(kind: str, part: Any, params: Mapping[str, Any] | None = None) -> None:
    """Check a part of a kind that has no check of its own, such as an initializer, an activation or a bridge.

    Args:
        kind: one of `plx_core.KINDS`.
        part: a class, a function, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    found = part_of(kind, part, params)
    if kind in UNBUILT:
        return
    with own_settings():
        CALLS.get(kind, Part.build)(found)


def _check_initializer(part: Part) -> None:
    made = part.build()
    _require_result(
        part, "made weights of shape (4, 4)", lambda: made((4, 4), dtype="float32"), (4, 4)
    )
    copied(part, keras.initializers, made)


def _check_regularizer(part: Part) -> None:
    made = part.build()
    penalty = _require_result(part, "called it with weights", lambda: made(_values()), ())
    require_same_numbers(part.about, penalty, copied(part, keras.regularizers, made)(_values()))


def _check_constraint(part: Part) -> None:
    made = part.build()
    weights = _require_result(part, "called it with weights", lambda: made(_values()), (4, 3))
    require_same_numbers(part.about, weights, copied(part, keras.constraints, made)(_values()))


def _check_activation(part: Part) -> None:
    made, did = part.build(), "called it in a tf.function"
    result = _require_result(part, "called it with a tensor", lambda: made(_values()), None)
    with expecting(part.about, did, "the same numbers", AS_OPS):
        traced = plain(tf.function(made, autograph=False)(_values()))
    require(close(result, traced), part.about, did, "other numbers", "the same numbers", AS_OPS)


def _check_bridge(part: Part) -> None:
    for mode in (Modes.TRAIN, Modes.PREDICT):
        features, did = (
            keras.Input((ENCODING,)),
            f"joined an encoding [batch, {ENCODING}] to no decoder, in the mode {mode}",
        )
        with expecting(
            part.about,
            did,
            "a BridgeSpec",
            "let cross() compute with layers and keras.ops, which take symbolic tensors",
        ):
            bridged = part.build(mode=mode)(features)
        require(
            isinstance(bridged, BridgeSpec),
            part.about,
            did,
            type(bridged),
            "a BridgeSpec",
            "derive it from plx_core.Bridge",
        )
        network = keras.Model(
            features, {"results": bridged.results, "losses": dict(bridged.losses)}
        )
        _check_crossed(part.about, f"{did}, and called that", network)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "network.keras")
        remedy = "compute with keras.ops, or with layers of the module that the bridge is in, and with no Lambda"
        with expecting(
            part.about,
            "saved the network in a .keras file and read that again",
            "the same network",
            remedy,
        ):
            network.save(path)
            load_model(path, part.component.registry)
    if bridged.sample_fn is not None and not isinstance(bridged.latent, Mapping):
        _check_latents(part.about, bridged.sample_fn, tuple(bridged.latent.shape)[1:])


def _check_crossed(about: str, did: str, network: keras.Model) -> None:
    values = np.random.default_rng(1).normal(size=(EXAMPLES, ENCODING)).astype("float32")
    with expecting(about, did, "numbers", AS_OPS):
        outputs = plain(network(values))
    is_finite = all(np.isfinite(each).all() for each in tf.nest.flatten(outputs))
    require(
        is_finite,
        about,
        did,
        "numbers that are not finite",
        "finite numbers",
        "keep logarithms and divisions away from 0",
    )
    for name, loss in outputs["losses"].items():
        remedy = "sum or average over all axes but the first: a loss is of each example"
        require(
            loss.shape == (EXAMPLES,),
            about,
            did,
            f"{name} has the shape {loss.shape}",
            f"the shape ({EXAMPLES},)",
            remedy,
        )


def _check_latents(about: str, sample_fn: SampleFn, shape: tuple[int, ...]) -> None:
    did, remedy = (
        f"drew {LATENTS} latents",
        "draw as many as it is asked for, from the generator that it is given",
    )
    with expecting(about, did, "latents", remedy), no_global_randomness(about, did):
        drawn, again = (np.asarray(sample_fn(LATENTS, np.random.default_rng(2))) for _ in range(2))
    require(
        drawn.shape == (LATENTS, *shape),
        about,
        did,
        f"the shape {drawn.shape}",
        f"the shape {(LATENTS, *shape)}",
        remedy,
    )
    require(
        same(drawn, again),
        about,
        f"{did} twice from one seed",
        "other latents",
        "the same latents",
        remedy,
    )


def _values() -> tf.Tensor:
    return tf.constant(np.random.default_rng(1).normal(size=(4, 3)).astype("float32"))


def _require_result(part: Part, did: str, call: Any, shape: tuple[int, ...] | None) -> Any:
    with expecting(part.about, did, "numbers", AS_OPS):
        result = plain(call())
    require(
        shape is None or result.shape == shape,
        part.about,
        did,
        f"the shape {result.shape}",
        f"the shape {shape}",
        "mend the shape",
    )
    require(
        np.isfinite(result).all(),
        part.about,
        did,
        "numbers that are not finite",
        "finite numbers",
        "keep divisions away from 0",
    )
    return result


CALLS: Mapping[str, Callable[[Part], Any]] = {
    "initializers": _check_initializer,
    "regularizers": _check_regularizer,
    "constraints": _check_constraint,
    "activations": _check_activation,
    "bridges": _check_bridge,
}
"""How a part is tried besides being made."""
