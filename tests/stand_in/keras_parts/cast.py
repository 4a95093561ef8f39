"""A layer that Keras has not."""

import keras


class Cast(keras.layers.Layer):
    """Changes the type of numbers."""

    def __init__(self, dtype="float32", name=None):
        super().__init__(dtype=dtype, autocast=False, name=name)

    def call(self, inputs):
        return keras.ops.cast(inputs, self.compute_dtype)
