"""Any `tf.data.Dataset`, and TensorFlow Datasets, as pipelines."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self, TypeAlias

import keras
import tensorflow as tf

from plx_core import ElementSpec, Graph, Modes, Order, Pipeline, Processors, make_order, processing
from plx_core.annotations import PositiveInt, PythonOnly
from plx_core.errors import DataError, did_you_mean

Dataset: TypeAlias = Annotated[Any, PythonOnly()]
FEATURES = "features"
"""The name of a feature that came without one."""
_ENDLESS = 2**63 - 1
_SPREAD = 1_000_003


class TFDatasetPipeline(Pipeline):
    """A `tf.data.Dataset` of single examples: (features, labels), or features alone.

    It can be read from its start only. So the order is that of the data set, or what a shuffle through a buffer of `shuffle_buffer`
    examples makes of it, which follows from the seed and the epoch; and going on amid an epoch reads the examples before that place
    again. That is exact where the data set gives the same examples in the same order whenever it is iterated, as one without a shuffle
    of its own does. A data set that does not know how many examples it has is read once to count them.

    Args:
        dataset: the data set, not batched.
        labels: which of the features are labels, by name, where the data set yields a mapping alone.
        batch_size: examples in a batch.
        num_epochs: how often the examples are gone through; None for without end in training, and once otherwise.
        shuffle: whether each epoch has an order of its own; None for in training only.
        shuffle_buffer: from how many examples, read ahead, the next one is drawn. As many as there are give any order with equal
            chance; fewer keep less in memory, and an example never comes more than so many places early.
        dynamic_pad: whether examples of different shapes are padded with zeros to the largest of their batch.
        drop_remainder: leave out the last batch if it is short.
        cache: whether examples are kept in memory.
        feature_processors: layers applied to features, a graph for each feature by name.
        seed: what the order and random layers follow from.
        mode: one of `Modes`.

    Raises:
        DataError: the data set has no end, no examples, or elements of another kind.
    """

    def __init__(
        self,
        dataset: Dataset,
        labels: str | list[str] | None = None,
        batch_size: PositiveInt = 64,
        num_epochs: PositiveInt | None = None,
        shuffle: bool | None = None,
        shuffle_buffer: PositiveInt = 10_000,
        dynamic_pad: bool = False,
        drop_remainder: bool = False,
        cache: bool = False,
        feature_processors: dict[str, Graph] | None = None,
        seed: int | None = None,
        mode: str = Modes.TRAIN,
    ) -> None:
        named = _name_parts(dataset, [labels] if isinstance(labels, str) else labels)
        self._examples = named.cache() if cache else named
        self._buffer = shuffle_buffer
        self._pads = dynamic_pad
        self._order = make_order(
            _count(self._examples, read=cache),
            batch_size,
            num_epochs,
            shuffle,
            drop_remainder,
            seed,
            mode,
        )
        self._spec: ElementSpec = self._batch(named, batch_size).element_spec
        self._processors = (
            Processors(feature_processors, self._spec[0], mode, self._order.seed)
            if feature_processors
            else None
        )

    @property
    def element_spec(self) -> ElementSpec:
        """The features by name, and the labels."""
        return (self._processors.features if self._processors else self._spec[0]), self._spec[1]

    @property
    def num_batches(self) -> int | None:
        """How many batches there are in all epochs; None when they never end."""
        return self._order.num_batches

    def dataset(self, start: int = 0) -> tf.data.Dataset:
        """The batches from number `start` on."""
        first, *others = self._parts(start)
        dataset = first
        for other in others:
            dataset = dataset.concatenate(other)
        process = processing(self._processors)
        if process is not None:
            dataset = dataset.enumerate(start).map(
                process, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
            )
        options = tf.data.Options()
        options.deterministic = True
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return dataset.prefetch(tf.data.AUTOTUNE).with_options(options)

    def shard(self, worker: int, num_workers: int) -> Self:
        """The part of one of several workers, each of which reads all examples; see `Pipeline.shard`."""
        part = copy.copy(self)
        part._order = self._order.shard(worker, num_workers)
        return part

    def processing_network(self) -> keras.Model | None:
        """The feature processors as a network."""
        return self._processors.network() if self._processors else None

    def _parts(self, start: int) -> Iterator[tf.data.Dataset]:
        order, even, end = self._order, self._order.num_even_batches, self._order.num_batches
        together = order.batch_size * order.num_workers
        examples = self._from(start * together)
        if even is not None:
            examples = examples.take(max(0, even - start) * together)
        yield self._batch(examples, order.batch_size).shard(order.num_workers, order.worker)
        for number in range(
            max(start, even or 0), end if even is not None and end is not None else 0
        ):
            yield self._uneven(order, number)

    def _uneven(self, order: Order, number: int) -> tf.data.Dataset:
        """One of the last batches, whose examples may lie in two places."""
        positions = order.positions(number)
        together = [
            place for place, position in enumerate(positions) if position == positions[0] + place
        ]
        examples = self._from(positions[0]).take(len(together))
        for position in positions[len(together) :]:
            examples = examples.concatenate(self._from(position).take(1))
        return self._batch(examples, len(positions))

    def _from(self, position: int) -> tf.data.Dataset:
        """The examples from a place on, counted over all epochs."""
        first, within = divmod(position, self._order.num_examples)
        epochs = tf.data.Dataset.range(
            first, _ENDLESS if self._order.num_epochs is None else self._order.num_epochs
        )
        return epochs.flat_map(self._epoch).skip(within)

    def _epoch(self, epoch: tf.Tensor) -> tf.data.Dataset:
        if not self._order.shuffle:
            return self._examples
        tf.random.set_seed(
            _SPREAD
        )  # that of this function's graph, which would else be the seed of the whole program
        seed = tf.constant(self._order.seed * _SPREAD % _ENDLESS, tf.int64) + epoch
        return self._examples.shuffle(self._buffer, seed=seed, reshuffle_each_iteration=False)

    def _batch(self, examples: tf.data.Dataset, size: int) -> tf.data.Dataset:
        # A last batch that is short can only be the last of all, so that each is as long as it is meant to be.
        return examples.padded_batch(size) if self._pads else examples.batch(size)


class TFDSPipeline(TFDatasetPipeline):
    """A split of one of TensorFlow Datasets, <https://www.tensorflow.org/datasets>.

    Args:
        name: the data set's name, such as `mnist` or `imdb_reviews/plain_text:1.0.0`.
        labels: which of the features are labels, by name.
        split: which examples, such as `train`, `test` or `train[:80%]`.
        data_dir: the folder of prepared data sets; TensorFlow Datasets' own when left out.
        download: whether a data set that is not prepared yet is downloaded.
        batch_size: examples in a batch.
        num_epochs: how often the examples are gone through; None for without end in training, and once otherwise.
        shuffle: whether each epoch has an order of its own; None for in training only.
        shuffle_buffer: from how many examples, read ahead, the next one is drawn; see `TFDatasetPipeline`.
        dynamic_pad: whether examples of different shapes are padded with zeros to the largest of their batch.
        drop_remainder: leave out the last batch if it is short.
        cache: whether examples are kept in memory.
        feature_processors: layers applied to features, a graph for each feature by name.
        seed: what the order and random layers follow from.
        mode: one of `Modes`.

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
        batch_size: PositiveInt = 64,
        num_epochs: PositiveInt | None = None,
        shuffle: bool | None = None,
        shuffle_buffer: PositiveInt = 10_000,
        dynamic_pad: bool = False,
        drop_remainder: bool = False,
        cache: bool = False,
        feature_processors: dict[str, Graph] | None = None,
        seed: int | None = None,
        mode: str = Modes.TRAIN,
    ) -> None:
        examples = load_tfds(name, split, data_dir, download)
        order = (
            batch_size,
            num_epochs,
            shuffle,
            shuffle_buffer,
            dynamic_pad,
            drop_remainder,
            cache,
        )
        super().__init__(examples, labels, *order, feature_processors, seed, mode)


