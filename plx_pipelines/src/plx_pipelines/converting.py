"""Data of your own to sharded record files and `meta_data.json`: folders of images or texts, arrays, and pairs of text files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from plx_core.errors import DataError
from plx_pipelines.datasets.writing import image_metadata, interleave_split, write_splits
from plx_pipelines.encoding import (
    Encoding,
    bytes_feature,
    encode_labelled_image,
    encode_sequence_example,
    float_feature,
    int64_feature,
)  # fmt: skip
from plx_pipelines.image_files import SUFFIXES, find_classes, find_images, read_image
from plx_pipelines.metadata import META_DATA

if TYPE_CHECKING:
    from plx_pipelines.text import Tokenizer

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
    """Which of the forms that can be converted a file or folder has.

    Raises:
        DataError: it has none of them.
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
        f"{source} is nothing that can be converted: that is a folder with a folder of {', '.join(SUFFIXES)} images for each class, one "
        "with a folder of .txt files or a .txt file of lines for each class, a .npz file of arrays, or a text file and its target"
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
) -> Mapping[str, Any]:
    """Write the images of a folder that has a folder for each class, for `TFRecordImagePipeline`.

    Args:
        source: the folder.
        output_dir: where the files go.
        name: what their names begin with; the folder's name when left out.
        eval_every: every so many-th image of each class is held out as `eval`; none when left out.
        shards: over how many files each split is spread.
        encoding: how images are kept.
        size: height and width to resize to; when left out the images must have one size.
        channels: how many they are to have; those of the first image when left out.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: the folder is not like that, images differ in size, or the place is taken.
        CorruptData: a file is no image.
    """
    _check_place(output_dir)
    classes = find_classes(source)
    files = [
        (path, label)
        for label, folder in enumerate(classes)
        for path in find_images(Path(source) / folder)
    ]
    shape = read_image(files[0][0], size, channels).shape
    splits = _split(np.array([label for _, label in files]), eval_every)

    def encode(places: np.ndarray) -> Iterator[bytes]:
        for place in places:
            path, label = files[place]
            image = read_image(path, size, shape[2])
            if image.shape != shape:
                raise DataError(
                    f"{path} is {image.shape[0]} x {image.shape[1]} and {files[0][0]} {shape[0]} x {shape[1]}; give a size to resize to"
                )
            yield encode_labelled_image(image, label, encoding)

    metadata = {"pipeline": "TFRecordImagePipeline", **image_metadata(shape, encoding, classes)}
    records = {split: encode(places) for split, places in splits.items()}
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
) -> Mapping[str, Any]:
    """Write arrays with the examples along their first axis; whole numbers become int64, others float32.

    One array of images, uint8 [n, height, width] or [n, height, width, 1 or 3 or 4], and one of class indices, int [n], make records
    for `TFRecordImagePipeline`; anything else makes records for `TFRecordSequencePipeline`, a feature for each array.

    Args:
        source: a `.npz` file, or arrays by name.
        output_dir: where the files go.
        name: what their names begin with; the file's name, or `arrays`, when left out.
        labels: the arrays that are labels; those called `label`, `labels`, `y` or `target` when left out.
        eval_every: every so many-th example is held out as `eval`, of each class where there are classes; none when left out.
        shards: over how many files each split is spread.
        encoding: how images are kept.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: the file cannot be read, arrays differ in length or have another type, or the place is taken.
    """
    _check_place(output_dir)
    arrays = dict(source) if isinstance(source, Mapping) else _load_arrays(source)
    name = name or ("arrays" if isinstance(source, Mapping) else Path(source).stem)
    names = [key for key in arrays if key in LABEL_NAMES] if labels is None else list(labels)
    _check_arrays(arrays, names)
    indices = [key for key in names if arrays[key].ndim == 1 and arrays[key].dtype.kind in "iu"]
    splits = _split(
        arrays[indices[0]] if indices else np.zeros(len(next(iter(arrays.values()))), int),
        eval_every,
    )
    images = [key for key in arrays if key not in names and _is_images(arrays[key])]
    if len(arrays) == 2 and len(images) == len(indices) == 1:
        pixels, classes = arrays[images[0]], arrays[indices[0]]
        pixels = pixels[..., None] if pixels.ndim == 3 else pixels
        records = {
            split: (
                encode_labelled_image(pixels[place], int(classes[place]), encoding)
                for place in places
            )
            for split, places in splits.items()
        }
        known = [str(label) for label in range(int(classes.max()) + 1)]
        metadata = {
            "pipeline": "TFRecordImagePipeline",
            **image_metadata(pixels.shape[1:], encoding, known),
        }
        return write_splits(output_dir, name, records, metadata, shards)
    described = {
        key: {"dtype": _feature(array)[0], "shape": list(array.shape[1:])}
        for key, array in arrays.items()
    }
    metadata = {
        "pipeline": "TFRecordSequencePipeline",
        "context_features": described,
        "sequence_features": {},
        "labels": names,
    }
    return write_splits(
        output_dir,
        name,
        {split: _encode_rows(arrays, places) for split, places in splits.items()},
        metadata,
        shards,
    )


