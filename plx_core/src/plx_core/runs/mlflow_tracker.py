"""Metrics to MLflow; `pip install plx-core[mlflow]` brings what is needed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from plx_core.errors import ComponentError
from plx_core.runs.interfaces import Tracker
from plx_core.runs.run_directory import MANIFEST, RESOLVED, write_text

RUN = "mlflow.json"
"""The file in a run directory that says which run of MLflow it is, so that the same command again goes on with it."""
MOST_PARAMETERS, MOST_LETTERS = 100, 500
"""What MLflow takes in one call, and in the value of a parameter."""


class MLflowTracker(Tracker):
    """Logs to a run of MLflow: metrics as `train/loss`, the config's values as parameters, and the commit as a tag.

    Args:
        directory: the run directory; filled in by core.
        tracking_uri: MLflow's server or store, such as `http://host:5000`; what MLflow's own settings say when None.
        experiment: the experiment of MLflow that the run belongs to; it is made where it does not exist.
        run_name: the run's name there; the run directory's when None.
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
        self._experiment, self._name = experiment, run_name or self._directory.name
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
        """Say that the run has ended, for now."""
        if self._run is not None:
            self._client.set_terminated(self._run)
            self._run = None

    def _run_id(self) -> str:
        """The run that this directory goes on with, or a new one."""
        if self._run is None:
            kept = self._directory / RUN
            if kept.exists():
                self._run = str(json.loads(kept.read_text(encoding="utf-8"))["run_id"])
                self._client.update_run(self._run, status="RUNNING")
            else:
                self._run = self._begin()
                self._directory.mkdir(parents=True, exist_ok=True)
                write_text(
                    kept, json.dumps({"run_id": self._run, "experiment": self._experiment}) + "\n"
                )
        return self._run

    def _begin(self) -> str:
        from mlflow.entities import Param

        known = self._client.get_experiment_by_name(self._experiment)
        experiment = (
            known.experiment_id
            if known is not None
            else self._client.create_experiment(self._experiment)
        )
        run = str(self._client.create_run(experiment, run_name=self._name).info.run_id)
        values = [
            Param(key, text[:MOST_LETTERS])
            for key, text in _flat(_read(self._directory / RESOLVED))
        ]
        for start in range(0, len(values), MOST_PARAMETERS):
            self._client.log_batch(run, params=values[start : start + MOST_PARAMETERS])
        commit = (_read(self._directory / MANIFEST) or {}).get("git_commit")
        if commit:
            self._client.set_tag(run, "mlflow.source.git.commit", commit)
        return run


def _read(path: Path) -> Any:
    """What a file of YAML or JSON holds; None where there is no such file, as for an estimator made in Python."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None


def _flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Nested values as paths and texts; what was left out is left out here too."""
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
