"""The check of metrics."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from plx_core.annotations import MetricLike
from plx_core.models.metrics import metric_input
from plx_core.testing.failures import require
from plx_core.testing.isolation import no_global_randomness, own_settings
from plx_core.testing.keras_objects import check_traced, copy_of, require_same_numbers
from plx_core.testing.losses import batch_for
from plx_core.testing.part import Params, part_of
from plx_core.testing.values import close, plain, short
from plx_core.types import Array, Metric, Nested


def check_metric(
    metric: MetricLike,
    params: Params | None = None,
    *,
    labels: Array | None = None,
    outputs: Array | None = None,
    over_examples: bool = True,
) -> None:
    """Check a metric: its result, `reset_state`, tracing, copies, and that batches add up.

    Args:
        metric: a class, a function that returns one, or a name.
        params: its parameters.
        labels: a batch of an even number of labels; by default, the check tries common kinds, or
            what the metric declares; see `plx_core.metric_input`.
        outputs: a network's outputs for the same batch; give both or neither.
        over_examples: whether two half batches must give the result of the whole batch.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("metrics", metric, params)
    with own_settings():
        labels, outputs = batch_for(
            part.about,
            lambda left, right: part.build().update_state(left, right),
            labels,
            outputs,
            metric_input(part.build()),
        )
        instance = part.build()
        did = f"updated it with labels {labels.shape} {labels.dtype} and outputs {outputs.shape}"
        with no_global_randomness(part.about, did):
            instance.update_state(labels, outputs)
        value = plain(instance.result())
        require(
            np.asarray(value).ndim <= 1,
            part.about,
            did,
            f"a result of shape {np.shape(value)}",
            "one number, or one for each class",
            "reduce in result()",
        )
        instance.reset_state()
        instance.update_state(labels, outputs)
        require(
            close(value, instance.result()),
            part.about,
            "called reset_state() and updated it with the same batch",
            f"the result is {short(instance.result())}",
            f"the result before, {short(value)}",
            "create variables with add_variable, or reset them in reset_state()",
        )
        traced = tf.function(instance.update_state, autograph=False)
        check_traced(part.about, lambda *batch: traced(*batch), (labels, outputs), None)
        if over_examples:
            _check_halves(part.about, instance, value, labels, outputs)
        copied = copy_of(part, keras.metrics, instance)
        copied.update_state(labels, outputs)
        require_same_numbers(part.about, value, copied.result())


def _check_halves(about: str, metric: Metric, value: Nested, labels: Array, outputs: Array) -> None:
    half = len(labels) // 2
    metric.reset_state()
    for rows in (slice(half), slice(half, None)):
        metric.update_state(labels[rows], outputs[rows])
    result = plain(metric.result())
    require(
        close(result, value),
        about,
        "updated it with two halves of a batch in turn",
        f"the result is {short(result)}",
        f"the result of the whole batch, {short(value)}",
        "keep sums and counts over examples, and divide in result(); or pass over_examples=False "
        "if it means something else",
    )
