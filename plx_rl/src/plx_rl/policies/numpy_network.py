"""NumPy interpreter of small TensorFlow networks, for acting on the host.

For a few observations it is many times faster than a call of TensorFlow. The network is traced
once, and NumPy then runs the operations of its graph one by one, in the same dtypes. A network with
an operation that has no NumPy counterpart here, such as a convolution, is run by TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from plx_core import variables_by_name
from plx_core.types import Array, Features, Nested, Network, Tensor, Variable

Operation: TypeAlias = Any
"""A `tf.Operation`."""

Graph: TypeAlias = Any
"""A `tf.Graph`."""

TracedFunctionLike: TypeAlias = Any
"""A `tf.function`, or one of its concrete functions."""

Kernel: TypeAlias = Callable[..., Array]
"""Computes an operation's output from its inputs."""

Step: TypeAlias = tuple[Kernel, tuple[int, ...], int]
"""A kernel, the slots of its inputs and the slot of its output."""


class UnsupportedOperation(Exception):
    """An operation without a NumPy counterpart."""


def host_function(
    network: Network, function: Callable[[Features], Nested] | None = None
) -> HostFunction | TracedFunction:
    """Return the function that computes a network's outputs on the host.

    Args:
        network: a Keras model that takes a mapping of features.
        function: function of the features that calls the network; the network itself, in inference
            mode, when None.
    """
    function = function or (lambda features: network(features, training=False))
    signature = {
        tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name)
        for tensor in network.inputs
    }
    traced = tf.function(function, input_signature=[signature], autograph=False)
    try:
        return HostFunction(traced.get_concrete_function(), variables_by_name(network).values())
    except UnsupportedOperation:
        return TracedFunction(traced)


class TracedFunction:
    """A network run by TensorFlow, in one call."""

    def __init__(self, function: TracedFunctionLike) -> None:
        self._function = function

    def refresh(self) -> None:
        """Do nothing: TensorFlow reads the current weights."""

    def __call__(self, features: Mapping[str, Array]) -> Nested:
        """Return the outputs, as arrays."""
        return tf.nest.map_structure(lambda value: value.numpy(), self._function(dict(features)))


class HostFunction:
    """A network run by NumPy, on a copy of the weights.

    Each tensor of the graph has a slot in a list of values. Steps that depend on the weights alone
    run once after each `refresh`.

    Raises:
        UnsupportedOperation: an operation of the network has no NumPy counterpart.
    """

    def __init__(self, concrete: TracedFunctionLike, variables: Iterable[Variable]) -> None:
        graph = concrete.graph
        self._slots: dict[str, int] = {}
        self._values: list[Any] = []
        self._weights: list[tuple[int, Variable]] = []
        self._weight_steps: list[Step] = []
        self._steps: list[Step] = []
        self._input_dependent: set[int] = set()
        self._handles = {
            placeholder.name: variable
            for variable in graph.variables
            for placeholder in _placeholders(graph, variable)
        }
        self._inputs = {name: self._slot(tensor.name) for name, tensor in _inputs(concrete).items()}
        self._input_dependent.update(self._inputs.values())
        for operation in graph.get_operations():
            self._add(operation)
        self._structure = concrete.structured_outputs
        self._outputs = [self._slots[tensor.name] for tensor in tf.nest.flatten(concrete.outputs)]
        self._is_stale = True

    def refresh(self) -> None:
        """Copy the weights at the next call."""
        self._is_stale = True

    def _copy_weights(self) -> None:
        """Copy the weights and run the steps that depend on them alone."""
        self._is_stale = False
        values = self._values
        for slot, variable in self._weights:
            values[slot] = variable.numpy()
        for kernel, sources, target in self._weight_steps:
            values[target] = kernel(*[values[source] for source in sources])

    def __call__(self, features: Mapping[str, Array]) -> Nested:
        """Return the outputs, as arrays."""
        if self._is_stale:
            self._copy_weights()
        values = self._values
        for name, slot in self._inputs.items():
            values[slot] = features[name]
        for kernel, sources, target in self._steps:
            values[target] = kernel(*[values[source] for source in sources])
        outputs = [values[slot] for slot in self._outputs]
        if isinstance(self._structure, tf.Tensor):
            return outputs[0]
        return tf.nest.pack_sequence_as(self._structure, outputs)

    def _slot(self, name: str) -> int:
        if name not in self._slots:
            self._slots[name] = len(self._values)
            self._values.append(None)
        return self._slots[name]

    def _add(self, operation: Operation) -> None:
        kind = operation.type
        if kind in ("Placeholder", "NoOp"):
            return
        target = self._slot(operation.outputs[0].name) if operation.outputs else -1
        if kind == "Const":
            self._values[target] = tf.make_ndarray(operation.get_attr("value"))
        elif kind == "ReadVariableOp":
            variable = self._handles.get(operation.inputs[0].name)
            if variable is None:
                raise UnsupportedOperation("a variable that is not the network's")
            self._weights.append((target, variable))
        elif kind == "IdentityN":
            for tensor, output in zip(operation.inputs, operation.outputs, strict=True):
                self._add_step(_identity, [tensor], self._slot(output.name))
        elif kind in OPERATIONS:
            self._add_step(OPERATIONS[kind](operation), operation.inputs, target)
        else:
            raise UnsupportedOperation(kind)

    def _add_step(self, kernel: Kernel, inputs: Iterable[Tensor], target: int) -> None:
        sources = tuple(self._slot(tensor.name) for tensor in inputs)
        if self._input_dependent.isdisjoint(sources):
            self._weight_steps.append((kernel, sources, target))
        else:
            self._steps.append((kernel, sources, target))
            self._input_dependent.add(target)


