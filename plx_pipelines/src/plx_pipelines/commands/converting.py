"""Convert images, texts and arrays to sharded record files and `meta_data.json`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from plx_core.errors import DataError
from plx_pipelines.expansion import load_arrays
from plx_pipelines.image_files import SUFFIXES, find_classes, find_images, read_image
from plx_pipelines.records.encoding import (
    Encoding,
    bytes_feature,
    encode_labelled_image,
    encode_sequence_example,
    float_feature,
    int64_feature,
)
from plx_pipelines.records.metadata import META_DATA, Metadata
from plx_pipelines.records.splits import image_metadata, interleave_split, write_splits

if TYPE_CHECKING:
    from plx_pipelines.text.tokens import Tokenizer

Form: TypeAlias = Literal["images", "texts", "arrays", "pairs"]
LABEL_NAMES = ("label", "labels", "y", "target")
TEXT_SUFFIXES = (".txt", ".txt.gz")
_FEATURES = {
    "i": ("int64", int64_feature),
    "u": ("int64", int64_feature),
    "b": ("int64", int64_feature),
    "f": ("float32", float_feature),
}


def find_form(source: str | os.PathLike[str], target: str | os.PathLike[str] | None = None) -> Form:
    """Return the form of a file or folder, by its content.

    Raises:
        DataError: it has none of the forms that can be converted.
    """
    path = Path(source)
    if target is not None:
        return "pairs"
    if path.is_dir():
        classes = [
            folder
            for folder in path.iterdir()
            if folder.is_dir() and not folder.name.startswith(".")
        ]
        if any(file.suffix.lower() in SUFFIXES for folder in classes for file in folder.iterdir()):
            return "images"
        if any(
            file.name.endswith(TEXT_SUFFIXES)
            for folder in (path, *classes)
            for file in folder.iterdir()
        ):
            return "texts"
    elif path.suffix == ".npz" and path.is_file():
        return "arrays"
    raise DataError(
        f"{source} cannot be converted; expected a folder with a folder of {', '.join(SUFFIXES)} "
        "images for each class, a folder with a folder of .txt files or a .txt file of lines for "
        "each class, a .npz file of arrays, or a text file and its target"
    )


def convert_images(
    source: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    name: str | None = None,
    *,
    eval_every: int | None = None,
    shards: int = 1,
    encoding: Encoding = "png",
    size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> Metadata:
    """Write the images of a folder that has a folder for each class, for `TFRecordImagePipeline`.

    Args:
        source: the folder.
        output_dir: the folder to write to.
        name: the prefix of the files' names; by default, the folder's name.
        eval_every: hold out every n-th image of each class as `eval`; None for no `eval`.
        shards: the number of files for each split.
        encoding: how to encode images.
        size: the height and width to resize to; if None, all images must have one size.
        channels: the number of channels; None for that of the first image.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: there is no folder or no image in one, images differ in size, or `output_dir`
            holds a data set.
        CorruptData: a file is not an image.
    """
    _check_output_dir(output_dir)
    classes = find_classes(source)
    files = [
        (path, label)
        for label, folder in enumerate(classes)
        for path in find_images(Path(source) / folder)
    ]
    shape = read_image(files[0][0], size, channels).shape
    splits = _split(np.array([label for _, label in files]), eval_every)

    def encode(indices: np.ndarray) -> Iterator[bytes]:
        for index in indices:
            path, label = files[index]
            image = read_image(path, size, shape[2])
            if image.shape != shape:
                raise DataError(
                    f"{path} is {image.shape[0]} x {image.shape[1]} and {files[0][0]} is "
                    f"{shape[0]} x {shape[1]}; give a size to resize to"
                )
            yield encode_labelled_image(image, label, encoding)

    metadata = {"pipeline": "TFRecordImagePipeline", **image_metadata(shape, encoding, classes)}
    records = {split: encode(indices) for split, indices in splits.items()}
    return write_splits(output_dir, name or Path(source).resolve().name, records, metadata, shards)


def convert_arrays(
    source: str | os.PathLike[str] | Mapping[str, np.ndarray],
    output_dir: str | os.PathLike[str],
    name: str | None = None,
    *,
    labels: Sequence[str] | None = None,
    eval_every: int | None = None,
    shards: int = 1,
    encoding: Encoding = "png",
) -> Metadata:
    """Write arrays with the examples along their first axis.

    One array of images, uint8 [n, height, width] or [n, height, width, 1, 3 or 4], and one of class
    indices, int [n], become records for `TFRecordImagePipeline`. All other arrays become records
    for `TFRecordSequencePipeline`, with a feature for each array: integers as int64, other numbers
    as float32.

    Args:
        source: a `.npz` file, or arrays by name.
        output_dir: the folder to write to.
        name: the prefix of the files' names; by default, the file's name, or `arrays`.
        labels: the names of the labels; by default, `label`, `labels`, `y` and `target`.
        eval_every: hold out every n-th example (of each class, if there are classes) as `eval`;
            None for no `eval`.
        shards: the number of files for each split.
        encoding: how to encode images.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: the file cannot be read, arrays differ in length or have a type that cannot be
            written, or `output_dir` holds a data set.
    """
    _check_output_dir(output_dir)
    arrays = dict(source) if isinstance(source, Mapping) else load_arrays(source)
    name = name or ("arrays" if isinstance(source, Mapping) else Path(source).stem)
    names = [key for key in arrays if key in LABEL_NAMES] if labels is None else list(labels)
    _check_arrays(arrays, names)
    class_keys = [key for key in names if arrays[key].ndim == 1 and arrays[key].dtype.kind in "iu"]
    image_keys = [key for key in arrays if key not in names and _is_images(arrays[key])]
    classes = np.zeros(len(next(iter(arrays.values()))), int)
    if class_keys:
        classes = arrays[class_keys[0]]
    splits = _split(classes, eval_every)
    if len(arrays) == 2 and len(image_keys) == len(class_keys) == 1:
        images = arrays[image_keys[0]]
        images = images[..., None] if images.ndim == 3 else images
        records = {
            split: (
                encode_labelled_image(images[index], int(classes[index]), encoding)
                for index in indices
            )
            for split, indices in splits.items()
        }
        class_names = [str(label) for label in range(int(classes.max()) + 1)]
        metadata = {
            "pipeline": "TFRecordImagePipeline",
            **image_metadata(images.shape[1:], encoding, class_names),
        }
        return write_splits(output_dir, name, records, metadata, shards)
    metadata = {
        "pipeline": "TFRecordSequencePipeline",
        "context_features": {
            key: {"dtype": _feature(array)[0], "shape": list(array.shape[1:])}
            for key, array in arrays.items()
        },
        "sequence_features": {},
        "labels": names,
    }
    rows = {split: _encode_rows(arrays, indices) for split, indices in splits.items()}
    return write_splits(output_dir, name, rows, metadata, shards)


def convert_texts(
    source: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    name: str | None = None,
    *,
    eval_every: int | None = None,
    shards: int = 1,
    tokenizer: Tokenizer | None = None,
    vocabulary_size: int | None = None,
) -> Metadata:
    """Write texts of several classes as token ids, and their vocabulary.

    The records are for `TFRecordSequencePipeline`.

    Args:
        source: a folder that has for each class a folder of `.txt` files, or a `.txt` or `.txt.gz`
            file in which each line is a text.
        output_dir: the folder to write to.
        name: the prefix of the files' names; by default, the folder's name.
        eval_every: hold out every n-th text of each class as `eval`; None for no `eval`.
        shards: the number of files for each split.
        tokenizer: splits texts into tokens; by default, at white space.
        vocabulary_size: the number of tokens, including the special ones; None for all.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: there are no texts, a file is not UTF-8, or `output_dir` holds a data set.
    """
    from plx_pipelines.text.records import write_texts
    from plx_pipelines.text.tokens import Tokenizer, read_folder, read_lines

    _check_output_dir(output_dir)
    paths = [path for path in sorted(Path(source).iterdir()) if not path.name.startswith(".")]
    folders = [path for path in paths if path.is_dir()]
    if folders:
        classes = [path.name for path in folders]
        texts_by_class = [read_folder(path) for path in folders]
    else:
        files = [path for path in paths if path.name.endswith(TEXT_SUFFIXES)]
        classes = [path.name.removesuffix(".gz").removesuffix(".txt") for path in files]
        texts_by_class = [
            [line for line in read_lines([str(path)]) if line.strip()] for path in files
        ]
    labels = np.repeat(np.arange(len(classes)), [len(texts) for texts in texts_by_class])
    texts = [text for texts in texts_by_class for text in texts]
    splits = {
        split: ([texts[index] for index in indices], labels[indices].tolist())
        for split, indices in _split(labels, eval_every).items()
    }
    return write_texts(
        output_dir,
        name or Path(source).resolve().name,
        splits,
        classes,
        tokenizer or Tokenizer(),
        vocabulary_size,
        shards,
    )


def convert_pairs(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    name: str | None = None,
    *,
    eval_every: int | None = None,
    shards: int = 1,
    tokenizer: Tokenizer | None = None,
    vocabulary_size: int | None = None,
) -> Metadata:
    """Write two text files with corresponding lines, and a vocabulary of each.

    The records are for `TFRecordSourceSequencePipeline`.

    Args:
        source: a text file, `.gz` or not.
        target: the other text file, with the same number of lines.
        output_dir: the folder to write to.
        name: the prefix of the files' names; by default, the source's name.
        eval_every: hold out every n-th pair as `eval`; None for no `eval`.
        shards: the number of files for each split.
        tokenizer: splits texts into the tokens of the vocabularies; by default, at white space.
        vocabulary_size: the number of tokens of each side, including the special ones; None for
            all.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: a file cannot be read, the files differ in their numbers of lines, or
            `output_dir` holds a data set.
    """
    from plx_pipelines.text.records import write_pairs
    from plx_pipelines.text.tokens import Tokenizer, read_pairs

    _check_output_dir(output_dir)
    sources, targets = read_pairs(source, target)
    splits = {
        split: ([sources[index] for index in indices], [targets[index] for index in indices])
        for split, indices in _split(np.zeros(len(sources), int), eval_every).items()
    }
    return write_pairs(
        output_dir,
        name or Path(source).name.partition(".")[0],
        splits,
        tokenizer or Tokenizer(),
        vocabulary_size,
        shards,
    )


def _check_output_dir(output_dir: str | os.PathLike[str]) -> None:
    if (Path(output_dir) / META_DATA).exists():
        raise DataError(
            f"{output_dir} holds a data set already; "
            f"choose another folder, or delete its {META_DATA}"
        )


def _split(labels: np.ndarray, eval_every: int | None) -> dict[str, np.ndarray]:
    if not len(labels):
        raise DataError("there are no examples to convert")
    if eval_every is None:
        return {"train": np.arange(len(labels))}
    train, held_out = interleave_split(labels, eval_every)
    if not len(train) or not len(held_out):
        raise DataError(
            f"eval_every: {eval_every} leaves {len(train)} of {len(labels)} examples for training "
            f"and holds out {len(held_out)}"
        )
    return {"train": train, "eval": held_out}


def _check_arrays(arrays: Mapping[str, np.ndarray], labels: Sequence[str]) -> None:
    unknown = [name for name in labels if name not in arrays]
    if unknown or not arrays:
        raise DataError(
            f"there is no array {', '.join(unknown)}; there are {', '.join(arrays) or 'none'}"
        )
    first_axes = {array.shape[:1] for array in arrays.values()}
    if () in first_axes or len(first_axes) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(f"arrays must have a first axis of the same size; the shapes are {shapes}")
    for name, array in arrays.items():
        if array.dtype.kind not in "iubfSU":
            raise DataError(
                f"the array {name} has the dtype {array.dtype}; expected numbers or strings"
            )


def _is_images(array: np.ndarray) -> bool:
    return array.dtype == np.uint8 and (
        array.ndim == 3 or (array.ndim == 4 and array.shape[-1] in (1, 3, 4))
    )


def _feature(array: np.ndarray) -> tuple[str, Callable[[list[Any]], bytes]]:
    return _FEATURES.get(array.dtype.kind, ("string", bytes_feature))


def _encode_rows(arrays: Mapping[str, np.ndarray], indices: np.ndarray) -> Iterator[bytes]:
    encoded = {
        name: np.strings.encode(array, "utf-8") if array.dtype.kind == "U" else array
        for name, array in arrays.items()
    }
    for index in indices:
        context = {
            name: _feature(array)[1](array[index].ravel().tolist())
            for name, array in encoded.items()
        }
        yield encode_sequence_example(context, {})
