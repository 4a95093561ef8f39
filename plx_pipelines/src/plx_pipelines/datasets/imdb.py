"""IMDB: 50,000 film reviews, half of them favourable (Maas et al. 2011), from its archive or a download."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plx_core.annotations import PositiveInt
from plx_core.errors import DataError
from plx_pipelines.datasets.archives import read_members
from plx_pipelines.datasets.downloading import Remote, download
from plx_pipelines.datasets.writing import find_prepared

if TYPE_CHECKING:
    from plx_pipelines.datasets.texts import Labelled

ADDRESS = "https://ai.stanford.edu/~amaas/data/sentiment/"
ARCHIVE = Remote(
    "aclImdb_v1.tar.gz", "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe"
)
CLASSES = ("neg", "pos")
SPLITS = {"train": "train", "test": "eval"}
_FILES = re.compile(r"(train|test)/(neg|pos)/[^/]+\.txt$")
_LINE_BREAKS = re.compile(rb"(<br\s*/?>|\s)+")


def prepare(
    output_dir: str, source: str | None = None, vocabulary_size: PositiveInt = 20_000
) -> Mapping[str, Any]:
    """Write the reviews as sequences of numbers with a label, 0 for `neg` and 1 for `pos`; the test reviews are `eval`.

    Letters are made small and punctuation marks are tokens of their own. The vocabulary is that of the training reviews.

    Args:
        output_dir: where `imdb_train.tfrecord`, `imdb_eval.tfrecord`, `vocabulary.txt` and `meta_data.json` go.
        source: a folder with the archive, or with its `train` and `test` folders; downloaded when left out.
        vocabulary_size: how many tokens have a number of their own.

    Returns:
        The metadata, and the files by split.
    """
    done = find_prepared(output_dir, "imdb", {"most_tokens": vocabulary_size})
    if done is not None:
        return done
    from plx_pipelines.datasets.texts import write_texts
    from plx_pipelines.text import Tokenizer

    reviews = load_reviews(Path(source) if source else download(ADDRESS, [ARCHIVE], "imdb"))
    return write_texts(
        output_dir,
        "imdb",
        reviews,
        CLASSES,
        Tokenizer(lowercase=True, split_punctuation=True),
        vocabulary_size,
    )


def load_reviews(folder: Path) -> Mapping[str, Labelled]:
    """The reviews and labels of each split, in the order of their files' names.

    Raises:
        DataError: there are none in one of the splits.
    """
    found: dict[str, tuple[list[bytes], list[int]]] = {split: ([], []) for split in SPLITS.values()}
    for name, content in sorted(read_members(folder, ARCHIVE.name, _FILES)):
        part, label, _ = name.split("/")
        texts, labels = found[SPLITS[part]]
        texts.append(_LINE_BREAKS.sub(b" ", content).strip())
        labels.append(CLASSES.index(label))
    for part, split in SPLITS.items():
        if not found[split][0]:
            raise DataError(f"{folder} has no reviews such as {part}/pos/0_9.txt")
    return found
