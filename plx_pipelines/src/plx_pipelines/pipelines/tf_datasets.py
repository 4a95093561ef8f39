"""`tf.data.Dataset`s and TensorFlow Datasets as pipelines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, TypeAlias, Unpack

import tensorflow as tf

from plx_core import BatchOptions, OrderedPipeline, process_fn
from plx_core.annotations import PositiveInt, PythonOnly
from plx_core.errors import DataError, did_you_mean
from plx_core.types import Dataset, Tensor

DatasetOnly: TypeAlias = Annotated[Dataset, PythonOnly()]
FEATURES = "features"
"""The name of the feature of a data set that does not name its features."""
_ENDLESS = 2**63 - 1
_SPREAD = 1_000_003


class DatasetOptions(BatchOptions, total=False):
    """The options of a pipeline that reads a `tf.data.Dataset`; see `TFDatasetPipeline`."""

    shuffle_buffer: PositiveInt
    dynamic_pad: bool
    cache: bool


class TFDatasetPipeline(OrderedPipeline):
    """A `tf.data.Dataset` of single examples: (features, labels), or features alone.

    Such a data set can only be read from its start. The order of the examples is therefore that of
    the data set, or that of a shuffle through a buffer of `shuffle_buffer` examples, which depends
    only on the seed and the epoch. A run that resumes within an epoch reads the examples before its
    position again. That is exact if the data set gives the same examples in the same order each
    time it is iterated, so it must not shuffle them itself. A data set of unknown cardinality is
    read once to count its examples.

    Args:
        dataset: the data set, not batched.
        labels: the features that are labels, by name, if the data set yields only a mapping.
        shuffle_buffer: the number of examples, read ahead, from which the next one is drawn. If it
            is at least the number of examples, all orders are equally likely. A smaller buffer
            takes less memory, but an example never comes more than this many positions early.
        dynamic_pad: pad examples of different shapes with zeros to the largest of their batch.
        cache: whether to keep the examples in memory.
        options: see `plx_core.OrderedPipeline`.

    Raises:
        DataError: the data set is infinite or empty, or has elements with another structure.
    """

    def __init__(
        self,
        dataset: DatasetOnly,
        labels: str | list[str] | None = None,
        *,
        shuffle_buffer: PositiveInt = 10_000,
        dynamic_pad: bool = False,
        cache: bool = False,
        **options: Unpack[BatchOptions],
    ) -> None:
        named = _name_parts(dataset, [labels] if isinstance(labels, str) else labels)
        self._examples = named.cache() if cache else named
        self._buffer = shuffle_buffer
        self._pads = dynamic_pad
        num_examples = _count(self._examples, read=cache)
        super().__init__(num_examples, self._batch(named, 1).element_spec, **options)

    def dataset(self, start: int = 0) -> Dataset:
        """Return the batches from number `start` on."""
        first, *others = self._parts(start)
        dataset = first
        for other in others:
            dataset = dataset.concatenate(other)
        process = process_fn(self._processors)
        if process is not None:
            dataset = dataset.enumerate(start).map(
                process, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )
        options = tf.data.Options()
        options.deterministic = True
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)

    def _parts(self, start: int) -> Iterator[Dataset]:
        """Yield the even batches from number `start` on, and each of the one or two after them."""
        order = self._order
        even, end = order.num_even_batches, order.num_batches
        stride = order.batch_size * order.num_workers
        examples = self._from(start * stride)
        if even is not None:
            examples = examples.take(max(0, even - start) * stride)
        yield self._batch(examples, order.batch_size).shard(order.num_workers, order.worker)
        if even is not None and end is not None:
            for number in range(max(start, even), end):
                yield self._last_batch(number)

    def _last_batch(self, number: int) -> Dataset:
        """Return one of the last batches; its last example may come from another position."""
        positions = self._order.positions(number)
        contiguous = [
            position for place, position in enumerate(positions) if position == positions[0] + place
        ]
        examples = self._from(positions[0]).take(len(contiguous))
        for position in positions[len(contiguous) :]:
            examples = examples.concatenate(self._from(position).take(1))
        return self._batch(examples, len(positions))

    def _from(self, position: int) -> Dataset:
        """Return the examples from a position on; positions count over all epochs."""
        first, within = divmod(position, self._order.num_examples)
        end = _ENDLESS if self._order.num_epochs is None else self._order.num_epochs
        return tf.data.Dataset.range(first, end).flat_map(self._epoch).skip(within)

    def _epoch(self, epoch: Tensor) -> Dataset:
        if not self._order.shuffle:
            return self._examples
        # Set the seed of this function's graph, which otherwise is the seed of the whole program.
        tf.random.set_seed(_SPREAD)
        seed = tf.constant(self._order.seed * _SPREAD % _ENDLESS, tf.int64) + epoch
        return self._examples.shuffle(self._buffer, seed=seed, reshuffle_each_iteration=False)

    def _batch(self, examples: Dataset, size: int) -> Dataset:
        return examples.padded_batch(size) if self._pads else examples.batch(size)


class TFDSPipeline(TFDatasetPipeline):
    """A split of one of the TensorFlow Datasets, <https://www.tensorflow.org/datasets>.

    Args:
        name: the name of the data set, such as `mnist` or `imdb_reviews/plain_text:1.0.0`.
        labels: the features that are labels, by name.
        split: the examples, such as `train`, `test` or `train[:80%]`.
        data_dir: the folder of prepared data sets; when None, the default folder of
            TensorFlow Datasets.
        download: whether to download a data set that is not prepared yet.
        options: see `TFDatasetPipeline`.

    Raises:
        DataError: tensorflow-datasets is not installed, or has no such data set or split.
    """

    def __init__(
        self,
        name: str,
        labels: str | list[str] | None = None,
        split: str = "train",
        data_dir: str | None = None,
        download: bool = False,
        **options: Unpack[DatasetOptions],
    ) -> None:
        super().__init__(load_tfds(name, split, data_dir, download), labels, **options)


def load_tfds(name: str, split: str, data_dir: str | None, download: bool) -> Dataset:
    """Return a split of one of the TensorFlow Datasets, always in the same order.

    Raises:
        DataError: tensorflow-datasets is not installed, or has no such data set or split.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise DataError(
            "tensorflow-datasets is not installed: pip install 'plx-pipelines[tfds]'"
        ) from error
    try:
        return tfds.load(
            name, split=split, data_dir=data_dir, download=download, shuffle_files=False
        )
    except (tfds.core.DatasetNotFoundError, AssertionError, ValueError, OSError) as error:
        hint = "" if download else "; set download: true if it is not prepared yet"
        raise DataError(
            f"{name} ({split}) cannot be read by tensorflow-datasets: {error}{hint}"
        ) from error


