"""The sections of an experiment file, version 1: frozen classes with a field for each key."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from attrs import evolve, field, frozen

from plx_core.annotations import (
    CallbackLike,
    EnvironmentLike,
    ExistingPath,
    ExporterLike,
    FileName,
    MemoryLike,
    ModelLike,
    NewPath,
    NonNegativeFloat,
    NonNegativeInt,
    PipelineLike,
    PositiveFloat,
    PositiveInt,
    RegularExpression,
    Seed,
    TrackerLike,
)

if TYPE_CHECKING:
    from plx_core.components.component import Component

_T = TypeVar("_T")


def _key(default: _T, help: str, alias: str = "") -> _T:
    return field(default=default, metadata={"help": help, "alias": alias})


def _section(factory: Callable[[], _T], help: str, alias: str = "") -> _T:
    return field(factory=factory, metadata={"help": help, "alias": alias})


@frozen(kw_only=True)
class ProjectConfig:
    """The name and description of the experiment."""

    name: FileName = _key("experiment", "the run's name; the default run directory is runs/NAME")
    description: str = _key("", "a description for readers")
    tags: list[str] = _section(list, "words to find the run by")


@frozen(kw_only=True)
class LoggingConfig:
    """The messages that are logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "WARN", "ERROR"] = _key(
        "INFO", "hide messages below this level"
    )


@frozen(kw_only=True)
class SettingsConfig:
    """The run directory, logging and tracking."""

    logging: LoggingConfig = _section(LoggingConfig, "the messages that are logged")
    output_dir: NewPath | None = _key(None, "the run directory; --output-dir takes precedence")
    run_type: Literal["local"] = _key("local", "where to run; only local is supported")
    trackers: list[TrackerLike] | None = _key(
        None, "destinations of metrics besides metrics.jsonl; default: TensorBoard events"
    )


@frozen(kw_only=True)
class RunConfig:
    """When a run saves, logs and summarises.

    Steps are multiples of `global_step`; a period of None means never.
    """

    seed: Seed | None = _key(None, "the random seed; used if environment.seed is 0, its default")
    save_summary_steps: PositiveInt | None = _key(100, "steps between TensorBoard summaries")
    save_checkpoints_steps: PositiveInt | None = _key(None, "steps between checkpoints")
    save_checkpoints_secs: PositiveFloat | None = _key(
        None, "seconds between checkpoints; default: 600 if neither period is set"
    )
    keep_checkpoint_max: PositiveInt | None = _key(
        5, "how many of the newest checkpoints to keep; null keeps all"
    )
    keep_checkpoint_every_n_hours: PositiveFloat = _key(
        10_000.0, "besides those, keep one checkpoint per this many hours"
    )
    log_step_count_steps: PositiveInt | None = _key(100, "steps between lines of metrics.jsonl")

    def replace(self, **changes: Any) -> RunConfig:
        """Return a copy with other values of some keys."""
        return evolve(self, **changes)


@frozen(kw_only=True)
class EnvironmentConfig:
    """How the run is executed."""

    seed: Seed = _key(0, "the random seed")
    run_config: RunConfig = _section(RunConfig, "when the run saves, logs and summarises")
    deterministic: bool = _key(
        True,
        "give the same weights, bit for bit, for the same seed; slower on GPUs",
    )
    strict: bool = _key(
        False, "refuse to resume a run whose data has changed, rather than warn of it"
    )
    xla: bool | Literal["auto"] = _key(
        False,
        "compile training with XLA; auto measures both ways and keeps the result in the run "
        "directory",
    )
    mixed_precision: Literal["float32", "mixed_float16", "mixed_bfloat16", "float64"] = _key(
        "float32", "the dtype policy of the layers"
    )
    steps_per_call: PositiveInt | None = _key(
        None, "the largest number of steps per TensorFlow call; default: set by the periods"
    )


@frozen(kw_only=True)
class WarmStartConfig:
    """Initial weights from another run."""

    path: ExistingPath = field(metadata={"help": "a run directory, or one of its checkpoints"})
    variables: RegularExpression = _key(
        ".*",
        "which variables to load: a regular expression (of RE2) that matches their full names",
    )
    names: dict[str, str] = _section(
        dict, "for variables with other names in that run: names in this run to names in that run"
    )
    averages: bool = _key(
        True, "whether to load the averages that an optimizer with use_ema keeps of its weights"
    )


