"""Time of `plx components` with fifty installed plug-ins and without any, in turns.

    python benchmarks/plugins.py [--count 50] [--runs 15]

The plug-ins are written by `plx new plugin`, each with its own metadata. The result is the median
difference between a run with them and the run without them just before.
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
    """Return the duration of the command."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "plx_core", "components"],
        env=environ,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = write_many(Path(folder), arguments.count, broken={})
        without = {**os.environ, "PLX_CACHE_DIR": folder}
        within = {**without, "PYTHONPATH": str(site)}
        for environ in (without, within):  # the first run writes bytecode
            seconds(environ)
        pairs = [(seconds(without), seconds(within)) for _ in range(arguments.runs)]
    slower = statistics.median(second - first for first, second in pairs)
    plain, many = (statistics.median(column) for column in zip(*pairs, strict=True))
    sys.stdout.write(
        f"without: {plain * 1000:.0f} ms, with {arguments.count} plug-ins: {many * 1000:.0f} ms, "
        f"slower by {slower * 1000:.0f} ms\n"
    )


if __name__ == "__main__":
    main()
