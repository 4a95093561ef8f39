"""Arrays in memory that datasets gather rows from."""

from __future__ import annotations

import tensorflow as tf

from plx_core.types import Nested, Tensor

_ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"
"""TensorFlow's name for a resource that lives as long as its handle."""


class Resident:
    """An array that datasets gather rows from.

    It is a resource: a tensor that a dataset's function captures is copied into every graph, and a
    graph may not exceed 2 GB.
    """

    def __init__(self, values: Nested) -> None:
        with tf.init_scope(), tf.device("CPU:0"):
            tensor = tf.convert_to_tensor(values)
            self.spec = tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)
            self._handle = tf.raw_ops.VarHandleOp(
                dtype=tensor.dtype, shape=tensor.shape, shared_name=_ANONYMOUS
            )
            tf.raw_ops.AssignVariableOp(resource=self._handle, value=tensor)

    def gather(self, indices: Tensor) -> Tensor:
        """Return the rows, [b, …], at int64 [b] indices."""
        rows = tf.raw_ops.ResourceGather(
            resource=self._handle, indices=indices, dtype=self.spec.dtype
        )
        return tf.ensure_shape(rows, self.spec.shape)
