"""Multi30k: 30,000 descriptions of photographs, and their translations (Elliott et al. 2016), from text files or a download."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from plx_core.annotations import PositiveInt
from plx_core.errors import DataError
from plx_pipelines.datasets.downloading import Remote, download
from plx_pipelines.datasets.writing import find_prepared

if TYPE_CHECKING:
    from plx_pipelines.datasets.texts import Pairs

NAME = "text-pairs"
ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/"
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
) -> Mapping[str, Any]:
    """Write English sentences and their German translations, or the other way round, and a vocabulary of each language.

    In the vocabularies letters are small and punctuation marks are tokens of their own; a pipeline is to be told `lowercase: true` and
    `split_punctuation: true` as well. They are those of the training sentences.

    Args:
        output_dir: where `text-pairs_train.tfrecord`, `text-pairs_eval.tfrecord`, `source_vocabulary.txt`, `target_vocabulary.txt` and
            `meta_data.json` go.
        source: a folder with `train.en`, `train.de`, `val.en` and `val.de`, `.gz` or not; downloaded when left out.
        source_language: what is read.
        target_language: what is to be said.
        vocabulary_size: how many tokens of each language have a number of their own.

    Returns:
        The metadata, and the files by split.
    """
    if source_language == target_language:
        raise ValueError(f"source_language and target_language are both {source_language}")
    languages = {"source_language": source_language, "target_language": target_language}
    done = find_prepared(output_dir, NAME, {**languages, "most_tokens": vocabulary_size})
    if done is not None:
        return done
    from plx_pipelines.datasets.texts import write_pairs
    from plx_pipelines.text import Tokenizer

    pairs = load_pairs(
        Path(source) if source else download(ADDRESS, FILES, NAME), source_language, target_language
    )
    return write_pairs(
        output_dir,
        NAME,
        pairs,
        Tokenizer(lowercase=True, split_punctuation=True),
        vocabulary_size,
        further=languages,
    )


def load_pairs(folder: Path, source: str, target: str) -> Mapping[str, Pairs]:
    """The lines of each split in both languages.

    Raises:
        DataError: a file is missing or no text, or files differ in length.
    """
    from plx_pipelines.text import read_pairs

    return {
        split: read_pairs(_find(folder, f"{part}.{source}"), _find(folder, f"{part}.{target}"))
        for part, split in SPLITS.items()
    }


def _find(folder: Path, name: str) -> Path:
    found = next(
        (folder / choice for choice in (name, f"{name}.gz") if (folder / choice).is_file()), None
    )
    if found is None:
        raise DataError(f"{folder} has no {name}, with or without .gz")
    return found
