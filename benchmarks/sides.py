"""What every comparison shares: it is one file that does the same work on several sides, and prints what it measured."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping


def run(
    sides: Mapping[str, Callable[[bool], Mapping[str, float]]], description: str | None
) -> None:
    """Measure the side that the command line names, and print `rate` and what was reached as a line of JSON."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("side", choices=tuple(sides))
    parser.add_argument("--quick", action="store_true", help="do less of the same work")
    args = parser.parse_args()
    print(json.dumps(sides[args.side](args.quick)))
