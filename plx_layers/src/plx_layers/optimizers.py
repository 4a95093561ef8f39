"""Keras's optimizers, each with the decay of its learning rate among its parameters, as polyaxon-lib had them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras

from plx_layers.schedules import Decay

DECAY_PARAMETERS = tuple(parameter for name, parameter in inspect.signature(Decay).parameters.items() if name != "learning_rate")


def with_decay(optimizer: Callable[..., Any]) -> Callable[..., Any]:
    """An optimizer's factory that also takes `decay_type` and the other parameters of `schedules.Decay`.

    Without a `decay_type` the learning rate is used as it is given: a number, or a schedule.
    """
    own = [parameter for parameter in inspect.signature(optimizer).parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]

    @functools.wraps(optimizer, assigned=("__doc__", "__name__", "__qualname__"), updated=())
    def make(*args: Any, **params: Any) -> Any:
        bound = inspect.signature(optimizer).bind_partial(*args)
        decay = {parameter.name: params.pop(parameter.name) for parameter in DECAY_PARAMETERS if parameter.name in params}
        params = {**bound.arguments, **params}
        if decay.get("decay_type"):
            rate = params.pop("learning_rate", inspect.signature(optimizer).parameters["learning_rate"].default)
            params["learning_rate"] = Decay(rate, **decay)
        elif decay:
            raise ValueError(f"{', '.join(decay)}: these have no effect without decay_type")
        return optimizer(**params)

    decays = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in DECAY_PARAMETERS]
    decays = [
        parameter.replace(default=None, annotation=parameter.annotation | None) if parameter.name == "decay_type" else parameter
        for parameter in decays
    ]
    signature = inspect.Signature([parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in own] + decays)
    make.__signature__ = signature  # type: ignore[attr-defined]
    make.__annotations__ = {parameter.name: parameter.annotation for parameter in decays}
    return make


@functools.cache
def __getattr__(name: str) -> Callable[..., Any]:
    optimizer = getattr(keras.optimizers, name, None)
    if optimizer is None or not inspect.isclass(optimizer):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return with_decay(optimizer) if "learning_rate" in inspect.signature(optimizer).parameters else optimizer
