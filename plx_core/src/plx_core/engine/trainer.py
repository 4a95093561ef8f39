"""What estimators and agents share: a model function, a run directory, and its checkpoints."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from attrs import evolve

from plx_core.callbacks.callback import Callback
from plx_core.callbacks.keras_adapter import as_callback
from plx_core.callbacks.plugin_events import RunEvents
from plx_core.components.component import default_registry, make, parameter_names
from plx_core.config.sections import EnvironmentConfig, RunConfig, WarmStartConfig
from plx_core.errors import CheckpointError, ComponentError
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.graph import symbolic_inputs
from plx_core.plugins.discovery import Plugins
from plx_core.runs import checkpoints as checkpoint_files
from plx_core.runs.checkpoints import Checkpoints
from plx_core.runs.interfaces import Tracker
from plx_core.runs.run_directory import RunDirectory
from plx_core.runs.trackers import TensorBoardTracker

MODEL_FN_PARAMETERS = ("features", "labels", "mode", "params", "config")


class Trainer(ABC):
    """Holds a model function and a run directory that remembers everything.

    Args:
        model_fn: a function of (features, labels), and `mode`, `params` and `config` if it wants them. It is called once a mode with
            symbolic features, and returns an `EstimatorSpec`, as a model of plx does when it is called.
        model_dir: the run directory; made when it is not there, gone on with when it is.
        config: when to save, log and summarise (`RunConfig`), or that and how to execute (`EnvironmentConfig`).
        params: handed to `model_fn`.
        trackers: where metrics go besides `metrics.jsonl`; TensorBoard events when left out.
        warm_start_from: another run whose weights are the initial ones: its directory, one of its checkpoints, or these with a choice
            of variables and a map of names.
    """

    def __init__(
        self,
        model_fn: Callable[..., EstimatorSpec],
        model_dir: str | Path,
        config: RunConfig | EnvironmentConfig | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        trackers: Sequence[Any] | None = None,
        warm_start_from: WarmStartConfig | str | Path | None = None,
    ) -> None:
        names = parameter_names(model_fn)
        if "features" not in names:
            raise ComponentError(
                f"a model_fn takes features, labels and, if it wants them, mode, params, config; this one takes {', '.join(sorted(names))}"
            )
        self.model_fn = model_fn
        self.run_directory = RunDirectory(Path(model_dir))
        self.config = _environment(config)
        self.params = params
        self.plugins: Plugins | None = None
        self._events: RunEvents | None = None
        self._trackers = trackers
        self.warm_start = (
            WarmStartConfig(path=str(warm_start_from))
            if isinstance(warm_start_from, (str, Path))
            else warm_start_from
        )
        run = self.config.run_config
        self.checkpoints = Checkpoints(
            self.run_directory.checkpoints,
            run.keep_checkpoint_max,
            run.keep_checkpoint_every_n_hours,
        )

    @property
    def model_dir(self) -> Path:
        """The run directory."""
        return self.run_directory.path

    @property
    def global_step(self) -> int:
        """How many updates the newest checkpoint has seen; 0 when there is none."""
        latest = self.checkpoints.latest()
        return checkpoint_files.step_of(latest) if latest else 0

    @property
    @abstractmethod
    def training_model(self) -> keras.Model:
        """The network that is being trained.

        Raises:
            ComponentError: training has not begun in this process.
        """

    @property
    @abstractmethod
    def learning_rate(self) -> float:
        """The learning rate of the next step."""

    @abstractmethod
    def save_checkpoint(self) -> None:
        """Save a checkpoint amid training: at once, or as soon as it can be gone on from exactly."""

    def latest_checkpoint(self) -> Path | None:
        """The newest whole checkpoint."""
        return self.checkpoints.latest()

    def get_variable_names(self) -> list[str]:
        """The names of the weights in the newest checkpoint."""
        return list(self._saved_variables())

    def get_variable_value(self, name: str) -> np.ndarray:
        """The value of a weight in the newest checkpoint."""
        saved = self._saved_variables()
        if name not in saved:
            raise ComponentError(
                f"there is no variable called {name}; there are {', '.join(saved)}"
            )
        return saved[name]

    @property
    def events(self) -> RunEvents:
        """Tells plug-ins of this run: the installed ones, and those that its config names."""
        if self._events is None:
            self._events = RunEvents(
                default_registry().plugins if self.plugins is None else self.plugins
            )
        return self._events

    @contextmanager
    def announced(self, callbacks: list[Callback]) -> Iterator[None]:
        """Tell plug-ins of the training in the body, which calls these callbacks."""
        if self.events.has_listeners:
            callbacks.append(self.events)
        try:
            yield
        except BaseException as error:
            self.events.tell("run_failed", run=self, error=error)
            raise

    def make_trackers(self) -> list[Tracker]:
        """Where metrics go besides `metrics.jsonl`."""
        trackers = (
            [TensorBoardTracker(str(self.model_dir))] if self._trackers is None else self._trackers
        )
        return [make("trackers", tracker, directory=str(self.model_dir)) for tracker in trackers]

    def call_model_fn(
        self, mode: str, features: Mapping[str, tf.TensorSpec], labels: Any
    ) -> EstimatorSpec:
        """Call the model function on symbolic features, with initial weights that depend on the seed alone."""
        keras.utils.set_random_seed(self.config.seed)
        if self.config.deterministic and tf.config.list_physical_devices("GPU"):
            # TensorFlow's kernels for CPUs give the same bits each time as they are; this would only swap in slower ones.
            tf.config.experimental.enable_op_determinism()
        keras.config.set_dtype_policy(self.config.mixed_precision)
        supplied = {
            "features": symbolic_inputs(features),
            "labels": labels,
            "mode": mode,
            "params": self.params,
            "config": self.config.run_config,
        }
        names = parameter_names(self.model_fn)
        spec = self.model_fn(
            **{name: supplied[name] for name in MODEL_FN_PARAMETERS if name in names}
        )
        if not isinstance(spec, EstimatorSpec):
            raise ComponentError(
                f"a model_fn returns an EstimatorSpec, as a model does when it is called; this one returned {type(spec).__name__}"
            )
        return spec

    def _evaluated(
        self, step: int, split: str, metrics: dict[str, float], hooks: Sequence[Any] | None
    ) -> dict[str, float]:
        """Keep what an evaluation gave, and tell of it; the metrics with their step."""
        self.run_directory.append_metrics(step, split, metrics, time=time.time())
        for tracker in self.make_trackers():
            tracker.log(step, split, metrics)
            tracker.close()
        for hook in hooks or ():
            as_callback(make("callbacks", hook)).on_evaluate(self, step, metrics)
        self.events.tell("evaluated", run=self, step=step, split=split, metrics=metrics)
        return metrics | {"global_step": step}

    def _checkpoint(self, path: str | Path | None) -> Path:
        found = Path(path) if path is not None else self.checkpoints.latest()
        if found is None:
            raise CheckpointError(
                f"there is no checkpoint in {self.checkpoints.directory}; train first"
            )
        return found

    def _saved_variables(self) -> dict[str, np.ndarray]:
        state = checkpoint_files.load(self._checkpoint(None))
        return dict(state["program"]["variables"])


def _environment(config: RunConfig | EnvironmentConfig | None) -> EnvironmentConfig:
    environment = (
        EnvironmentConfig(run_config=config)
        if isinstance(config, RunConfig)
        else config or EnvironmentConfig()
    )
    seed = environment.run_config.seed
    return (
        evolve(environment, seed=seed)
        if seed is not None and environment.seed == 0
        else environment
    )
