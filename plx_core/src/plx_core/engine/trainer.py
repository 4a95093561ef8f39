"""What estimators and agents share: a model function, a run directory and its checkpoints."""

from __future__ import annotations

import functools
import logging
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from attrs import evolve

from plx_core.annotations import CallbackLike
from plx_core.callbacks.callback import Callback
from plx_core.callbacks.dispatch import tell
from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.callbacks.observers import Observers
from plx_core.components.component import default_registry, make, parameter_names
from plx_core.config.sections import EnvironmentConfig, RunConfig, WarmStartConfig
from plx_core.engine.explained_write import explained_write
from plx_core.engine.loop import TrainingLoop
from plx_core.engine.variables import weights_to_use
from plx_core.errors import ArgumentError, CheckpointError, ComponentError
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.graph import symbolic_inputs
from plx_core.networks.subclasses import build_if_unbuilt, check_network
from plx_core.plugins.discovery import Plugins
from plx_core.runs import checkpoints as checkpoint_files
from plx_core.runs.atomic import write_aside
from plx_core.runs.checkpoints import Checkpoints
from plx_core.runs.interfaces import Tracker
from plx_core.runs.run_directory import RunDirectory, as_json
from plx_core.runs.trackers import TensorBoardTracker
from plx_core.types import Labels, Nested, Network, Source, Space

logger = logging.getLogger(__name__)


