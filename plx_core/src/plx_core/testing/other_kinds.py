"""The check of kinds that have no check of their own, such as initializers and bridges."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from plx_core.annotations import ComponentLike
from plx_core.models.bridge import BridgeSpec, SampleFn
from plx_core.networks.load_model import load_model
from plx_core.state import Modes
from plx_core.testing.failures import expecting, require
from plx_core.testing.isolation import no_global_randomness, own_settings
from plx_core.testing.keras_objects import AVOID_ZERO, USE_OPS, copy_of, require_same_numbers
from plx_core.testing.part import Params, Part, part_of
from plx_core.testing.values import close, plain, same
from plx_core.types import Array, Nested, Network, Tensor

UNBUILT = frozenset(("agents", "datasets", "wrappers"))
"""Kinds that need a run, a download or an environment; only their signature is checked."""
ENCODING = 8
"""Size of the encoding that a bridge is tried on."""
EXAMPLES = 4
LATENTS = 3


def check_part(kind: str, part: ComponentLike, params: Params | None = None) -> None:
    """Check a part of a kind without a check of its own: its signature, and a call if possible.

    Args:
        kind: one of `plx_core.KINDS`.
        part: a class, a function, or a name.
        params: its parameters.

    Raises:
        CheckFailed: at the first failure.
    """
    tried = part_of(kind, part, params)
    if kind not in UNBUILT:
        with own_settings():
            CHECKS.get(kind, _build)(tried)


def _build(part: Part) -> None:
    part.build()


def _check_initializer(part: Part) -> None:
    initializer = part.build()
    did = "created weights of shape (4, 4)"
    _call(part, did, lambda: initializer((4, 4), dtype="float32"), (4, 4))
    copy_of(part, keras.initializers, initializer)


def _check_regularizer(part: Part) -> None:
    regularizer = part.build()
    penalty = _call(part, "called it with weights", lambda: regularizer(_values()), ())
    copied = copy_of(part, keras.regularizers, regularizer)
    require_same_numbers(part.about, penalty, copied(_values()))


def _check_constraint(part: Part) -> None:
    constraint = part.build()
    weights = _call(part, "called it with weights", lambda: constraint(_values()), (4, 3))
    copied = copy_of(part, keras.constraints, constraint)
    require_same_numbers(part.about, weights, copied(_values()))


def _check_activation(part: Part) -> None:
    activation = part.build()
    result = _call(part, "called it with a tensor", lambda: activation(_values()), None)
    did = "called it in a tf.function"
    with expecting(part.about, did, "the same numbers", USE_OPS):
        traced = plain(tf.function(activation, autograph=False)(_values()))
    require(close(result, traced), part.about, did, "other numbers", "the same numbers", USE_OPS)


def _check_bridge(part: Part) -> None:
    for mode in (Modes.TRAIN, Modes.PREDICT):
        features = keras.Input((ENCODING,))
        did = f"called it with an encoding [batch, {ENCODING}] and no decoder, in mode {mode}"
        with expecting(
            part.about,
            did,
            "a BridgeSpec",
            "use layers and keras.ops in cross(), which accept symbolic tensors",
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
        outputs = {"results": bridged.results, "losses": dict(bridged.losses)}
        network = keras.Model(features, outputs)
        _check_bridge_outputs(part.about, f"{did}, and called the network", network)
    with (
        tempfile.TemporaryDirectory() as folder,
        expecting(
            part.about,
            "saved the network to a .keras file and loaded it",
            "the same network",
            "use keras.ops, or layers defined in the bridge's module, and no Lambda",
        ),
    ):
        path = Path(folder, "network.keras")
        network.save(path)
        load_model(path, part.component.registry)
    if bridged.sample_fn is not None and not isinstance(bridged.latent, Mapping):
        _check_latents(part.about, bridged.sample_fn, tuple(bridged.latent.shape)[1:])


def _check_bridge_outputs(about: str, did: str, network: Network) -> None:
    values = np.random.default_rng(1).normal(size=(EXAMPLES, ENCODING)).astype("float32")
    with expecting(about, did, "numbers", USE_OPS):
        outputs = plain(network(values))
    _require_finite(about, did, outputs)
    for name, loss in outputs["losses"].items():
        require(
            loss.shape == (EXAMPLES,),
            about,
            did,
            f"{name} has the shape {loss.shape}",
            f"the shape ({EXAMPLES},)",
            "sum or average over all axes except the first: each example has a loss",
        )


def _check_latents(about: str, sample_fn: SampleFn, shape: tuple[int, ...]) -> None:
    did = f"drew {LATENTS} latents"
    remedy = "draw the requested number of latents, from the generator that sample_fn receives"
    with expecting(about, did, "latents", remedy), no_global_randomness(about, did):
        first, second = (np.asarray(sample_fn(LATENTS, np.random.default_rng(2))) for _ in range(2))
    expected = (LATENTS, *shape)
    require(
        first.shape == expected,
        about,
        did,
        f"the shape {first.shape}",
        f"the shape {expected}",
        remedy,
    )
    did = f"{did} twice from one seed"
    require(same(first, second), about, did, "other latents", "the same latents", remedy)


def _values() -> Tensor:
    return tf.constant(np.random.default_rng(1).normal(size=(4, 3)).astype("float32"))


def _call(
    part: Part, did: str, function: Callable[[], Tensor], shape: tuple[int, ...] | None
) -> Array:
    """Call a function, and fail the check unless it returns finite numbers of this shape."""
    with expecting(part.about, did, "numbers", USE_OPS):
        result: Array = plain(function())
    require(
        shape is None or result.shape == shape,
        part.about,
        did,
        f"the shape {result.shape}",
        f"the shape {shape}",
        "fix the shape",
    )
    _require_finite(part.about, did, result)
    return result


def _require_finite(about: str, did: str, result: Nested) -> None:
    is_finite = all(np.isfinite(array).all() for array in tf.nest.flatten(result))
    require(is_finite, about, did, "numbers that are not finite", "finite numbers", AVOID_ZERO)


CHECKS: Mapping[str, Callable[[Part], None]] = {
    "initializers": _check_initializer,
    "regularizers": _check_regularizer,
    "constraints": _check_constraint,
    "activations": _check_activation,
    "bridges": _check_bridge,
}
"""What is checked besides the signature; parts of other kinds are only built."""
