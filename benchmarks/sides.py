"""The command line of a comparison: one file that does the same work on several sides."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping


def run(
    sides: Mapping[str, Callable[[bool], Mapping[str, float]]], description: str | None
) -> None:
    """Measure the side that the command line names, and print its result as a line of JSON.

    Args:
        sides: functions of `quick` that measure; each returns the `rate` and other results by name.
        description: the help text.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("side", choices=tuple(sides))
    parser.add_argument("--quick", action="store_true", help="do less of the same work")
    args = parser.parse_args()
    print(json.dumps(sides[args.side](args.quick)))
