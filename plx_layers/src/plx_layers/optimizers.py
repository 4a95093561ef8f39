"""Keras's optimizers and TensorFlow 1's, each with the decay and the warm-up of its learning rate among its parameters."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import keras

from plx_core import type_hints
from plx_core.annotations import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    ScheduleLike,
)
from plx_layers import fused_adam
from plx_layers.schedules import Decay, Warmup

WARMUP = "warmup_steps"


def _schedule_parameters() -> list[inspect.Parameter]:
    hints = type_hints(Decay)
    hints["decay_type"] = hints["decay_type"] | None
    parameters = [
        parameter
        for name, parameter in inspect.signature(Decay).parameters.items()
        if name != "learning_rate"
    ]
    parameters = [
        parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[parameter.name])
        for parameter in parameters
    ]
    parameters[0] = parameters[0].replace(default=None)
    return [
        *parameters,
        inspect.Parameter(
            WARMUP, inspect.Parameter.KEYWORD_ONLY, default=0, annotation=NonNegativeInt
        ),
    ]


SCHEDULE_PARAMETERS = _schedule_parameters()
"""`decay_type` and the other parameters of `Decay`, and `warmup_steps`."""


SCHEDULE_ARGS = """

Args:
    decay_type: how the learning rate decays: a formula of the schedule `Decay`; not at all when left out.
    decay_rate: how much is lost in `decay_steps` steps.
    decay_steps: the steps after which that much is lost.
    start_decay_at: the step before which there is no decay.
    stop_decay_at: the step after which there is no further decay.
    min_learning_rate: the least rate.
    staircase: whether the rate falls in stairs of `decay_steps` steps.
    end_learning_rate: what `polynomial_decay` and `cosine_decay` end at; 0.0001 and 0 when left out.
    power: the exponent of `polynomial_decay`.
    boundaries: the steps at which `piecewise_constant` changes.
    values: its rates, one more than there are boundaries.
    warmup_steps: over how many steps the rate rises from 0 at first.
"""
"""What the parameters mean that `with_schedule` adds, for a docstring."""


def with_schedule(optimizer: Callable[..., Any]) -> Callable[..., Any]:
    """An optimizer's factory that also takes the parameters of `schedules.Decay`, and `warmup_steps`.

    Without a `decay_type` the learning rate is used as it is given: a number, or a schedule. A parameter that the optimizer has itself
    stays its own.
    """
    accepted = inspect.signature(optimizer)
    own = [
        parameter
        for parameter in accepted.parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    added = [
        parameter for parameter in SCHEDULE_PARAMETERS if parameter.name not in accepted.parameters
    ]
    names = {parameter.name for parameter in added}

    @functools.wraps(optimizer, assigned=("__doc__", "__name__", "__qualname__"), updated=())
    def make(*args: Any, **params: Any) -> Any:
        params = {**accepted.bind_partial(*args).arguments, **params}
        settings = {name: params.pop(name) for name in names & set(params)}
        if settings:
            rate = params.get("learning_rate", accepted.parameters["learning_rate"].default)
            params["learning_rate"] = scheduled(rate, **settings)
        return optimizer(**params)

    make.__doc__ = inspect.cleandoc(optimizer.__doc__ or "") + SCHEDULE_ARGS
    parameters = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in own] + added
    make.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    hints = type_hints(optimizer) if inspect.isfunction(optimizer) else {}
    make.__annotations__ = {name: hint for name, hint in hints.items() if name != "return"}
    make.__annotations__ |= {parameter.name: parameter.annotation for parameter in added}
    return make


def scheduled(learning_rate: Any, *, warmup_steps: int = 0, **decay: Any) -> Any:
    """A learning rate with its decay and its warm-up: the number itself where there is neither.

    Raises:
        ValueError: a decay is described, and its type is not given.
    """
    if decay.get("decay_type"):
        learning_rate = Decay(learning_rate, **decay)
    elif described := sorted(name for name in decay if name != "decay_type"):
        raise ValueError(f"{', '.join(described)}: these have no effect without decay_type")
    return Warmup(learning_rate, warmup_steps) if warmup_steps else learning_rate


MOMENTUM_ARGS = """

Args:
    learning_rate: the rate, or a schedule of it.
    momentum: how much of the step before goes on.
    weight_decay: the share of the weights that each step takes away, times the rate.
    clipnorm: the largest norm of each gradient.
    clipvalue: the largest size of each of a gradient's numbers.
    global_clipnorm: the largest norm of all gradients together.
    name: the optimizer's name.
"""


def _momentum(name: str, nesterov: bool, what: str) -> Callable[..., Any]:
    def momentum_sgd(
        learning_rate: ScheduleLike | NonNegativeFloat = 0.001,
        momentum: Fraction = 0.9,
        weight_decay: NonNegativeFloat | None = None,
        clipnorm: PositiveFloat | None = None,
        clipvalue: PositiveFloat | None = None,
        global_clipnorm: PositiveFloat | None = None,
        name: str = name,
    ) -> Any:
        return keras.optimizers.SGD(
            learning_rate,
            momentum,
            nesterov,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            name=name,
        )

    momentum_sgd.__doc__ = inspect.cleandoc(what) + MOMENTUM_ARGS
    return with_schedule(momentum_sgd)


Momentum = _momentum(
    "momentum",
    nesterov=False,
    what="""Gradient descent with momentum: v ← momentum · v − learning_rate · gradient, weights ← weights + v, of the weights' shapes.

    The rate is within v, as Keras has it: TensorFlow 1 multiplied by the newest rate, which differs while the rate changes.""",
)
Nesterov = _momentum(
    "nesterov",
    nesterov=True,
    what="""Gradient descent with Nesterov's momentum: weights ← weights + momentum · v − learning_rate · gradient;
    v is of the weights' shapes.

    Source: Sutskever et al. 2013, On the importance of initialization and momentum in deep learning.""",
)


@functools.cache
def __getattr__(name: str) -> Callable[..., Any]:
    optimizer = getattr(fused_adam, name, None) or getattr(keras.optimizers, name, None)
    if optimizer is None or not inspect.isclass(optimizer):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return (
        with_schedule(optimizer)
        if "learning_rate" in inspect.signature(optimizer).parameters
        else optimizer
    )
