"""How `plx check` connects layers: without memory for large weights, and traced one by one."""

from __future__ import annotations

import contextvars
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from attrs import define, field

from plx_core.errors import PlxError
from plx_core.types import Layer, Nested, Variable

MAX_REAL_BYTES = 128 * 2**20
"""Up to this size the weights of all layers together are real; those of further layers are not."""

_active: contextvars.ContextVar[LayerTrial | None] = contextvars.ContextVar(
    "plx_layer_trial", default=None
)


class TooLarge(PlxError):
    """A network has too many weights to be used in a check."""


@define
class LayerTrial:
    """The layers that are connected while a config is checked.

    Args:
        needs_values: whether the network is to be used, and not only traced: `TooLarge` is raised
            where its weights have no values.
        traces: trace each layer where it is connected. Keras asks most layers for their output
            shape only; whether they can compute it is known when TensorFlow traces the whole
            network, and then the message names no layer.
    """

    needs_values: bool = False
    traces: bool = False
    num_weights: int = field(default=0, init=False)
    num_bytes: int = field(default=0, init=False)
    is_too_large: bool = field(default=False, init=False)
    """Whether `TooLarge` was raised."""
    _replacements: dict[int, Layer] = field(factory=dict, init=False)
    _originals: list[Layer] = field(factory=list, init=False)
    _is_abstract: bool = field(default=False, init=False)

    def prepare(self, layer: Layer, inputs: Sequence[Nested], again: Callable[[], Layer]) -> Layer:
        """Return the layer; a copy, with weights that have a shape and no values, if it is large.

        Args:
            layer: the layer, which need not be built.
            inputs: its symbolic inputs.
            again: builds the same layer again.

        Raises:
            TooLarge: the layer is too large, and values are needed.
        """
        if id(layer) not in self._replacements:
            self._originals.append(layer)  # an id is unique only while its object lives
            self._replacements[id(layer)] = self._smaller(layer, inputs, again)
        return self._replacements[id(layer)]

    def _smaller(self, layer: Layer, inputs: Sequence[Nested], again: Callable[[], Layer]) -> Layer:
        import keras

        if not isinstance(layer, keras.layers.Layer) or layer.built:
            return layer
        try:
            with _without_values():
                copy = again()
                copy.name = layer.name
                copy(*inputs)
        except Exception:  # building the layer itself tells what is wrong
            return layer
        self.num_weights += sum(math.prod(weight.shape) for weight in copy.weights)
        self.num_bytes += sum(map(_size, copy.weights))
        if self.num_bytes <= MAX_REAL_BYTES:
            return layer
        if self.needs_values:
            self.is_too_large = True
            raise TooLarge(f"its first layers have {self.num_bytes / 2**30:,.1f} GiB of weights")
        self._is_abstract = True
        return copy

    def scope(self) -> AbstractContextManager[None]:
        """Return the context in which layers are called: they may have weights without values."""
        return _without_values() if self._is_abstract else nullcontext()

    def trace(self, layer: Layer, inputs: Sequence[Nested]) -> None:
        """Trace a layer on its own, if that is asked for."""
        if not self.traces:
            return
        import tensorflow as tf

        specs = tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), inputs)
        tf.function(layer, autograph=False).get_concrete_function(*specs)


@contextmanager
def layer_trial(*, needs_values: bool = False, traces: bool = False) -> Iterator[LayerTrial]:
    """Connect layers as a `LayerTrial` says in the body, and yield it; its parameters are these."""
    trial = LayerTrial(needs_values, traces)
    token = _active.set(trial)
    try:
        yield trial
    finally:
        _active.reset(token)


def active_trial() -> LayerTrial | None:
    """Return the trial within which layers are being connected."""
    return _active.get()


@contextmanager
def _without_values() -> Iterator[None]:
    """Give the variables that are created in the body no values, now or later."""
    import keras
    from keras.src.backend.common import global_state

    with keras.StatelessScope(initialize_variables=False):
        # Keras would give values to those that it finds here, with the next symbolic call.
        waiting = global_state.get_global_attribute(
            "uninitialized_variables", [], set_to_default=True
        )
        count = len(waiting)
        try:
            yield
        finally:
            del waiting[count:]


def _size(weight: Variable) -> int:
    import keras

    bits = "".join(filter(str.isdigit, keras.backend.standardize_dtype(weight.dtype)))
    return int(math.prod(weight.shape)) * max(int(bits or 8) // 8, 1)
