"""Every pipeline, read by a process that is killed ten times at random batches, gives the batches of one that was not."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from plx_pipelines.commands.converting import convert_arrays, convert_pairs, convert_texts
from plx_pipelines.datasets import shapes

from .killing import PIPELINES

COUNT = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Real files for each pipeline."""
    folder, rng = tmp_path_factory.mktemp("killed"), np.random.default_rng(0)
    images = {
        "image": rng.integers(0, 256, (COUNT, 5, 4, 3), np.uint8),
        "label": rng.integers(0, 3, COUNT),
    }
    convert_arrays(images, folder / "images", shards=2)
    for name in ("en", "de"):
        lines = [
            " ".join(f"{name}{word}" for word in range(rng.integers(1, 12))) for _ in range(COUNT)
        ]
        (folder / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
        (folder / "languages").mkdir(exist_ok=True)
        (folder / "languages" / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    convert_texts(folder / "languages", folder / "texts", shards=2)
    convert_pairs(folder / "en.txt", folder / "de.txt", folder / "pairs", shards=2)
    shapes.prepare(str(folder / "shapes"), count=36)
    (folder / "table.csv").write_text(
        "number,label\n" + "".join(f"{row},{row % 3}\n" for row in range(COUNT))
    )
    return folder


@pytest.fixture(scope="module")
def ask(folder):
    """A function that has batches read by a process that is killed then; see `killing.py`."""
    command, root = (
        [sys.executable, "-m", "tests.pipelines.killing", str(folder)],
        Path(__file__).parents[2],
    )
    with subprocess.Popen(
        command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(name, start, count):
            print(name, start, count, file=process.stdin, flush=True)
            end, *hashes = process.stdout.readline().split()
            assert int(end) == (0 if count < 0 else -9)
            return hashes

        yield ask
        process.stdin.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", PIPELINES)
def test_killed_ten_times(ask, name):
    whole = ask(name, 0, -1)
    assert len(whole) >= 11
    stops = np.sort(
        np.random.default_rng(len(name)).choice(np.arange(1, len(whole)), 10, replace=False)
    ).tolist()
    found = []
    for stop in stops:
        found += ask(name, len(found), stop - len(found))
    assert found + ask(name, len(found), -1) == whole
    assert len(set(whole)) > len(whole) / 2
