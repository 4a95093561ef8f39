"""Examples of the models that take more than a graph with one output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 16


def multi_head(folder: Path) -> Mapping[str, Any]:
    """Return a model of a species and a size, from one graph."""
    layers = [
        {"Dense": {"units": 4, "name": "hidden"}},
        {"Dense": {"units": 3, "name": "species", "inbound_nodes": "hidden"}},
        {"Dense": {"units": 1, "name": "size", "inbound_nodes": "hidden"}},
    ]
    species = np.arange(ROWS) % 3
    return {
        "params": {
            "graph": {"layers": layers, "output_layers": ["species", "size"]},
            "heads": {"species": "Classifier", "size": "Regressor"},
        },
        "labels": {"species": species, "size": species[:, None].astype("float32")},
    }


def generator(folder: Path) -> Mapping[str, Any]:
    """Return an autoencoder of eight numbers."""
    return {
        "params": {
            "encoder": {"layers": [{"Dense": {"units": 3}}]},
            "bridge": "NoOpBridge",
            "decoder": {"layers": [{"Dense": {"units": 8}}]},
            "loss": "MeanSquaredError",
        }
    }
