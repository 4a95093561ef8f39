"""The check of pipelines."""

from __future__ import annotations

import hashlib

import numpy as np
import tensorflow as tf

from plx_core.annotations import PipelineLike
from plx_core.data.pipeline import Pipeline
from plx_core.errors import PlxError
from plx_core.testing.failures import expecting, require
from plx_core.testing.isolation import no_global_randomness
from plx_core.testing.part import Params, Part, part_of
from plx_core.types import Nested

MAX_BATCHES = 64
"""The check reads no more batches than this."""
SINGLE_RECORDS = {"num_epochs": 1, "batch_size": 1, "shuffle": False}
REMEDY = "make the order a function of (seed, epoch, position), as plx_core.Order does"


def check_pipeline(pipeline: PipelineLike, params: Params | None = None) -> None:
    """Check a pipeline: `element_spec`, order, epochs, resuming at any batch, and sharding.

    Args:
        pipeline: a class, a function that returns one, or a name.
        params: its parameters; the check varies `num_epochs`, `batch_size` and `shuffle` if the
            pipeline takes them and they are not among these.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("pipelines", pipeline, params)
    fixed = part.component.params.keys()
    single = part.varied(
        **{name: value for name, value in SINGLE_RECORDS.items() if name not in fixed}
    )
    instance = single.build(mode="eval", seed=1)
    require(
        isinstance(instance, Pipeline),
        part.about,
        "built it",
        f"a {type(instance).__name__}",
        "a Pipeline",
        "derive it from plx_core.Pipeline",
    )
    with no_global_randomness(part.about, "read it"):
        records = _batches(part.about, instance)
    require(
        records,
        part.about,
        "read it",
        "no batch",
        "at least one",
        "give the check parameters of a small data set",
    )
    _check_count(part.about, instance, records)
    if part.takes("num_epochs") and "num_epochs" not in fixed and "batch_size" not in fixed:
        _check_epochs(part, single, records)
    for mode in ("train", "eval"):
        _check_order(part, mode)
    _check_shards(part.about, single, records)


def _batches(about: str, pipeline: Pipeline, start: int = 0) -> list[str]:
    """Return a hash of each batch, after a check of its structure."""
    spec, hashes = pipeline.element_spec, []
    with expecting(
        about,
        f"read dataset({start})",
        "batches",
        "fix dataset(), or give the check parameters of a small data set",
    ):
        for batch in pipeline.dataset(start).take(MAX_BATCHES):
            _check_spec(about, spec, batch)
            hashes.append(_hash(batch))
    return hashes


def _check_spec(about: str, spec: Nested, batch: Nested) -> None:
    did = "compared a batch with element_spec"
    remedy = "describe in element_spec what dataset() yields, with None for sizes that vary"
    with expecting(about, did, "the same names", remedy):
        tf.nest.assert_same_structure(spec, batch)
    for expected, tensor in zip(tf.nest.flatten(spec), tf.nest.flatten(batch), strict=True):
        require(
            expected.is_compatible_with(tensor),
            about,
            did,
            f"{tensor.dtype.name} {tuple(tensor.shape)}",
            str(expected),
            remedy,
        )


def _hash(batch: Nested) -> str:
    digest = hashlib.sha256()
    for part in tf.nest.flatten(batch):
        array = np.asarray(part)
        digest.update(repr((str(array.dtype), array.shape)).encode())
        if array.dtype == object:
            digest.update(b"\0".join(array.ravel().tolist()))
        else:
            digest.update(array.tobytes())
    return digest.hexdigest()


def _check_count(about: str, pipeline: Pipeline, batches: list[str]) -> None:
    count = pipeline.num_batches
    expected = MAX_BATCHES if count is None else min(count, MAX_BATCHES)
    require(
        len(batches) == expected,
        about,
        "counted its batches",
        len(batches),
        f"num_batches, which is {count}",
        "fix num_batches; None means that the batches never end",
    )


def _check_epochs(part: Part, single: Part, records: list[str]) -> None:
    """Fail the check if an epoch omits or repeats a record; each batch is one record here."""
    if len(records) * 2 > MAX_BATCHES:
        return
    can_shuffle = part.takes("shuffle") and "shuffle" not in part.component.params
    for shuffle in (False, True) if can_shuffle else (False,):
        pipeline = single.varied(num_epochs=2, shuffle=shuffle).build(mode="eval", seed=1)
        batches = _batches(part.about, pipeline)
        for epoch in (batches[: len(records)], batches[len(records) :]):
            require(
                sorted(epoch) == sorted(records),
                part.about,
                f"read two epochs one record at a time, shuffle={shuffle}",
                "an epoch with other records than the first",
                "every record once in each epoch",
                REMEDY,
            )


def _check_order(part: Part, mode: str) -> None:
    """Fail the check if one seed gives two orders, or if a later start differs from skipping."""
    params = {"num_epochs": 2, "batch_size": 2}
    varied = part.varied(
        **{name: value for name, value in params.items() if name not in part.component.params}
    )
    whole, again = (_batches(part.about, varied.build(mode=mode, seed=3)) for _ in range(2))
    require(
        whole == again,
        part.about,
        f"read it twice with one seed in mode {mode}",
        "other batches",
        "the same batches",
        REMEDY,
    )
    starts = {1, len(whole) // 2, len(whole) - 1}
    for start in sorted(starts & set(range(1, len(whole)))):
        batches = _batches(part.about, varied.build(mode=mode, seed=3), start)
        require(
            batches[: len(whole) - start] == whole[start:],
            part.about,
            f"read dataset({start}) in mode {mode}",
            "other batches",
            f"those that follow the first {start} batches of dataset(0)",
            f"{REMEDY}; draw augmentations from a seed and the index of the batch",
        )


def _check_shards(about: str, single: Part, records: list[str]) -> None:
    pipeline = single.build(mode="eval", seed=1)
    if pipeline.num_batches is None or len(records) < 2 or len(records) >= MAX_BATCHES:
        return
    try:
        shards = [pipeline.shard(worker, 2) for worker in range(2)]
    except PlxError:  # a pipeline may refuse to be sharded
        return
    did = "sharded it over 2 workers"
    first, second = (_batches(about, shard) for shard in shards)
    require(
        len(first) == len(second),
        about,
        did,
        f"{len(first)} and {len(second)} batches",
        "the same number for each",
        "return shards with the same number of batches from shard()",
    )
    is_single = single.takes("batch_size") and single.component.params.get("batch_size") == 1
    if is_single and len(records) % 2 == 0:
        require(
            sorted(first + second) == sorted(records),
            about,
            did,
            "other records than without shards",
            "each record in one of them",
            "divide the examples of an epoch in shard()",
        )
