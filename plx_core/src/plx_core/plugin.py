"""What plx_core itself offers; it registers as any other package does."""

from collections.abc import Mapping
from typing import Any

from plx_core.hookspecs import Factories, hookimpl


@hookimpl
def provide_pipelines() -> Factories:
    """Inputs that need nothing but arrays."""
    return {"ArrayPipeline": "plx_core.data.arrays:ArrayPipeline"}


@hookimpl
def provide_layers() -> Factories:
    """Graphs as layers."""
    return {
        "Shared": "plx_core.networks.graph:Shared",
        "SubGraph": "plx_core.networks.graph:SubGraph",
    }


@hookimpl
def provide_trackers() -> Factories:
    """Where metrics go."""
    return {
        "CSV": "plx_core.runs.trackers:CSVTracker",
        "JSONL": "plx_core.runs.trackers:JSONLTracker",
        "MLflow": "plx_core.runs.mlflow_tracker:MLflowTracker",
        "TensorBoard": "plx_core.runs.trackers:TensorBoardTracker",
    }


@hookimpl
def provide_callbacks() -> Factories:
    """The hooks of polyaxon-lib in today's form, and two favourites."""
    names = (
        "StopAtStep", "StepLogging", "StepCounter", "CheckpointSaver", "SummarySaver", "NanGuard", "GlobalStepWaiter", "FinalOps",
        "StopAfterNEvals", "Profiler", "EarlyStopping", "ReduceLROnPlateau",
    )  # fmt: skip
    of_episodes = (
        "StopAtEpisode",
        "EpisodeLogging",
        "EpisodeCounter",
        "EpisodeSummarySaver",
        "EpisodeCheckpointSaver",
    )
    return {name: f"plx_core.callbacks.standard:{name}" for name in names} | {
        name: f"plx_core.callbacks.episodes:{name}" for name in of_episodes
    }


@hookimpl
def provide_exporters() -> Factories:
    """Which models are exported."""
    return {
        name: f"plx_core.runs.exporters:{name}"
        for name in ("LatestExporter", "BestExporter", "FinalExporter")
    }


@hookimpl
def provide_aliases() -> Mapping[str, Mapping[str, str]]:
    """The names that polyaxon-lib's hooks had."""
    hooks = {
        "StopAtStepHook": "StopAtStep", "StepLoggingTensorHook": "StepLogging", "StepCounterHook": "StepCounter",
        "StepCheckpointSaverHook": "CheckpointSaver", "StepSummarySaverHook": "SummarySaver", "NanTensorHook": "NanGuard",
        "GlobalStepWaiterHook": "GlobalStepWaiter", "FinalOpsHook": "FinalOps", "StopAfterNEvalsHook": "StopAfterNEvals",
        "ProfilerHook": "Profiler", "StopAtEpisodeHook": "StopAtEpisode", "EpisodeLoggingTensorHook": "EpisodeLogging",
        "EpisodeCounterHook": "EpisodeCounter", "EpisodeSummarySaverHook": "EpisodeSummarySaver",
        "EpisodeCheckpointSaverHook": "EpisodeCheckpointSaver",
    }  # fmt: skip
    return {
        "callbacks": hooks,
        "exporters": {"latest": "LatestExporter", "best": "BestExporter", "final": "FinalExporter"},
    }


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """How those are tried that need parameters."""
    of_episodes = ("EpisodeCheckpointSaver", "EpisodeLogging", "EpisodeSummarySaver")
    return {
        "pipelines": {"ArrayPipeline": "plx_core.testing.examples:array_pipeline"},
        "callbacks": {name: {"params": {"every_n_episodes": 1}} for name in of_episodes}
        | {
            "StopAtStep": {"params": {"last_step": 6}},
            "GlobalStepWaiter": {"params": {"wait_until_step": 0}},
        }
        | {
            "StopAtEpisode": {"params": {"last_episode": 2}},
            "FinalOps": "plx_core.testing.examples:final_ops",
        },
    }
