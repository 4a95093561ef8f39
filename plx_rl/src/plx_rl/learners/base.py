"""The base of learners: networks, optimizers, and the states of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from plx_core import (
    Learner,
    State,
    Updater,
    assign_variables,
    follows_schedule,
    variables_by_name,
)
from plx_core.errors import ComponentError
from plx_core.types import Nested, Network, Optimizer, Tensor, Variable


class OptimizedLearner(Learner):
    """Holds networks and optimizers, under the names that a checkpoint has for their variables.

    Args:
        networks: by name; `variables` is the network that acts.
        updaters: by the names of their optimizers; the first one counts the steps.

    Raises:
        ComponentError: a layer has an activity regularizer.
    """

    def __init__(
        self,
        networks: Mapping[str, Network],
        updaters: Mapping[str, Updater],
    ) -> None:
        for network in networks.values():
            _refuse_activity_regularizers(network)
        self._groups: dict[str, dict[str, Variable]] = {
            name: variables_by_name(network) for name, network in networks.items()
        }
        self._groups |= {name: updater.variables for name, updater in updaters.items()}
        self._groups["averages"] = {
            name: average
            for updater in updaters.values()
            for name, average in updater.averages(self._groups["variables"]).items()
        }
        self._updaters = list(updaters.values())

    @property
    def global_step(self) -> int:
        """The number of steps so far, one for each batch or minibatch."""
        return int(self._updaters[0].step.numpy())

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update."""
        return float(self._optimizer.learning_rate.numpy())

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        try:
            self._optimizer.learning_rate = value
        except TypeError as error:
            raise ComponentError(
                "the learning rate follows a schedule and cannot be set"
            ) from error

    @property
    def has_schedule(self) -> bool:
        """Whether the learning rate follows a schedule, so that it cannot be set."""
        return follows_schedule(self._optimizer)

    def begin_from_weights(self) -> None:
        """Start the averages of weights at the weights."""
        for updater in self._updaters:
            updater.begin_from_weights()

    def find_non_finite(self) -> str:
        """Return the name of a weight that is not finite, or an empty string."""
        for name, variable in self._groups["variables"].items():
            if not _is_finite(variable):
                return name
        return ""

    def state(self) -> State:
        """Return the variables of networks and optimizers, and the averages of weights by name."""
        return {
            group: {name: np.asarray(variable.numpy()) for name, variable in variables.items()}
            for group, variables in self._groups.items()
        }

    def restore(self, state: State) -> None:
        """Restore what `state` returned.

        Raises:
            CheckpointError: it does not fit the networks.
        """
        for group, variables in self._groups.items():
            assign_variables(variables, state.get(group, {}), group)

    @property
    def _optimizer(self) -> Optimizer:
        return self._updaters[0].optimizer


def programs(function: Callable[..., Nested]) -> dict[bool, Callable[..., Nested]]:
    """Return a function as a `tf.function`, and under True as one that XLA compiles.

    autograph=False: conversion would dominate start-up. Each is traced when it is first called.
    """
    return {
        xla: tf.function(function, jit_compile=xla, reduce_retracing=True, autograph=False)
        for xla in (False, True)
    }


def penalties(weights: Sequence[Variable]) -> Tensor:
    """Return the sum of the regularizers' penalties on weights, a scalar."""
    terms = [
        tf.cast(weight.regularizer(weight), tf.float32)
        for weight in weights
        if weight.regularizer is not None
    ]
    return tf.add_n(terms) if terms else 0.0


def variables_changed_in_training(network: Network) -> list[str]:
    """Return the names of the variables that a call in training mode changes.

    They are the statistics and the states of random generators of layers that behave in another way
    in training, such as BatchNormalization and Dropout.
    """
    features = {
        tensor.name: tf.zeros((2, *tensor.shape[1:]), tensor.dtype) for tensor in network.inputs
    }
    with keras.StatelessScope() as scope:
        network(features, training=True)
    return [
        name
        for name, variable in variables_by_name(network).items()
        if scope.get_current_value(variable) is not None
    ]


def _refuse_activity_regularizers(network: Network) -> None:
    """Raise a `ComponentError` where a layer penalises its outputs, which no loss here adds."""
    names = [
        layer.name
        for layer in network._flatten_layers(include_self=False)
        if getattr(layer, "activity_regularizer", None) is not None
    ]
    if names:
        raise ComponentError(
            f"{', '.join(names)}: the loss of an agent has no penalty on outputs "
            "(activity_regularizer); penalise weights (kernel_regularizer), or leave it out"
        )


def _is_finite(variable: Variable) -> bool:
    values = variable.numpy()
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())
