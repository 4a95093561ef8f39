"""An activation with parameters, in a form that a network can be saved with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras


@keras.saving.register_keras_serializable("plx_core")
class BoundActivation:
    """An activation function whose further arguments are given.

    Args:
        function: takes a tensor and these arguments.
        params: the arguments by name.
    """

    def __init__(self, function: Callable[..., Any], params: Mapping[str, Any]) -> None:
        self._function, self._params = function, dict(params)
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, x: Any) -> Any:
        """The activated tensor."""
        return self._function(x, **self._params)

    def get_config(self) -> dict[str, Any]:
        """The function by its name, and its arguments."""
        return {"function": keras.activations.serialize(self._function), "params": self._params}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BoundActivation:
        """The activation of a configuration."""
        return cls(keras.activations.get(config["function"]), config["params"])
