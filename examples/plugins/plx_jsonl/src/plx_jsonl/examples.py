"""Data to try the pipeline with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def houses(folder: Path) -> Mapping[str, Any]:
    """Ten houses in two files, and the parameters that read them."""
    for part in range(2):
        lines = (
            json.dumps({"size": [number, number / 2], "price": float(number)})
            for number in range(5 * part, 5 * part + 5)
        )
        (folder / f"{part}.jsonl").write_text(
            "".join(f"{line}\n" for line in lines), encoding="utf-8"
        )
    return {
        "params": {
            "data_files": str(folder / "*.jsonl"),
            "features": {"x": ["size"]},
            "labels": "price",
        }
    }
