"""Multi30k: 30,000 descriptions of photographs, and their translations (Elliott et al. 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from plx_core.annotations import PositiveInt
from plx_core.errors import DataError
from plx_pipelines.datasets.downloading import Remote, download
from plx_pipelines.records.metadata import Metadata
from plx_pipelines.records.splits import find_prepared

if TYPE_CHECKING:
    from plx_pipelines.text.records import Pairs

NAME = "text-pairs"
REVISION = "a3d2e0d26b56f3846f66a952536ffed4e401d05a"
ADDRESS = f"https://raw.githubusercontent.com/multi30k/dataset/{REVISION}/data/task1/raw/"
FILES = (
    Remote("train.en.gz", "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
    Remote("train.de.gz", "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6"),
    Remote("val.en.gz", "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
    Remote("val.de.gz", "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a"),
)
SPLITS = {"train": "train", "val": "eval"}

Language: TypeAlias = Literal["en", "de"]


def prepare(
    output_dir: str,
    source: str | None = None,
    source_language: Language = "en",
    target_language: Language = "de",
    vocabulary_size: PositiveInt = 8_000,
) -> Metadata:
    """Write pairs of English and German sentences, and a vocabulary of each language.

    The vocabularies have the tokens of the training sentences, in lower case and with separate
    punctuation marks, so a pipeline needs `lowercase: true` and `split_punctuation: true`.

    Args:
        output_dir: the folder for `text-pairs_train.tfrecord`, `text-pairs_eval.tfrecord`,
            `source_vocabulary.txt`, `target_vocabulary.txt` and `meta_data.json`.
        source: a folder with `train.en`, `train.de`, `val.en` and `val.de`, `.gz` or not; by
            default, they are downloaded.
        source_language: the language to translate from.
        target_language: the language to translate to.
        vocabulary_size: the number of tokens in each vocabulary.

    Returns:
        The metadata, and the `files` by split.
    """
    if source_language == target_language:
        raise ValueError(f"source_language and target_language are both {source_language}")
    languages = {"source_language": source_language, "target_language": target_language}
    prepared = find_prepared(output_dir, NAME, {**languages, "most_tokens": vocabulary_size})
    if prepared is not None:
        return prepared
    from plx_pipelines.text.records import write_pairs
    from plx_pipelines.text.tokens import Tokenizer

    folder = Path(source) if source else download(ADDRESS, FILES, NAME)
    return write_pairs(
        output_dir,
        NAME,
        load_pairs(folder, source_language, target_language),
        Tokenizer(lowercase=True, split_punctuation=True),
        vocabulary_size,
        extra_metadata=languages,
    )


def load_pairs(folder: Path, source: str, target: str) -> Mapping[str, Pairs]:
    """Return the lines of each split in both languages.

    Raises:
        DataError: a file is missing or not UTF-8, or two files differ in their numbers of lines.
    """
    from plx_pipelines.text.tokens import read_pairs

    return {
        split: read_pairs(_find(folder, f"{part}.{source}"), _find(folder, f"{part}.{target}"))
        for part, split in SPLITS.items()
    }


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise DataError(f"{folder} has no {name}, with or without .gz")
