"""Drawn circles, squares and triangles, each with a caption: no download."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from PIL import Image, ImageDraw

from plx_core.annotations import NonNegativeInt, PositiveInt
from plx_pipelines.datasets.writing import class_metadata, find_prepared, write_splits
from plx_pipelines.encoding import (
    FORMAT,
    IMAGE,
    bytes_feature,
    encode_image,
    encode_sequence_example,
    int64_feature,
)
from plx_pipelines.records import writing
from plx_pipelines.vocabularies import START, STOP, Vocabulary

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
    """One shape on a grey, slightly noisy ground."""

    shape: str
    colour: str
    size: str
    pixels: np.ndarray

    @property
    def caption(self) -> str:
        """What is to be seen."""
        return f"a {self.size} {self.colour} {self.shape}"


def prepare(
    output_dir: str, source: str | None = None, count: PositiveInt = 1_200, seed: NonNegativeInt = 0
) -> Mapping[str, Any]:
    """Write coloured shapes twice: as PNG files with a folder for each shape, and as record files with captions.

    The folders, `train` and `eval`, are for `ImageFolderPipeline`, the record files for `ImageCaptioningPipeline`. Every sixth drawing
    is held out as `eval`.

    Args:
        output_dir: where `train/SHAPE/NUMBER.png`, `eval/SHAPE/NUMBER.png`, `shapes_train.tfrecord`, `shapes_eval.tfrecord`,
            `vocabulary.txt` and `meta_data.json` go.
        source: not used; the shapes are drawn.
        count: how many are drawn.
        seed: what the drawings follow from.

    Returns:
        The metadata, and the files by split.
    """
    done = find_prepared(output_dir, "shapes", {"count": count, "seed": seed})
    if done is not None:
        return done
    drawings = list(draw(count, np.random.default_rng(seed)))
    splits = {
        "train": [place for place in range(count) if place % 6 < 5],
        "eval": list(range(5, count, 6)),
    }
    for split, places in splits.items():
        for place in places:
            with writing(Path(output_dir, split, drawings[place].shape, f"{place:05}.png")) as file:
                file.write(encode_image(drawings[place].pixels, "png"))
    vocabulary = Vocabulary.fit(word for drawing in drawings for word in drawing.caption.split())
    vocabulary.save(Path(output_dir) / VOCABULARY)
    metadata = {
        "pipeline": "ImageCaptioningPipeline",
        "height": SIDE,
        "width": SIDE,
        "channels": 3,
        **class_metadata(SHAPES),
    }
    metadata |= {
        "vocabulary": VOCABULARY,
        "vocabulary_size": len(vocabulary),
        "count": count,
        "seed": seed,
    }
    records = {
        split: (_encode(drawings[place], vocabulary) for place in places)
        for split, places in splits.items()
    }
    return write_splits(output_dir, "shapes", records, metadata)


def draw(count: int, random: np.random.Generator) -> Iterator[Drawing]:
    """Shapes of a random form, colour, size and place."""
    for _ in range(count):
        shape, colour, size = (
            str(random.choice(list(names))) for names in (SHAPES, COLOURS, SIZES)
        )
        radius = SIZES[size]
        x, y = (int(place) for place in random.integers(radius + 1, SIDE - radius - 1, 2))
        image = Image.fromarray(random.integers(100, 140, (SIDE, SIDE, 3), np.uint8))
        pen, box = ImageDraw.Draw(image), (x - radius, y - radius, x + radius, y + radius)
        if shape == "triangle":
            pen.polygon([(x, box[1]), (box[2], box[3]), (box[0], box[3])], COLOURS[colour])
        else:
            (pen.ellipse if shape == "circle" else pen.rectangle)(box, COLOURS[colour])
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
