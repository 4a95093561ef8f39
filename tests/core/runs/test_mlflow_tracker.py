"""The MLflow tracker, against MLflow's own store in a folder."""

import json

import pytest

from plx_core import testing
from plx_core.errors import ComponentError

mlflow = pytest.importorskip(
    "mlflow", reason="MLflow is not installed; pip install plx-core[mlflow]"
)
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "store").as_uri())
    return (tmp_path / "store").as_uri()


def test_a_run_and_its_resumption_are_one_run_of_mlflow(tmp_path, store):
    from plx_core.runs.mlflow_tracker import MLflowTracker

    folder = tmp_path / "lenet"
    folder.mkdir()
    (folder / "resolved.yml").write_text(
        "model: {classifier: {loss: Huber}}\ntrain: {train_steps: 5, hooks: [a, b]}\neval: {eval_steps: null}\n"
    )
    (folder / "manifest.json").write_text(json.dumps({"git_commit": "abc123"}))
    for step in (1, 2):
        tracker = MLflowTracker(str(folder), store, experiment="digits")
        tracker.log(step, "train", {"loss": 1.0 / step, "accuracy": 0.5})
        tracker.log(step, "eval", {"loss": float("nan")})
        tracker.close()
    client = mlflow.tracking.MlflowClient(store)
    (run,) = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
    assert run.info.run_name == "lenet"
    assert run.info.status == "FINISHED"
    assert run.data.params == {
        "model.classifier.loss": "Huber", "train.train_steps": "5", "train.hooks.0": "a", "train.hooks.1": "b",
    }  # fmt: skip
    assert run.data.tags["mlflow.source.git.commit"] == "abc123"
    history = [
        (point.step, point.value)
        for point in client.get_metric_history(run.info.run_id, "train/loss")
    ]
    assert sorted(history) == [(1, 1.0), (2, 0.5)]
    assert len(client.get_metric_history(run.info.run_id, "eval/loss")) == 2


def test_it_does_what_a_run_relies_on(store):
    testing.check_tracker("MLflow", {"tracking_uri": store})


def test_it_is_named_what_is_missing(tmp_path, monkeypatch):
    import sys

    from plx_core.components.component import make

    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    with pytest.raises(ComponentError, match=r"pip install plx-core\[mlflow\] brings it"):
        make("trackers", "MLflow", directory=str(tmp_path))