@frozen(kw_only=True)
class TrainConfig:
    """The training data or environment, and the length of training."""

    data_pipeline: PipelineLike | None = _key(None, "the input, for supervised learning")
    env: EnvironmentLike | None = _key(None, "the environment, for reinforcement learning")
    train_steps: PositiveInt | None = _key(
        None, "stop at this step, one for each batch; default: when the data ends", alias="steps"
    )
    train_episodes: PositiveInt | None = _key(
        None, "stop after this many episodes", alias="episodes"
    )
    train_timesteps: PositiveInt | None = _key(
        None, "stop after this many actions", alias="timesteps"
    )
    first_update: NonNegativeInt = _key(5000, "actions before the first update")
    update_frequency: PositiveInt = _key(15, "actions between updates")
    updates_per_block: PositiveInt | None = _key(
        None, "updates at each multiple of update_frequency"
    )
    pretrain_steps: NonNegativeInt = _key(
        0, "updates before the first action, from the initial content of the memory"
    )
    train_steps_per_iteration: PositiveInt | None = _key(
        100, "steps between evaluations, in continuous_train_and_evaluate"
    )
    warm_start: WarmStartConfig | None = _key(None, "initial weights from another run")
    callbacks: list[CallbackLike] = _section(list, "called at the events of the run", alias="hooks")


@frozen(kw_only=True)
class EvalConfig:
    """The data or environment of evaluations, their length and their times."""

    data_pipeline: PipelineLike | None = _key(None, "the input, for supervised learning")
    env: EnvironmentLike | None = _key(None, "the environment, for reinforcement learning")
    eval_steps: PositiveInt | None = _key(
        None, "batches per evaluation; default: all", alias="steps"
    )
    eval_episodes: PositiveInt = _key(10, "episodes per evaluation", alias="episodes")
    eval_delay_secs: NonNegativeFloat = _key(0.0, "seconds to wait before the first evaluation")
    continuous_eval_throttle_secs: NonNegativeFloat = _key(
        60.0, "seconds between evaluations, in continuous_eval"
    )
    eval_every_n_steps: NonNegativeInt | None = _key(
        1,
        "the least number of steps between evaluations, which are at checkpoints: 1 is each new "
        "one; null or 0 is the last one alone",
    )
    export_strategies: list[ExporterLike] = _section(list, "exporters to run after an evaluation")
    callbacks: list[CallbackLike] = _section(list, "called at the events of the run", alias="hooks")


@frozen(kw_only=True)
class KeepBestConfig:
    """The metric of evaluations by which the best checkpoint is kept, as the result of the run."""

    metric: str = field(metadata={"help": "the name of the metric"})
    higher_is_better: bool | None = _key(
        None, "whether higher values are better; default: known for the metrics of Keras and plx"
    )


@frozen(kw_only=True)
class AgentConfig:
    """The agent, in reinforcement learning."""

    memory: MemoryLike | None = _key(None, "the memory of transitions; default: the model's")


@frozen(kw_only=True)
class ExperimentConfig:
    """An experiment."""

    version: Literal[1] = _key(1, "the version of this format")
    project: ProjectConfig = _section(ProjectConfig, "the name and description of the experiment")
    settings: SettingsConfig = _section(SettingsConfig, "the run directory, logging and tracking")
    environment: EnvironmentConfig = _section(EnvironmentConfig, "how the run is executed")
    model: ModelLike = field(metadata={"help": "the model: its name and parameters"})
    agent: AgentConfig | None = _key(None, "the agent, in reinforcement learning")
    train: TrainConfig = _section(
        TrainConfig, "the training data or environment, and the length of training"
    )
    eval: EvalConfig = _section(
        EvalConfig, "the data or environment of evaluations, their length and their times"
    )
    keep_best: KeepBestConfig | None = _key(
        None, "keep the best checkpoint, and evaluate, predict and export with it"
    )
    plugins: list[str] = _section(
        list, "plug-in modules that the file needs; loaded if the user allows it"
    )


def __getattr__(name: str) -> Callable[..., Component]:
    """Return the function that makes config objects of this name, as polyaxon-lib had them.

    `OptimizerConfig(module="sgd", learning_rate=0.01)` names the kind, and
    `SGDConfig(learning_rate=0.01)` names the component. Both make a `plx_core.Component`.
    """
    if not name.endswith("Config"):
        raise AttributeError(f"module {__name__} has no attribute {name}")
    from plx_core.components.config_objects import config_maker

    return config_maker(name)
