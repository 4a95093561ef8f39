"""Images in folders, one folder for each class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Unpack

import tensorflow as tf

from plx_core import BatchOptions, IndexedPipeline, Order, Resident, batches
from plx_core.annotations import ExistingPath, NonNegativeInt, PositiveInt
from plx_core.errors import CorruptData
from plx_pipelines.image_files import find_classes, find_faults, find_images
from plx_pipelines.pipelines.images import Images
from plx_pipelines.records.source import OnCorrupt


class ImageFolderPipeline(IndexedPipeline):
    """Images from a folder that has a sub-folder for each class: `flowers/daisy/1.jpg`.

    The features are `{"image": uint8 [batch, height, width, channels]}`, the labels are
    `{"label": int64 [batch]}`. Images of another size are resized. A label is an index into
    `classes`, by default the names of the sub-folders in alphabetical order.

    Args:
        data_dir: the folder.
        height: the height of the images in pixels.
        width: the width of the images in pixels.
        channels: 1 for greyscale, 3 for RGB, 4 for RGB with transparency.
        classes: the sub-folders to read, in the order of their labels; None for all.
        cache: whether to keep decoded images in memory.
        on_corrupt: raise an error at a corrupt file, or skip and count it; with `skip`, all files
            are checked before the first batch.
        corrupt_budget: with `skip`, how many corrupt files are tolerated.
        options: see `plx_core.IndexedPipeline`.
    """

    def __init__(
        self,
        data_dir: ExistingPath,
        height: PositiveInt,
        width: PositiveInt,
        channels: PositiveInt = 3,
        *,
        classes: list[str] | None = None,
        cache: bool = False,
        on_corrupt: OnCorrupt = "error",
        corrupt_budget: NonNegativeInt = 100,
        **options: Unpack[BatchOptions],
    ) -> None:
        self.classes = find_classes(data_dir) if classes is None else list(classes)
        self._shape = (height, width, channels)
        files = [
            (path, label)
            for label, name in enumerate(self.classes)
            for path in find_images(Path(data_dir) / name)
        ]
        self._skips = on_corrupt == "skip"
        self._faults = find_faults([path for path, _ in files]) if self._skips else {}
        if len(self._faults) > corrupt_budget:
            raise CorruptData(
                f"{next(iter(self._faults.values()))}; "
                f"{len(self._faults)} are more than corrupt_budget: {corrupt_budget}"
            )
        self._files = [(path, label) for path, label in files if path not in self._faults]
        spec = (
            {"image": tf.TensorSpec([None, *self._shape], tf.uint8)},
            {"label": tf.TensorSpec([None], tf.int64)},
        )
        super().__init__(len(self._files), spec, **options)
        paths, labels = zip(*self._files, strict=True)
        self._paths = Resident(tf.constant(paths, tf.string))
        self._labels = Resident(tf.constant(labels, tf.int64))
        self._cache = cache
        self._cached: Resident | None = None

    @property
    def num_classes(self) -> Mapping[str, int]:
        """The number of classes, by the name of the label."""
        return {"label": len(self.classes)}

    def counters(self) -> Mapping[str, int]:
        """Return the number of corrupt files that were skipped."""
        return {"corrupt_files": len(self._faults)} if self._skips else {}

    def failure(self) -> Exception | None:
        """Find the first corrupt file, after reading has failed."""
        faults = find_faults([path for path, _ in self._files], most=1)
        return CorruptData(next(iter(faults.values()))) if faults else None

    def _prepare(self) -> bool:
        if self._cache and self._cached is None:
            once = Order(len(self._files), min(len(self._files), 64), 1)
            self._cached = Resident(tf.concat(list(batches(once, self._decode)), axis=0))
        return self._cache

    def _read(self, indices: tf.Tensor) -> Images:
        images = self._decode(indices) if self._cached is None else self._cached.gather(indices)
        return {"image": images}, {"label": self._labels.gather(indices)}

    def _locate(self, index: int) -> str:
        return str(self._files[index][0])

    def _decode(self, indices: tf.Tensor) -> tf.Tensor:
        def decode(path: tf.Tensor) -> tf.Tensor:
            return resize_image(tf.io.read_file(path), self._shape)

        spec = tf.TensorSpec(self._shape, tf.uint8)
        images = tf.map_fn(decode, self._paths.gather(indices), fn_output_signature=spec)
        return tf.ensure_shape(images, [None, *self._shape])


def resize_image(data: tf.Tensor, shape: tuple[int, int, int]) -> tf.Tensor:
    """Decode a file's bytes, a scalar string, and resize to uint8 [height, width, channels]."""
    image = tf.io.decode_png(data, channels=shape[2])  # reads JPEG as well
    image.set_shape([None, None, shape[2]])
    has_size = tf.reduce_all(tf.equal(tf.shape(image)[:2], shape[:2]))

    def resize() -> tf.Tensor:
        resized = tf.image.resize(image, shape[:2], antialias=True)
        return tf.saturate_cast(tf.round(resized), tf.uint8)

    return tf.ensure_shape(tf.cond(has_size, lambda: image, resize), shape)
