"""Precision and recall of decisions by thresholds, or by rank."""

from __future__ import annotations

from typing import Any

import keras

from plx_core.annotations import Fraction, NonNegativeInt, PositiveInt


@keras.saving.register_keras_serializable("plx_layers")
class PrecisionAtThresholds(keras.metrics.Precision):
    """The precision of the decisions at each threshold.

    Labels are 0 and 1, probabilities float, both [batch] or [batch, classes]; the result is float
    [thresholds].

    Args:
        thresholds: the probabilities above which the decision is positive.
        class_id: the only column of labels and probabilities to use; all columns when omitted.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(
        self,
        thresholds: list[Fraction],
        class_id: NonNegativeInt | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(list(thresholds), None, class_id, name or "precision_at_thresholds", dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return _without(super().get_config(), "top_k")


@keras.saving.register_keras_serializable("plx_layers")
class RecallAtThresholds(keras.metrics.Recall):
    """The recall of the decisions at each threshold.

    Labels are 0 and 1, probabilities float, both [batch] or [batch, classes]; the result is float
    [thresholds].

    Args:
        thresholds: the probabilities above which the decision is positive.
        class_id: the only column of labels and probabilities to use; all columns when omitted.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(
        self,
        thresholds: list[Fraction],
        class_id: NonNegativeInt | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(list(thresholds), None, class_id, name or "recall_at_thresholds", dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return _without(super().get_config(), "top_k")


@keras.saving.register_keras_serializable("plx_layers")
class PrecisionAtK(keras.metrics.Precision):
    """The share of true classes among the k most probable classes; at most 1/k with one true class.

    Labels are 0 and 1, probabilities float, both [batch, classes]; the result is a scalar.

    Args:
        k: the number of classes.
        class_id: the only class to use; all classes when omitted.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(
        self,
        k: PositiveInt,
        class_id: NonNegativeInt | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(None, k, class_id, name or "precision_at_k", dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return _without(super().get_config(), "top_k", "thresholds") | {"k": self.top_k}


@keras.saving.register_keras_serializable("plx_layers")
class RecallAtK(keras.metrics.Recall):
    """The share of the true classes that are among the k most probable classes of their example.

    Labels are 0 and 1, probabilities float, both [batch, classes]; the result is a scalar.

    Args:
        k: the number of classes.
        class_id: the only class to use; all classes when omitted.
        name: the metric's name.
        dtype: the dtype of the result.
    """

    def __init__(
        self,
        k: PositiveInt,
        class_id: NonNegativeInt | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(None, k, class_id, name or "recall_at_k", dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return _without(super().get_config(), "top_k", "thresholds") | {"k": self.top_k}


def _without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in names}
