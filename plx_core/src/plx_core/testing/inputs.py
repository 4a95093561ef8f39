"""The check of pipelines."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from plx_core.data.pipeline import Pipeline
from plx_core.errors import PlxError
from plx_core.testing.failures import expecting, require
from plx_core.testing.making import Part, no_global_randomness, part_of

MOST_BATCHES = 64
"""Of a pipeline that never ends, so many batches are looked at."""
ORDER = "make the order a function of (seed, epoch, position), as plx_core.data.order.Order does"


def check_pipeline(pipeline: Any, params: Mapping[str, Any] | None = None) -> None:
    """Check a pipeline: its `element_spec`, its order, each record once an epoch, resuming at any batch, and its parts for workers.

    Args:
        pipeline: a class, a function that makes one, or a name.
        params: its parameters; `num_epochs`, `batch_size` and `shuffle` are varied where it has them and they are not given.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("pipelines", pipeline, params)
    given = set(part.component.params)
    plain = part.varied(
        **{
            name: value
            for name, value in {"num_epochs": 1, "batch_size": 1, "shuffle": False}.items()
            if name not in given
        }
    )
    made = plain.build(mode="eval", seed=1)
    require(
        isinstance(made, Pipeline),
        part.about,
        "made it",
        f"a {type(made).__name__}",
        "a Pipeline",
        "derive it from plx_core.Pipeline",
    )
    with no_global_randomness(part.about, "read it"):
        records = _batches(part.about, made)
    require(
        records,
        part.about,
        "read it",
        "no batch at all",
        "at least one",
        "give the check parameters of a small data set",
    )
    _check_count(part.about, made, records)
    if not {"num_epochs", "batch_size"} & given and part.takes("num_epochs"):
        _check_epochs(part, plain, records)
    for mode in ("train", "eval"):
        _check_order(part, mode)
    _check_shards(part.about, plain, records)


def _batches(about: str, pipeline: Pipeline, start: int = 0) -> list[str]:
    """A hash of each batch, after a look at its structure."""
    spec, found = pipeline.element_spec, []
    with expecting(
        about,
        f"read dataset({start})",
        "batches",
        "mend dataset(); give the check parameters of a small data set",
    ):
        for batch in pipeline.dataset(start).take(MOST_BATCHES):
            _check_spec(about, spec, batch)
            found.append(_hash(batch))
    return found


def _check_spec(about: str, spec: Any, batch: Any) -> None:
    did, remedy = (
        "compared a batch with element_spec",
        "let element_spec say what dataset() yields, None for sizes that vary",
    )
    with expecting(about, did, "the same names", remedy):
        tf.nest.assert_same_structure(spec, batch)
    for wanted, found in zip(tf.nest.flatten(spec), tf.nest.flatten(batch), strict=True):
        require(
            wanted.is_compatible_with(found),
            about,
            did,
            f"{found.dtype.name} {tuple(found.shape)}",
            str(wanted),
            remedy,
        )


def _hash(batch: Any) -> str:
    digest = hashlib.sha256()
    for part in tf.nest.flatten(batch):
        array = np.asarray(part)
        digest.update(repr((str(array.dtype), array.shape)).encode())
        digest.update(
            b"\0".join(array.ravel().tolist()) if array.dtype == object else array.tobytes()
        )
    return digest.hexdigest()


def _check_count(about: str, pipeline: Pipeline, found: list[str]) -> None:
    count = pipeline.num_batches
    require(
        len(found) == min(MOST_BATCHES, count if count is not None else MOST_BATCHES),
        about,
        "counted its batches",
        len(found),
        f"num_batches, which is {count}",
        "mend num_batches; None says that they never end",
    )


def _check_epochs(part: Part, plain: Part, records: list[str]) -> None:
    """Fail where an epoch leaves a record out, or has one twice; a batch is one record here."""
    if len(records) * 2 > MOST_BATCHES:
        return
    for shuffle in (
        (False, True)
        if part.takes("shuffle") and "shuffle" not in part.component.params
        else (False,)
    ):
        pipeline = plain.varied(num_epochs=2, shuffle=shuffle).build(mode="eval", seed=1)
        found = _batches(part.about, pipeline)
        for epoch in (found[: len(records)], found[len(records) :]):
            require(
                sorted(epoch) == sorted(records),
                part.about,
                f"read two epochs one record at a time, shuffle={shuffle}",
                "an epoch with other records than the first",
                "every record once an epoch",
                ORDER,
            )


def _check_order(part: Part, mode: str) -> None:
    """Fail where the same seed gives another order, or where starting later is not the same as skipping."""
    params = {} if "num_epochs" in part.component.params else {"num_epochs": 2}
    params |= {} if "batch_size" in part.component.params else {"batch_size": 2}
    varied = part.varied(**params)
    whole, again = (_batches(part.about, varied.build(mode=mode, seed=3)) for _ in range(2))
    require(
        whole == again,
        part.about,
        f"read it twice with one seed in the mode {mode}",
        "other batches",
        "the same batches",
        ORDER,
    )
    for start in sorted({1, len(whole) // 2, len(whole) - 1} & set(range(1, len(whole)))):
        found = _batches(part.about, varied.build(mode=mode, seed=3), start)
        require(
            found[: len(whole) - start] == whole[start:],
            part.about,
            f"read dataset({start}) in the mode {mode}",
            "other batches",
            f"those that come after {start} batches of dataset(0)",
            f"{ORDER}; draw augmentations from a seed and the batch's number",
        )


def _check_shards(about: str, part: Part, records: list[str]) -> None:
    pipeline = part.build(mode="eval", seed=1)
    if pipeline.num_batches is None or len(records) < 2 or len(records) >= MOST_BATCHES:
        return
    try:
        shards = [pipeline.shard(worker, 2) for worker in range(2)]
    except PlxError:  # it may say that it cannot be divided
        return
    found = [_batches(about, shard) for shard in shards]
    require(
        len(found[0]) == len(found[1]),
        about,
        "divided it among 2 workers",
        f"{len(found[0])} and {len(found[1])} batches",
        "as many for each",
        "let shard() give each worker the same number of batches",
    )
    if (
        part.takes("batch_size")
        and part.component.params.get("batch_size") == 1
        and len(records) % 2 == 0
    ):
        require(
            sorted(found[0] + found[1]) == sorted(records),
            about,
            "divided it among 2 workers",
            "other records than without",
            "each record for one of them",
            "let shard() divide the examples of an epoch",
        )
