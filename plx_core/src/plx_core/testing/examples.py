"""Examples for the checks of plx_core's own parts that need Python objects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def array_pipeline(folder: Path) -> Mapping[str, Any]:
    """Return ten rows of two features."""
    x = np.arange(20, dtype="float32").reshape(10, 2)
    return {"params": {"x": {"x": x}, "y": x[:, :1]}}


def final_ops(folder: Path) -> Mapping[str, Any]:
    """Return a function of the run and the step."""
    return {"params": {"function": lambda run, step: step}}