def convert_texts(
    source: str | os.PathLike[str],
    output_dir: str | os.PathLike[str],
    name: str | None = None,
    *,
    eval_every: int | None = None,
    shards: int = 1,
    tokenizer: Tokenizer | None = None,
    vocabulary_size: int | None = None,
) -> Mapping[str, Any]:
    """Write texts of several classes as sequences of numbers, for `TFRecordSequencePipeline`, and their vocabulary.

    Args:
        source: a folder with a folder of `.txt` files for each class, or with a `.txt` or `.txt.gz` file for each class, in which
            each line is a text.
        output_dir: where the files go.
        name: what their names begin with; the folder's name when left out.
        eval_every: every so many-th text of each class is held out as `eval`; none when left out.
        shards: over how many files each split is spread.
        tokenizer: how texts are split; at white space when left out.
        vocabulary_size: how many tokens are kept, the special ones among them; all when left out.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: the folder is not like that, a file is not UTF-8, or the place is taken.
    """
    from plx_pipelines.datasets.texts import write_texts
    from plx_pipelines.text import Tokenizer, read_folder, read_lines

    _check_place(output_dir)
    found = [path for path in sorted(Path(source).iterdir()) if not path.name.startswith(".")]
    folders, files = (
        [path for path in found if path.is_dir()],
        [path for path in found if path.name.endswith(TEXT_SUFFIXES)],
    )
    classes = [path.name for path in folders] or [
        path.name.removesuffix(".gz").removesuffix(".txt") for path in files
    ]
    texts = [read_folder(path) for path in folders] or [
        [line for line in read_lines([str(path)]) if line.strip()] for path in files
    ]
    labels = np.repeat(np.arange(len(classes)), [len(some) for some in texts])
    together = [text for some in texts for text in some]
    parts = {
        split: ([together[place] for place in places], labels[places].tolist())
        for split, places in _split(labels, eval_every).items()
    }
    return write_texts(
        output_dir,
        name or Path(source).resolve().name,
        parts,
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
) -> Mapping[str, Any]:
    """Write two text files whose lines belong together, for `TFRecordSourceSequencePipeline`, and their vocabularies.

    Args:
        source: a text file, `.gz` or not.
        target: the other one, with as many lines.
        output_dir: where the files go.
        name: what their names begin with; the source's name when left out.
        eval_every: every so many-th pair is held out as `eval`; none when left out.
        shards: over how many files each split is spread.
        tokenizer: how texts are split for the vocabularies; at white space when left out.
        vocabulary_size: how many tokens of each side are kept, the special ones among them; all when left out.

    Returns:
        The metadata, and the `files` by split.

    Raises:
        DataError: a file cannot be read, the files differ in length, or the place is taken.
    """
    from plx_pipelines.datasets.texts import write_pairs
    from plx_pipelines.text import Tokenizer, read_pairs

    _check_place(output_dir)
    first, second = read_pairs(source, target)
    splits = {
        split: ([first[place] for place in places], [second[place] for place in places])
        for split, places in _split(np.zeros(len(first), int), eval_every).items()
    }
    return write_pairs(
        output_dir,
        name or Path(source).name.partition(".")[0],
        splits,
        tokenizer or Tokenizer(),
        vocabulary_size,
        shards,
    )


def _check_place(output_dir: str | os.PathLike[str]) -> None:
    if (Path(output_dir) / META_DATA).exists():
        raise DataError(
            f"{output_dir} holds a data set already; choose another folder, or delete its {META_DATA}"
        )


def _split(labels: np.ndarray, eval_every: int | None) -> dict[str, np.ndarray]:
    if not len(labels):
        raise DataError("there are no examples to convert")
    if eval_every is None:
        return {"train": np.arange(len(labels))}
    train, held_out = interleave_split(labels, eval_every)
    if not len(train) or not len(held_out):
        raise DataError(
            f"eval_every: {eval_every} leaves {len(train)} of {len(labels)} examples to train on and holds {len(held_out)} out"
        )
    return {"train": train, "eval": held_out}


def _load_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise DataError(f"{path} cannot be read as arrays: {error}") from error


def _check_arrays(arrays: Mapping[str, np.ndarray], labels: Sequence[str]) -> None:
    unknown = [name for name in labels if name not in arrays]
    if unknown or not arrays:
        raise DataError(
            f"there is no array {', '.join(unknown)}; there are {', '.join(arrays) or 'none'}"
        )
    if (
        any(array.ndim == 0 for array in arrays.values())
        or len({len(array) for array in arrays.values()}) > 1
    ):
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise DataError(
            f"arrays have the examples along their first axis, as many each; these have {shapes}"
        )
    for name, array in arrays.items():
        if array.dtype.kind not in "iubfSU":
            raise DataError(
                f"the array {name} has the type {array.dtype}; numbers and texts can be written"
            )


def _is_images(array: np.ndarray) -> bool:
    return array.dtype == np.uint8 and (
        array.ndim == 3 or (array.ndim == 4 and array.shape[-1] in (1, 3, 4))
    )


def _feature(array: np.ndarray) -> tuple[str, Any]:
    return _FEATURES.get(array.dtype.kind, ("string", bytes_feature))


def _encode_rows(arrays: Mapping[str, np.ndarray], places: np.ndarray) -> Iterator[bytes]:
    texts = {
        name: np.strings.encode(array, "utf-8") if array.dtype.kind == "U" else array
        for name, array in arrays.items()
    }
    for place in places:
        yield encode_sequence_example(
            {
                name: _feature(array)[1](array[place].ravel().tolist())
                for name, array in texts.items()
            },
            {},
        )
