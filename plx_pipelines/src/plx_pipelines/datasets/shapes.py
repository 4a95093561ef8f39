"""Drawings of circles, squares and triangles with captions, which need no download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from attrs import frozen
from PIL import Image, ImageDraw

from plx_core.annotations import NonNegativeInt, PositiveInt
from plx_pipelines.records.encoding import (
    FORMAT,
    IMAGE,
    bytes_feature,
    encode_image,
    encode_sequence_example,
    int64_feature,
)
from plx_pipelines.records.metadata import Metadata
from plx_pipelines.records.splits import class_metadata, find_prepared, write_splits
from plx_pipelines.records.tfrecord import writing
from plx_pipelines.text.vocabularies import START, STOP, Vocabulary

SIDE = 32
SHAPES = ("circle", "square", "triangle")
COLOURS = {
    "red": (210, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 210),
    "yellow": (225, 200, 40),
}
SIZES = {"small": 5, "large": 9}
CAPTION_IDS = "image/caption_ids"
VOCABULARY = "vocabulary.txt"


@frozen
class Drawing:
    """One shape on a grey, slightly noisy background."""

    shape: str
    colour: str
    size: str
    pixels: np.ndarray

    @property
    def caption(self) -> str:
        """A description of the drawing."""
        return f"a {self.size} {self.colour} {self.shape}"


def prepare(
    output_dir: str, source: str | None = None, count: PositiveInt = 1_200, seed: NonNegativeInt = 0
) -> Metadata:
    """Write coloured shapes as PNG files in folders, and as record files with captions.

    The folders `train` and `eval`, which have a folder for each shape, are for
    `ImageFolderPipeline`. The record files are for `ImageCaptioningPipeline`. Every sixth drawing
    is held out as `eval`.

    Args:
        output_dir: the folder for `train/SHAPE/NUMBER.png`, `eval/SHAPE/NUMBER.png`,
            `shapes_train.tfrecord`, `shapes_eval.tfrecord`, `vocabulary.txt` and `meta_data.json`.
        source: not used, as the shapes are drawn.
        count: the number of drawings.
        seed: the seed of the drawings.

    Returns:
        The metadata, and the `files` by split.
    """
    prepared = find_prepared(output_dir, "shapes", {"count": count, "seed": seed})
    if prepared is not None:
        return prepared
    drawings = list(draw(count, np.random.default_rng(seed)))
    splits = {
        "train": [number for number in range(count) if number % 6 < 5],
        "eval": list(range(5, count, 6)),
    }
    for split, numbers in splits.items():
        for number in numbers:
            drawing = drawings[number]
            with writing(Path(output_dir, split, drawing.shape, f"{number:05}.png")) as file:
                file.write(encode_image(drawing.pixels, "png"))
    vocabulary = Vocabulary.fit(word for drawing in drawings for word in drawing.caption.split())
    vocabulary.save(Path(output_dir) / VOCABULARY)
    metadata = {
        "pipeline": "ImageCaptioningPipeline",
        "height": SIDE,
        "width": SIDE,
        "channels": 3,
        **class_metadata(SHAPES),
        "vocabulary": VOCABULARY,
        "vocabulary_size": len(vocabulary),
        "count": count,
        "seed": seed,
    }
    records = {
        split: (_encode(drawings[number], vocabulary) for number in numbers)
        for split, numbers in splits.items()
    }
    return write_splits(output_dir, "shapes", records, metadata)


def draw(count: int, random: np.random.Generator) -> Iterator[Drawing]:
    """Draw shapes of random kind, colour, size and position."""
    for _ in range(count):
        shape, colour, size = (
            str(random.choice(list(names))) for names in (SHAPES, COLOURS, SIZES)
        )
        radius = SIZES[size]
        x, y = (int(centre) for centre in random.integers(radius + 1, SIDE - radius - 1, 2))
        image = Image.fromarray(random.integers(100, 140, (SIDE, SIDE, 3), np.uint8))
        pen = ImageDraw.Draw(image)
        left, top, right, bottom = box = (x - radius, y - radius, x + radius, y + radius)
        if shape == "circle":
            pen.ellipse(box, COLOURS[colour])
        elif shape == "square":
            pen.rectangle(box, COLOURS[colour])
        else:
            pen.polygon([(x, top), (right, bottom), (left, bottom)], COLOURS[colour])
        yield Drawing(shape, colour, size, np.asarray(image))


def _encode(drawing: Drawing, vocabulary: Vocabulary) -> bytes:
    numbers = vocabulary.encode([START, *drawing.caption.split(), STOP])
    context = {
        IMAGE: bytes_feature([encode_image(drawing.pixels, "png")]),
        FORMAT: bytes_feature([b"png"]),
    }
    return encode_sequence_example(
        context, {CAPTION_IDS: [int64_feature([number]) for number in numbers]}
    )