def load_tfds(name: str, split: str, data_dir: str | None, download: bool) -> tf.data.Dataset:
    """A split of one of TensorFlow Datasets, always in the same order.

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
        hint = "" if download else "; download: true prepares it where it is not there yet"
        raise DataError(
            f"{name} ({split}) cannot be read by tensorflow-datasets: {error}{hint}"
        ) from error


def _name_parts(dataset: tf.data.Dataset, labels: list[str] | None) -> tf.data.Dataset:
    """The same examples as (features by name, labels)."""
    spec = dataset.element_spec
    if labels is not None:
        if not isinstance(spec, Mapping):
            raise DataError(
                "labels names features of a data set that yields a mapping; this one does not"
            )
        for name in labels:
            if name not in spec:
                raise DataError(
                    f"the data set has no feature {name}{did_you_mean(name, spec)}; it has {', '.join(spec)}"
                )
        named = dataset.map(
            lambda row: (
                {name: row[name] for name in row if name not in labels},
                {name: row[name] for name in labels},
            )
        )
    elif isinstance(spec, tuple):
        if len(spec) != 2:
            raise DataError(
                f"a data set yields (features, labels) or features alone; this one yields {len(spec)} things"
            )
        named = (
            dataset
            if isinstance(spec[0], Mapping)
            else dataset.map(lambda features, label: ({FEATURES: features}, label))
        )
    else:
        named = dataset.map(
            lambda features: (features if isinstance(spec, Mapping) else {FEATURES: features}, {})
        )
    nested = [
        name for name, part in named.element_spec[0].items() if not isinstance(part, tf.TensorSpec)
    ]
    if nested:
        raise DataError(
            f"each feature is a tensor; {', '.join(nested)} of this data set {'are' if len(nested) > 1 else 'is'} not"
        )
    return named


def _count(dataset: tf.data.Dataset, *, read: bool) -> int:
    """How many examples there are; `read` goes through them in any case, which fills a cache."""
    known = int(dataset.cardinality())
    if known == tf.data.INFINITE_CARDINALITY:
        raise DataError("the data set has no end; num_epochs says how often one is to be repeated")
    if known >= 0 and not read:
        return known
    return int(dataset.reduce(tf.constant(0, tf.int64), lambda count, *_: count + 1))
