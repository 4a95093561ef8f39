"""A small experiment on a table, and sweeps of it."""

import copy

import numpy as np
import pytest
import yaml

SPACE = {
    "model.regressor.optimizer.SGD.learning_rate": {"log": [1e-3, 1.0]},
    "model.regressor.graph.layers[0].Dense.units": [1, 2, 4],
}


@pytest.fixture(scope="session")
def line(tmp_path_factory):
    """A CSV file with points near a line."""
    pytest.importorskip("plx_pipelines", reason="plx_pipelines reads the table")
    pytest.importorskip("pyarrow", reason="plx_pipelines reads tables with pyarrow")
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 32)
    y = 2 * x + rng.normal(scale=0.1, size=x.shape)
    path = tmp_path_factory.mktemp("line") / "line.csv"
    path.write_text("x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(x, y, strict=True)))
    return path


@pytest.fixture
def experiment(line):
    """A function that returns an experiment with a sweep, as plain data."""
    table = {"data_files": str(line), "features": {"x": ["x"]}, "labels": "y", "batch_size": 32}
    data = {
        "version": 1,
        "project": {"name": "line"},
        "model": {
            "regressor": {
                "graph": {"layers": [{"Dense": {"units": 2}}, {"Dense": {"units": 1}}]},
                "loss": "MeanSquaredError",
                "optimizer": {"SGD": {"learning_rate": 0.1}},
            }
        },
        "train": {"train_steps": 4, "data_pipeline": {"TablePipeline": table}},
        "eval": {"eval_every_n_steps": 2, "data_pipeline": {"TablePipeline": table}},
    }
    data["train"]["data_pipeline"] = {"TablePipeline": table | {"num_epochs": 100}}
    data["eval"]["data_pipeline"] = {"TablePipeline": table | {"num_epochs": 1}}

    def make(**tune):
        defaults = {"metric": "eval/loss", "goal": "minimize", "trials": 3, "space": SPACE}
        return copy.deepcopy(data | {"tune": defaults | tune})

    return make


@pytest.fixture
def file(experiment, tmp_path):
    """A function that writes an experiment with a sweep to a file."""

    def write(**tune):
        path = tmp_path / "line.yml"
        path.write_text(yaml.safe_dump(experiment(**tune), sort_keys=False))
        return path

    return write
