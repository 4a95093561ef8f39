"""How much fifty installed plug-ins slow `plx components`: the same command with and without them, in turns.

    python benchmarks/plugins.py [--count 50] [--runs 15]

Plug-ins are those that `plx new plugin` writes, each with its own metadata. What is told is the median of the differences between a run
with them and the run without them that came just before.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "kit"))

from many import write_many


def seconds(environ: dict[str, str]) -> float:
    """How long the command takes."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "plx_core", "components"],
        env=environ,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - began


def main() -> None:
    """Measure, and say what came of it."""
    parser = argparse.ArgumentParser(
        description="How much plug-ins slow the listing of components."
    )
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = write_many(Path(folder), arguments.count, broken={})
        without = {**os.environ, "PLX_CACHE_DIR": folder}
        within = {**without, "PYTHONPATH": str(site)}
        for environ in (without, within):  # the first run writes byte code
            seconds(environ)
        pairs = [(seconds(without), seconds(within)) for _ in range(arguments.runs)]
    slower = statistics.median(second - first for first, second in pairs)
    plain, many = (statistics.median(column) for column in zip(*pairs, strict=True))
    sys.stdout.write(
        f"without: {plain * 1000:.0f} ms, with {arguments.count} plug-ins: {many * 1000:.0f} ms, slower by {slower * 1000:.0f} ms\n"
    )


if __name__ == "__main__":
    main()
