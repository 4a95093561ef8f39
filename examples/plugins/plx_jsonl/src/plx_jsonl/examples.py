"""Data for the check of the pipeline."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def houses(folder: Path) -> Mapping[str, Any]:
    """Write ten houses to two files, and return the parameters that read them."""
    for part in range(2):
        lines = (
            json.dumps({"size": [number, number / 2], "price": float(number)})
            for number in range(5 * part, 5 * part + 5)
        )
        path = folder / f"{part}.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    files = str(folder / "*.jsonl")
    return {"params": {"data_files": files, "features": {"x": ["size"]}, "labels": "price"}}
