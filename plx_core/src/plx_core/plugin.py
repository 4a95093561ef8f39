"""The components of plx_core, registered as any other package registers its own."""

from collections.abc import Mapping
from typing import Any

from plx_core.hookspecs import Factories, hookimpl

STANDARD_CALLBACKS = (
    "CheckpointSaver", "EarlyStopping", "FinalOps", "GlobalStepWaiter", "NanGuard", "Profiler",
    "ReduceLROnPlateau", "StepCounter", "StepLogging", "StopAfterNEvals", "StopAtStep",
    "SummarySaver",
)  # fmt: skip
EPISODE_CALLBACKS = (
    "EpisodeCheckpointSaver", "EpisodeCounter", "EpisodeLogging", "EpisodeSummarySaver",
    "StopAtEpisode",
)  # fmt: skip


@hookimpl
def provide_pipelines() -> Factories:
    """Provide pipelines for arrays in memory."""
    return {"ArrayPipeline": "plx_core.data.arrays:ArrayPipeline"}


@hookimpl
def provide_layers() -> Factories:
    """Provide the layers that reuse a graph or a layer."""
    return {
        "Shared": "plx_core.networks.graph:Shared",
        "SubGraph": "plx_core.networks.graph:SubGraph",
    }


@hookimpl
def provide_trackers() -> Factories:
    """Provide the destinations of metrics."""
    return {
        "CSV": "plx_core.runs.trackers:CSVTracker",
        "JSONL": "plx_core.runs.trackers:JSONLTracker",
        "MLflow": "plx_core.runs.mlflow_tracker:MLflowTracker",
        "TensorBoard": "plx_core.runs.trackers:TensorBoardTracker",
    }


@hookimpl
def provide_callbacks() -> Factories:
    """Provide the callbacks of polyaxon-lib and `tf.estimator`, and two of Keras's."""
    return {
        **{name: f"plx_core.callbacks.standard:{name}" for name in STANDARD_CALLBACKS},
        **{name: f"plx_core.callbacks.episodes:{name}" for name in EPISODE_CALLBACKS},
    }


@hookimpl
def provide_exporters() -> Factories:
    """Provide the strategies that choose which models are exported."""
    names = ("BestExporter", "FinalExporter", "LatestExporter")
    return {name: f"plx_core.runs.exporters:{name}" for name in names}


@hookimpl
def provide_aliases() -> Mapping[str, Mapping[str, str]]:
    """Provide the names that polyaxon-lib had for callbacks and exporters."""
    return {
        "callbacks": {
            "EpisodeCheckpointSaverHook": "EpisodeCheckpointSaver",
            "EpisodeCounterHook": "EpisodeCounter",
            "EpisodeLoggingTensorHook": "EpisodeLogging",
            "EpisodeSummarySaverHook": "EpisodeSummarySaver",
            "FinalOpsHook": "FinalOps",
            "GlobalStepWaiterHook": "GlobalStepWaiter",
            "NanTensorHook": "NanGuard",
            "ProfilerHook": "Profiler",
            "StepCheckpointSaverHook": "CheckpointSaver",
            "StepCounterHook": "StepCounter",
            "StepLoggingTensorHook": "StepLogging",
            "StepSummarySaverHook": "SummarySaver",
            "StopAfterNEvalsHook": "StopAfterNEvals",
            "StopAtEpisodeHook": "StopAtEpisode",
            "StopAtStepHook": "StopAtStep",
        },
        "exporters": {"best": "BestExporter", "final": "FinalExporter", "latest": "LatestExporter"},
    }


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """Provide parameters for the conformance checks of components that require some."""
    every_episode = {"params": {"every_n_episodes": 1}}
    return {
        "pipelines": {"ArrayPipeline": "plx_core.testing.examples:array_pipeline"},
        "callbacks": {
            "EpisodeCheckpointSaver": every_episode,
            "EpisodeLogging": every_episode,
            "EpisodeSummarySaver": every_episode,
            "FinalOps": "plx_core.testing.examples:final_ops",
            "GlobalStepWaiter": {"params": {"wait_until_step": 0}},
            "StopAtEpisode": {"params": {"last_episode": 2}},
            "StopAtStep": {"params": {"last_step": 6}},
        },
    }
