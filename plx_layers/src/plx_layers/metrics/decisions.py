"""Precision and recall of decisions made by thresholds, or by rank."""

from __future__ import annotations

from typing import Any

import keras

from plx_core.annotations import Fraction, NonNegativeInt, PositiveInt


@keras.saving.register_keras_serializable("plx_layers")
class PrecisionAtThresholds(keras.metrics.Precision):
    """The share of positives among what has a probability above each threshold.

    Labels are 0 and 1, probabilities float, both of the same shape, [batch] or [batch, classes]; the result is float [thresholds].

    Args:
        thresholds: the probabilities that decide.
        class_id: the only column of labels and probabilities that counts; all of them together when left out.
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
        """The constructor's arguments."""
        return _without(super().get_config(), "top_k")


@keras.saving.register_keras_serializable("plx_layers")
class RecallAtThresholds(keras.metrics.Recall):
    """The share of the positives that has a probability above each threshold.

    Labels are 0 and 1, probabilities float, both of the same shape, [batch] or [batch, classes]; the result is float [thresholds].

    Args:
        thresholds: the probabilities that decide.
        class_id: the only column of labels and probabilities that counts; all of them together when left out.
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
        """The constructor's arguments."""
        return _without(super().get_config(), "top_k")


@keras.saving.register_keras_serializable("plx_layers")
class PrecisionAtK(keras.metrics.Precision):
    """The share of true classes among the k most probable ones of each example; with one true class it is at most 1/k.

    Labels are 0 and 1, probabilities float, both [batch, classes]; the result is a scalar.

    Args:
        k: how many classes are taken.
        class_id: the only class that counts; all of them together when left out.
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
        """The constructor's arguments."""
        return _without(super().get_config(), "top_k", "thresholds") | {"k": self.top_k}


@keras.saving.register_keras_serializable("plx_layers")
class RecallAtK(keras.metrics.Recall):
    """The share of true classes that is among the k most probable ones of its example.

    Labels are 0 and 1, probabilities float, both [batch, classes]; the result is a scalar.

    Args:
        k: how many classes are taken.
        class_id: the only class that counts; all of them together when left out.
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
        """The constructor's arguments."""
        return _without(super().get_config(), "top_k", "thresholds") | {"k": self.top_k}


def _without(config: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in names}
