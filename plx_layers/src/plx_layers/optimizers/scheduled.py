"""Keras's optimizers and those of TensorFlow 1, with the parameters of a learning-rate schedule."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import keras

from plx_core import type_hints
from plx_core.annotations import (
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    ScheduleLike,
)
from plx_core.types import Optimizer
from plx_layers.optimizers import fused_adam
from plx_layers.schedules import Decay, Warmup

Rate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule


def _schedule_parameters() -> list[inspect.Parameter]:
    hints = type_hints(Decay)
    hints["decay_type"] = hints["decay_type"] | None
    parameters = [
        parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[name])
        for name, parameter in inspect.signature(Decay).parameters.items()
        if name != "learning_rate"
    ]
    parameters[0] = parameters[0].replace(default=None)
    warmup = inspect.Parameter(
        "warmup_steps", inspect.Parameter.KEYWORD_ONLY, default=0, annotation=NonNegativeInt
    )
    return [*parameters, warmup]


SCHEDULE_PARAMETERS = _schedule_parameters()
"""`decay_type` and the other parameters of `Decay`, and `warmup_steps`."""


SCHEDULE_ARGS = """

Args:
    decay_type: the formula of the decay of the learning rate, as of the schedule `Decay`; no decay
        when omitted.
    decay_rate: the decay in `decay_steps` steps.
    decay_steps: the number of steps of that decay.
    start_decay_at: the step at which the decay starts.
    stop_decay_at: the step at which the decay stops.
    min_learning_rate: the lowest rate.
    staircase: whether to decay in steps, every `decay_steps`.
    end_learning_rate: the end of `polynomial_decay` and `cosine_decay`; 0.0001 and 0 when omitted.
    power: the exponent of `polynomial_decay`.
    boundaries: the steps at which `piecewise_constant` changes.
    values: the rates of `piecewise_constant`, one more than boundaries.
    warmup_steps: the number of steps in which the rate first rises from 0.
"""
"""The parameters that `with_schedule` adds, for a docstring."""


def with_schedule(optimizer: Callable[..., Optimizer]) -> Callable[..., Optimizer]:
    """Return a factory of the same optimizer that also takes the parameters of a schedule.

    These are the parameters of `Decay`, and `warmup_steps`. Without a `decay_type` the learning
    rate is used unchanged: a number, or a schedule. Where the optimizer has a parameter of the same
    name, it keeps its own.
    """
    signature = inspect.signature(optimizer)
    own = [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    added = [
        parameter for parameter in SCHEDULE_PARAMETERS if parameter.name not in signature.parameters
    ]
    names = {parameter.name for parameter in added}

    @functools.wraps(optimizer, assigned=("__doc__", "__name__", "__qualname__"), updated=())
    def build(*args: object, **params: object) -> Optimizer:
        params = {**signature.bind_partial(*args).arguments, **params}
        settings = {name: params.pop(name) for name in names & set(params)}
        if settings:
            rate = params.get("learning_rate", signature.parameters["learning_rate"].default)
            params["learning_rate"] = scheduled(rate, settings)
        return optimizer(**params)

    build.__doc__ = inspect.cleandoc(optimizer.__doc__ or "") + SCHEDULE_ARGS
    parameters = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in own] + added
    build.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    hints = type_hints(optimizer) if inspect.isfunction(optimizer) else {}
    build.__annotations__ = {name: hint for name, hint in hints.items() if name != "return"}
    build.__annotations__ |= {parameter.name: parameter.annotation for parameter in added}
    return build


def scheduled(learning_rate: Rate, settings: Mapping[str, Any]) -> Rate:
    """Return a learning rate with the decay and the warm-up that the settings describe.

    Raises:
        ValueError: there are parameters of a decay, but no `decay_type`.
    """
    decay = {name: value for name, value in settings.items() if name != "warmup_steps"}
    warmup_steps = settings.get("warmup_steps", 0)
    if decay.get("decay_type"):
        learning_rate = Decay(learning_rate, **decay)
    elif unused := sorted(decay.keys() - {"decay_type"}):
        raise ValueError(f"{', '.join(unused)}: these have no effect without decay_type")
    return Warmup(learning_rate, warmup_steps) if warmup_steps else learning_rate


MOMENTUM_ARGS = """

Args:
    learning_rate: the rate, or a schedule of it.
    momentum: the share of the previous step that is kept.
    weight_decay: the share of the weights that each step subtracts, times the rate.
    clipnorm: the largest norm of each gradient.
    clipvalue: the largest absolute value of the elements of a gradient.
    global_clipnorm: the largest norm of all gradients together.
    name: the optimizer's name.
"""


def _momentum(name: str, description: str, *, nesterov: bool) -> Callable[..., Optimizer]:
    def momentum_sgd(
        learning_rate: ScheduleLike | NonNegativeFloat = 0.001,
        momentum: Fraction = 0.9,
        weight_decay: NonNegativeFloat | None = None,
        clipnorm: PositiveFloat | None = None,
        clipvalue: PositiveFloat | None = None,
        global_clipnorm: PositiveFloat | None = None,
        name: str = name,
    ) -> Optimizer:
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

    momentum_sgd.__doc__ = inspect.cleandoc(description) + MOMENTUM_ARGS
    return with_schedule(momentum_sgd)


Momentum = _momentum(
    "momentum",
    """Gradient descent with momentum.

    v ← momentum · v − learning_rate · gradient, weights ← weights + v;
    v has the weights' shapes. The rate is part of v, as in Keras: TensorFlow 1 multiplied by the
    current
    rate, which gives other updates while the rate changes.""",
    nesterov=False,
)
Nesterov = _momentum(
    "nesterov",
    """Gradient descent with Nesterov's momentum.

    weights ← weights + momentum · v − learning_rate · gradient;
    v, the velocity of `Momentum`, has the weights' shapes.

    Source: Sutskever et al. 2013, On the importance of initialization and momentum in deep
    learning.""",
    nesterov=True,
)


@functools.cache
def __getattr__(name: str) -> Callable[..., Optimizer]:
    optimizer = getattr(fused_adam, name, None) or getattr(keras.optimizers, name, None)
    if optimizer is None or not inspect.isclass(optimizer):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if "learning_rate" not in inspect.signature(optimizer).parameters:
        return optimizer
    return with_schedule(optimizer)
