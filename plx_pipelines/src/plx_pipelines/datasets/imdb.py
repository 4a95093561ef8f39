"""IMDB: 50,000 film reviews, half of them positive (Maas et al. 2011)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from plx_core.annotations import PositiveInt
from plx_core.errors import DataError
from plx_pipelines.datasets.archives import read_members
from plx_pipelines.datasets.downloading import Remote, download
from plx_pipelines.records.metadata import Metadata
from plx_pipelines.records.splits import find_prepared

if TYPE_CHECKING:
    from plx_pipelines.text.records import Labelled

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
) -> Metadata:
    """Write the reviews as token ids with a label, 0 for `neg` and 1 for `pos`.

    The test reviews are `eval`. Texts are converted to lower case, and punctuation marks are
    separate tokens. The vocabulary has the tokens of the training reviews.

    Args:
        output_dir: the folder for `imdb_train.tfrecord`, `imdb_eval.tfrecord`, `vocabulary.txt` and
            `meta_data.json`.
        source: a folder with the archive, or with its `train` and `test` folders; by default, the
            archive is downloaded.
        vocabulary_size: the number of tokens in the vocabulary.

    Returns:
        The metadata, and the `files` by split.
    """
    prepared = find_prepared(output_dir, "imdb", {"most_tokens": vocabulary_size})
    if prepared is not None:
        return prepared
    from plx_pipelines.text.records import write_texts
    from plx_pipelines.text.tokens import Tokenizer

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
    """Return the reviews and labels of each split, in the order of their files' names.

    Raises:
        DataError: there are none in one of the splits.
    """
    splits: dict[str, tuple[list[bytes], list[int]]] = {
        split: ([], []) for split in SPLITS.values()
    }
    for name, content in sorted(read_members(folder, ARCHIVE.name, _FILES)):
        part, label, _ = name.split("/")
        texts, labels = splits[SPLITS[part]]
        texts.append(_LINE_BREAKS.sub(b" ", content).strip())
        labels.append(CLASSES.index(label))
    for part, split in SPLITS.items():
        if not splits[split][0]:
            raise DataError(f"{folder} has no reviews such as {part}/pos/0_9.txt")
    return splits