def _placeholders(graph: Graph, variable: Variable) -> list[Tensor]:
    """Return the placeholders by which a traced graph reads a variable."""
    return [internal for external, internal in graph.captures if external is variable.handle]


def _inputs(concrete: TracedFunctionLike) -> dict[str, Tensor]:
    (arguments,), _ = concrete.structured_input_signature
    return dict(zip(sorted(arguments), concrete.inputs, strict=False))


def _identity(values: Array) -> Array:
    return values


def _plain(function: Kernel) -> Callable[[Operation], Kernel]:
    return lambda operation: function


def _matmul(operation: Operation) -> Kernel:
    first, second = operation.get_attr("transpose_a"), operation.get_attr("transpose_b")
    if first or second:
        return lambda a, b: np.matmul(a.T if first else a, b.T if second else b)
    return np.matmul


def _reduce(function: Kernel) -> Callable[[Operation], Kernel]:
    def make(operation: Operation) -> Kernel:
        keep = operation.get_attr("keep_dims")
        return lambda values, axes: function(values, axis=tuple(np.atleast_1d(axes)), keepdims=keep)

    return make


def _strided_slice(operation: Operation) -> Kernel:
    masks = {
        name: operation.get_attr(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    if masks["ellipsis"] or masks["new_axis"]:
        raise UnsupportedOperation("StridedSlice")

    def take(values: Array, begin: Array, end: Array, strides: Array) -> Array:
        index: list[Any] = []
        for axis in range(len(begin)):
            if masks["shrink_axis"] >> axis & 1:
                index.append(int(begin[axis]))
                continue
            first = None if masks["begin"] >> axis & 1 else int(begin[axis])
            last = None if masks["end"] >> axis & 1 else int(end[axis])
            index.append(slice(first, last, int(strides[axis])))
        return np.asarray(values[tuple(index)])

    return take


def _cast(operation: Operation) -> Kernel:
    dtype = operation.get_attr("DstT").as_numpy_dtype
    return lambda values: values if values.dtype == dtype else values.astype(dtype)


def _shape(operation: Operation) -> Kernel:
    dtype = operation.get_attr("out_type").as_numpy_dtype
    return lambda values: np.array(values.shape, dtype)


def _pack(operation: Operation) -> Kernel:
    axis = operation.get_attr("axis")
    return lambda *values: np.stack(values, axis)


def _squeeze(operation: Operation) -> Kernel:
    axes = tuple(operation.get_attr("squeeze_dims")) or None
    return lambda values: np.squeeze(values, axes)


def _gather(operation: Operation) -> Kernel:
    if operation.get_attr("batch_dims"):
        raise UnsupportedOperation("GatherV2")
    return lambda values, indices, axis: np.take(values, indices, int(axis))


def _softmax(values: Array) -> Array:
    powers: Array = np.exp(values - values.max(axis=-1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def _log_softmax(values: Array) -> Array:
    shifted: Array = values - values.max(axis=-1, keepdims=True)
    log_probabilities: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_probabilities


def _elu(values: Array) -> Array:
    return np.where(values > 0, values, np.expm1(np.minimum(values, ZERO)))


def _selu(values: Array) -> Array:
    negative = SELU_ALPHA * np.expm1(np.minimum(values, ZERO))
    return SELU_SCALE * np.where(values > 0, values, negative)


def _leaky_relu(operation: Operation) -> Kernel:
    alpha = np.float32(operation.get_attr("alpha"))
    return lambda values: np.where(values > 0, values, values * alpha)


def _sigmoid(values: Array) -> Array:
    return np.float32(0.5) * (np.tanh(np.float32(0.5) * values) + np.float32(1.0))


ZERO, ONE = np.float32(0.0), np.float32(1.0)
SELU_SCALE, SELU_ALPHA = np.float32(1.0507009873554805), np.float32(1.6732632423543772)
"""Source: Klambauer et al. 2017, "Self-Normalizing Neural Networks", equation 14."""
OPERATIONS: Mapping[str, Callable[[Operation], Kernel]] = {
    "Identity": _plain(_identity),
    "StopGradient": _plain(_identity),
    "MatMul": _matmul,
    "BiasAdd": _plain(np.add),
    "AddV2": _plain(np.add),
    "Sub": _plain(np.subtract),
    "Mul": _plain(np.multiply),
    "RealDiv": _plain(np.divide),
    "Maximum": _plain(np.maximum),
    "Minimum": _plain(np.minimum),
    "Neg": _plain(np.negative),
    "Square": _plain(np.square),
    "SquaredDifference": _plain(lambda first, second: np.square(first - second)),
    "Sqrt": _plain(np.sqrt),
    "Rsqrt": _plain(lambda values: np.float32(1.0) / np.sqrt(values)),
    "Exp": _plain(np.exp),
    "Erfc": _plain(lambda values: tf.math.erfc(values).numpy()),
    "Log": _plain(np.log),
    "Tanh": _plain(np.tanh),
    "Sigmoid": _plain(_sigmoid),
    "Relu": _plain(lambda values: np.maximum(values, ZERO)),
    "Relu6": _plain(lambda values: np.clip(values, ZERO, np.float32(6.0))),
    "Elu": _plain(_elu),
    "Softplus": _plain(lambda values: np.logaddexp(values, ZERO)),
    "Softsign": _plain(lambda values: values / (ONE + np.abs(values))),
    "Softmax": _plain(_softmax),
    "LogSoftmax": _plain(_log_softmax),
    "Selu": _plain(_selu),
    "LeakyRelu": _leaky_relu,
    "Reshape": _plain(lambda values, shape: np.reshape(values, tuple(shape))),
    "ConcatV2": _plain(lambda *values: np.concatenate(values[:-1], axis=int(values[-1]))),
    "Cast": _cast,
    "Shape": _shape,
    "StridedSlice": _strided_slice,
    "Pack": _pack,
    "ExpandDims": _plain(lambda values, axis: np.expand_dims(values, int(axis))),
    "Squeeze": _squeeze,
    "BroadcastTo": _plain(lambda values, shape: np.broadcast_to(values, tuple(shape))),
    "Transpose": _plain(lambda values, axes: np.transpose(values, tuple(axes))),
    "GatherV2": _gather,
    "Tile": _plain(lambda values, counts: np.tile(values, tuple(counts))),
    "Sum": _reduce(np.sum),
    "Prod": _reduce(np.prod),
    "Mean": _reduce(np.mean),
    "Max": _reduce(np.max),
}
"""The NumPy counterparts of TensorFlow's operations, by their type."""