class Trainer(ABC):
    """Holds a model function, and a run directory with everything that a run needs to resume.

    Args:
        model_fn: a function of (features, labels), or of (observations, action_space) for an agent;
            it may also take `mode`, `params`, `config` and `model_dir`. It is called once for each
            mode with symbolic features and returns an `EstimatorSpec`, as every model of plx does.
            Features are a mapping by name, or one tensor where the data does not name them.
        model_dir: the run directory; created if it does not exist, resumed if it does. When None,
            a new temporary folder, which the log names.
        config: a `RunConfig` (when to save, log and summarise) or an `EnvironmentConfig`, which
            includes one and says how to execute.
        params: passed to `model_fn`.
        trackers: where metrics go besides `metrics.jsonl`; TensorBoard when None.
        warm_start_from: the run whose weights are the initial ones: its directory, one of its
            checkpoints, or a `WarmStartConfig` with a choice of variables and a map of names.

    Raises:
        ArgumentError: `model_fn` does not take what it is called with, or the `params`.
    """

    _INPUTS: ClassVar[tuple[str, str]] = ("features", "labels")
    """The names of the two inputs of `model_fn`."""

    def __init__(
        self,
        model_fn: Callable[..., EstimatorSpec],
        model_dir: str | Path | None = None,
        config: RunConfig | EnvironmentConfig | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        trackers: Sequence[Any] | None = None,
        warm_start_from: WarmStartConfig | str | Path | None = None,
    ) -> None:
        if isinstance(warm_start_from, (str, Path)):
            warm_start_from = WarmStartConfig(path=str(warm_start_from))
        self._check_model_fn(model_fn, params)
        self.model_fn = model_fn
        if model_dir is None:
            model_dir = tempfile.mkdtemp(prefix="plx_")
            logger.warning(
                "there is no model_dir; the run is in the temporary folder %s", model_dir
            )
        self.run_directory = RunDirectory(Path(model_dir))
        self.config = _environment(config)
        self.params = params
        self.warm_start = warm_start_from
        self.plugins: Plugins | None = None
        self._trackers = trackers
        self._loop: TrainingLoop | None = None
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
        """The number of steps at the newest checkpoint; 0 without one."""
        latest = self.checkpoints.latest()
        return checkpoint_files.step_of(latest) if latest else 0

    @property
    def training_model(self) -> Network:
        """The network that is being trained.

        Raises:
            ComponentError: training has not begun in this process.
        """
        return self._running.spec.network

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next update.

        Setting it raises a `ComponentError` where a schedule or an algorithm determines it.
        """
        return self._running.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._running.learning_rate = value

    def save_checkpoint(self) -> None:
        """Save a checkpoint: during training as soon as the current block of steps has ended."""
        self._running.request_save()

    @abstractmethod
    def export(
        self,
        export_dir: str | Path,
        source: Source,
        checkpoint_path: str | Path | None = None,
        format: str = "saved_model",
    ) -> Path:
        """Export the model of a checkpoint, the newest when None, to a folder that does not exist.

        Args:
            export_dir: the folder.
            source: the `input_fn` or environment with the features that the model takes.
            checkpoint_path: the checkpoint.
            format: `saved_model`, `keras`, `onnx` or `litert`.
        """

    def latest_checkpoint(self) -> Path | None:
        """Return the newest complete checkpoint."""
        return self.checkpoints.latest()

    def get_variable_names(self) -> list[str]:
        """Return the names of the weights in the newest checkpoint."""
        return list(self._saved_variables())

    def get_variable_value(self, name: str) -> np.ndarray:
        """Return the value of a weight in the newest checkpoint, as an evaluation uses it.

        Raises:
            ComponentError: there is no such weight.
        """
        saved = self._saved_variables()
        if name not in saved:
            raise ComponentError(
                f"there is no variable called {name}; there are {', '.join(saved)}"
            )
        return saved[name]

    @functools.cached_property
    def observers(self) -> Observers:
        """The observers of the installed plug-ins, and of those that the config names."""
        return Observers(default_registry().plugins if self.plugins is None else self.plugins)

    @contextmanager
    def observed(self, callbacks: list[Callback]) -> Iterator[None]:
        """Add the observers to the callbacks, and tell them where the body fails."""
        if self.observers:
            callbacks.append(self.observers)
        try:
            yield
        except BaseException as error:
            self.observers.on_failure(self, error)
            raise

    def make_trackers(self) -> list[Tracker]:
        """Return the trackers: where metrics go besides `metrics.jsonl`."""
        trackers = (
            [TensorBoardTracker(str(self.model_dir))] if self._trackers is None else self._trackers
        )
        return [make("trackers", tracker, directory=str(self.model_dir)) for tracker in trackers]

    def call_model_fn(
        self,
        mode: str,
        inputs: Mapping[str, tf.TensorSpec] | tf.TensorSpec,
        target: Labels | Space,
    ) -> EstimatorSpec:
        """Call the model function; the initial weights depend on the seed alone.

        Args:
            mode: one of `Modes`.
            inputs: the features, or the observations of an agent, by name; or one feature.
            target: the specification of the labels, or the action space of an agent.
        """
        keras.utils.set_random_seed(self.config.seed)
        if self.config.deterministic and tf.config.list_physical_devices("GPU"):
            # The CPU kernels are deterministic anyway; this would only replace them by slower ones.
            tf.config.experimental.enable_op_determinism()
        keras.config.set_dtype_policy(self.config.mixed_precision)
        symbolic = symbolic_inputs(inputs)
        supplied = self._model_fn_inputs(symbolic, target) | {
            "mode": mode,
            "params": self.params,
            "config": self.config.run_config,
            "model_dir": str(self.model_dir),
        }
        names = parameter_names(self.model_fn)
        spec = self.model_fn(**{name: supplied[name] for name in supplied if name in names})
        if not isinstance(spec, EstimatorSpec):
            raise ComponentError(
                "a model_fn returns an EstimatorSpec, as calling a model does; "
                f"this one returned {type(spec).__name__}"
            )
        check_network(spec.network)
        build_if_unbuilt(spec.network, symbolic)
        return spec

    def _model_fn_inputs(self, inputs: Nested, target: Labels | Space) -> dict[str, Any]:
        """Return the two inputs of the model function by name."""
        return dict(zip(self._INPUTS, (inputs, target), strict=True))

    def _check_model_fn(
        self, model_fn: Callable[..., EstimatorSpec], params: Mapping[str, Any] | None
    ) -> None:
        names = parameter_names(model_fn)
        if not names & self._model_fn_inputs({}, None).keys():
            raise ArgumentError(
                f"a model_fn takes {', '.join(self._INPUTS)} and, optionally, mode, params, config "
                f"and model_dir; this one takes {', '.join(sorted(names))}"
            )
        if params is not None and "params" not in names:
            raise ArgumentError(
                "there are params for the model_fn, which has no argument params; it takes "
                f"{', '.join(sorted(names))}"
            )

    @contextmanager
    def _new_export(self, export_dir: str | Path) -> Iterator[Path]:
        """Yield a path to export to, which becomes `export_dir` when the body succeeds.

        Raises:
            ComponentError: the folder exists.
            RunFileError: it cannot be written.
        """
        path = Path(export_dir)
        if path.exists():
            raise ComponentError(f"{export_dir} exists; an export does not overwrite")
        with explained_write(f"the export {export_dir}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with write_aside(path) as aside:
                yield aside

    @property
    def _running(self) -> TrainingLoop:
        if self._loop is None:
            raise ComponentError("training has not begun in this process")
        return self._loop

    def _record_evaluation(
        self,
        step: int,
        split: str,
        metrics: dict[str, float],
        callbacks: Iterable[CallbackLike] | None,
    ) -> dict[str, float]:
        """Log the metrics of an evaluation and tell the callbacks; return them with their step.

        The same results of the same checkpoint are logged once.
        """
        values = {name: as_json(value) for name, value in metrics.items()}
        if not any(
            (line["step"], line["split"], line["metrics"]) == (step, split, values)
            for line in self.run_directory.read_metrics()
        ):
            self.run_directory.append_metrics(step, split, metrics, time=time.time())
            for tracker in self.make_trackers():
                with explained_write(f"the tracker {type(tracker).__name__}"):
                    tracker.log(step, split, metrics)
                    tracker.close()
        active = (*as_callbacks(callbacks), self.observers)
        tell(active, "on_evaluate", step, self, step, metrics, split)
        return metrics | {"global_step": step}

    def _checkpoint(self, path: str | Path | None) -> Path:
        checkpoint = Path(path) if path is not None else self.checkpoints.latest()
        if checkpoint is None:
            raise CheckpointError(
                f"there is no checkpoint in {self.checkpoints.directory}; train first"
            )
        return checkpoint

    def _saved_variables(self) -> dict[str, np.ndarray]:
        return weights_to_use(checkpoint_files.load(self._checkpoint(None)))


def _environment(config: RunConfig | EnvironmentConfig | None) -> EnvironmentConfig:
    if isinstance(config, RunConfig):
        config = EnvironmentConfig(run_config=config)
    environment = config or EnvironmentConfig()
    seed = environment.run_config.seed
    if seed is not None and environment.seed == 0:
        return evolve(environment, seed=seed)
    return environment
