"""Metrics to MLflow; needs `pip install plx-core[mlflow]`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plx_core.errors import ComponentError
from plx_core.runs.interfaces import Tracker
from plx_core.runs.run_directory import MANIFEST, RunDirectory, read_mapping, write_text
from plx_core.types import Nested

RUN = "mlflow.json"
"""The file in a run directory with the ID of its MLflow run, so that a resumed run continues it."""
MAX_PARAMETERS = 100
"""The number of parameters that MLflow takes in one call."""
MAX_CHARACTERS = 500
"""The length of a parameter's value in MLflow."""


class MLflowTracker(Tracker):
    """Logs to a run of MLflow.

    Metrics are logged as `train/loss`, the values of the config as parameters, the commit as a tag.

    Args:
        directory: the run directory; filled in by core.
        tracking_uri: MLflow's server or store, such as `http://host:5000`; MLflow's own setting
            when None.
        experiment: MLflow's experiment; created if it does not exist.
        run_name: MLflow's name of the run; the run directory's when None.

    Raises:
        ComponentError: MLflow is not installed.
    """

    def __init__(
        self,
        directory: str,
        tracking_uri: str | None = None,
        experiment: str = "plx",
        run_name: str | None = None,
    ) -> None:
        try:
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise ComponentError(
                "MLflow is not installed; pip install plx-core[mlflow] brings it"
            ) from error
        self._directory = Path(directory)
        self._client: Any = MlflowClient(tracking_uri=tracking_uri)
        self._experiment = experiment
        self._name = run_name or self._directory.name
        self._run: str | None = None

    def log(self, step: int, split: str, metrics: Mapping[str, float]) -> None:
        """Log the metrics of a step, each under its split."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        values = [
            Metric(f"{split}/{name}", float(value), now, step) for name, value in metrics.items()
        ]
        self._client.log_batch(self._run_id(), metrics=values)

    def close(self) -> None:
        """Mark the run as terminated; a later log continues it."""
        if self._run is not None:
            self._client.set_terminated(self._run)
            self._run = None

    def _run_id(self) -> str:
        """Return the ID of this directory's run, or of a new one."""
        if self._run is None:
            path = self._directory / RUN
            known = read_mapping(path) or {}
            if "run_id" in known:
                self._run = str(known["run_id"])
                self._client.update_run(self._run, status="RUNNING")
            else:
                self._run = self._create()
                self._directory.mkdir(parents=True, exist_ok=True)
                write_text(
                    path, json.dumps({"run_id": self._run, "experiment": self._experiment}) + "\n"
                )
        return self._run

    def _create(self) -> str:
        from mlflow.entities import Param

        existing = self._client.get_experiment_by_name(self._experiment)
        if existing is None:
            experiment = self._client.create_experiment(self._experiment)
        else:
            experiment = existing.experiment_id
        run = str(self._client.create_run(experiment, run_name=self._name).info.run_id)
        values = [
            Param(key, text[:MAX_CHARACTERS])
            for key, text in _flat(RunDirectory(self._directory).read_resolved())
        ]
        for start in range(0, len(values), MAX_PARAMETERS):
            self._client.log_batch(run, params=values[start : start + MAX_PARAMETERS])
        commit = (read_mapping(self._directory / MANIFEST) or {}).get("git_commit")
        if commit:
            self._client.set_tag(run, "mlflow.source.git.commit", commit)
        return run


def _flat(value: Nested, path: str = "") -> list[tuple[str, str]]:
    """Return nested values as pairs of path and string, without those that are None."""
    if isinstance(value, Mapping):
        return [
            pair
            for name, part in value.items()
            for pair in _flat(part, f"{path}.{name}".lstrip("."))
        ]
    if isinstance(value, list):
        return [
            pair
            for index, part in enumerate(value)
            for pair in _flat(part, f"{path}.{index}".lstrip("."))
        ]
    return [] if value is None else [(path, str(value))]
