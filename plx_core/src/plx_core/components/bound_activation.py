"""An activation function with parameters, which Keras can save in a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras

from plx_core.types import Tensor


@keras.saving.register_keras_serializable("plx_core")
class BoundActivation:
    """An activation function with fixed parameters.

    Args:
        function: takes a tensor, then these parameters as keywords.
        params: the parameters by name.
    """

    def __init__(self, function: Callable[..., Tensor], params: Mapping[str, Any]) -> None:
        self._function = function
        self._params = dict(params)
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, x: Tensor) -> Tensor:
        """Apply the function."""
        return self._function(x, **self._params)

    def get_config(self) -> dict[str, Any]:
        """Return the name of the function and its parameters."""
        return {"function": keras.activations.serialize(self._function), "params": self._params}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BoundActivation:
        """Build the activation from the result of `get_config`."""
        return cls(keras.activations.get(config["function"]), config["params"])