def _name_parts(dataset: Dataset, labels: list[str] | None) -> Dataset:
    """Return the same examples as (features by name, labels)."""
    spec = dataset.element_spec
    if labels is not None:
        named = _pick_labels(dataset, labels)
    elif not isinstance(spec, tuple):
        named = dataset.map(
            lambda features: (features if isinstance(spec, Mapping) else {FEATURES: features}, {})
        )
    elif len(spec) != 2:
        raise DataError(
            "a data set yields (features, labels) or features alone; this one yields a tuple of "
            f"{len(spec)}"
        )
    elif isinstance(spec[0], Mapping):
        named = dataset
    else:
        named = dataset.map(lambda features, label: ({FEATURES: features}, label))
    nested = [
        name for name, part in named.element_spec[0].items() if not isinstance(part, tf.TensorSpec)
    ]
    if nested:
        raise DataError(
            f"each feature is a tensor; {', '.join(nested)} of this data set "
            f"{'are' if len(nested) > 1 else 'is'} not"
        )
    return named


def _pick_labels(dataset: Dataset, labels: list[str]) -> Dataset:
    spec = dataset.element_spec
    if not isinstance(spec, Mapping):
        raise DataError(
            "labels names features of a data set that yields a mapping; this one does not"
        )
    for name in labels:
        if name not in spec:
            raise DataError(
                f"the data set has no feature {name}{did_you_mean(name, spec)}; it has "
                f"{', '.join(spec)}"
            )
    return dataset.map(
        lambda row: (
            {name: row[name] for name in row if name not in labels},
            {name: row[name] for name in labels},
        )
    )


def _count(dataset: Dataset, *, read: bool) -> int:
    """Return the number of examples; `read` always iterates over them, to fill a cache."""
    count = int(dataset.cardinality())
    if count == tf.data.INFINITE_CARDINALITY:
        raise DataError("the data set is infinite; use a finite one, and num_epochs to repeat it")
    if count < 0 or read:
        count = int(dataset.reduce(tf.constant(0, tf.int64), lambda count, *_: count + 1))
    return count
