"""The sections of an experiment file, version 1: frozen classes without logic, whose fields are the keys."""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen

from plx_core.annotations import (
    CallbackLike,
    EnvironmentLike,
    ExistingPath,
    ExporterLike,
    MemoryLike,
    ModelLike,
    NonNegativeFloat,
    NonNegativeInt,
    PipelineLike,
    PositiveFloat,
    PositiveInt,
    TrackerLike,
)


def _key(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


def _section(cls: type, text: str) -> Any:
    return field(factory=cls, metadata={"help": text})


@frozen(kw_only=True)
class ProjectConfig:
    """Whose run it is."""

    name: str = _key(
        "experiment", "the run's name; the run directory is runs/NAME unless another is given"
    )
    description: str = _key("", "a sentence for people")
    tags: list[str] = field(factory=list, metadata={"help": "words to find the run by"})


@frozen(kw_only=True)
class LoggingConfig:
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "WARN", "ERROR"] = _key(
        "INFO", "messages below this level are not shown"
    )


@frozen(kw_only=True)
class SettingsConfig:
    """How the run is reported and where it lives."""

    logging: LoggingConfig = _section(LoggingConfig, "what is logged")
    output_dir: str | None = _key(None, "the run directory; --output-dir goes before it")
    run_type: Literal["local"] = _key("local", "where the run takes place")
    trackers: list[TrackerLike] | None = _key(
        None, "where metrics go besides metrics.jsonl; TensorBoard events when left out"
    )


@frozen(kw_only=True)
class RunConfig:
    """When a run saves, logs and summarises.

    Steps are multiples of `global_step`; a period of None is never reached.
    """

    seed: NonNegativeInt | None = _key(
        None, "the seed of everything random; environment.seed goes before it"
    )
    save_summary_steps: PositiveInt | None = _key(100, "steps between TensorBoard summaries")
    save_checkpoints_steps: PositiveInt | None = _key(None, "steps between checkpoints")
    save_checkpoints_secs: PositiveFloat | None = _key(
        None, "seconds between checkpoints; 600 when neither period is given"
    )
    keep_checkpoint_max: PositiveInt | None = _key(
        5, "how many of the newest checkpoints are kept; all when null"
    )
    keep_checkpoint_every_n_hours: PositiveFloat = _key(
        10_000.0, "besides those, one for each such number of hours is kept"
    )
    log_step_count_steps: PositiveInt | None = _key(100, "steps between lines of metrics.jsonl")


@frozen(kw_only=True)
class EnvironmentConfig:
    """How the run is executed."""

    seed: NonNegativeInt = _key(0, "the seed of everything random")
    run_config: RunConfig = _section(RunConfig, "when the run saves, logs and summarises")
    deterministic: bool = _key(
        True, "the same seed gives the same weights, bit for bit, at some cost in speed on GPUs"
    )
    xla: bool | Literal["auto"] = _key(
        False,
        "compile training with XLA; auto tries both first, and keeps the answer in the run directory",
    )
    mixed_precision: Literal["float32", "mixed_float16", "mixed_bfloat16", "float64"] = _key(
        "float32", "the dtype policy of the layers"
    )
    steps_per_call: PositiveInt | None = _key(
        None,
        "at most this many steps in one call of TensorFlow; chosen by the periods when left out",
    )


@frozen(kw_only=True)
class WarmStartConfig:
    """Initial weights from another run."""

    path: ExistingPath = field(metadata={"help": "a run directory, or one of its checkpoints"})
    variables: str = _key(".*", "which variables, as a regular expression of their whole names")
    names: dict[str, str] = field(
        factory=dict,
        metadata={
            "help": "for variables that are called otherwise there: this run's names to that run's"
        },
    )


@frozen(kw_only=True)
class TrainConfig:
    """What is trained on, and for how long."""

    data_pipeline: PipelineLike | None = _key(None, "the input, for supervised learning")
    env: EnvironmentLike | None = _key(None, "the environment, for reinforcement learning")
    train_steps: PositiveInt | None = field(
        default=None,
        metadata={
            "help": "stop at this global step; until the data ends when left out",
            "alias": "steps",
        },
    )
    train_episodes: PositiveInt | None = field(
        default=None, metadata={"help": "stop after this many episodes", "alias": "episodes"}
    )
    train_timesteps: PositiveInt | None = field(
        default=None, metadata={"help": "stop after this many actions", "alias": "timesteps"}
    )
    first_update: NonNegativeInt = _key(5000, "actions taken before the first update")
    update_frequency: PositiveInt = _key(15, "actions between updates")
    updates_per_block: PositiveInt | None = _key(
        None, "updates at each multiple of update_frequency"
    )
    pretrain_steps: NonNegativeInt = _key(
        0, "updates before the first action, from what the memory holds"
    )
    train_steps_per_iteration: PositiveInt | None = _key(
        None, "steps between evaluations, in train_and_evaluate"
    )
    warm_start: WarmStartConfig | None = _key(None, "initial weights from another run")
    callbacks: list[CallbackLike] = field(
        factory=list, metadata={"help": "called at the events of the run", "alias": "hooks"}
    )


@frozen(kw_only=True)
class EvalConfig:
    """What is evaluated on, how much and when."""

    data_pipeline: PipelineLike | None = _key(None, "the input, for supervised learning")
    env: EnvironmentLike | None = _key(None, "the environment, for reinforcement learning")
    eval_steps: PositiveInt | None = field(
        default=None,
        metadata={"help": "batches of an evaluation; all when left out", "alias": "steps"},
    )
    eval_episodes: PositiveInt = field(
        default=10, metadata={"help": "episodes of an evaluation", "alias": "episodes"}
    )
    eval_delay_secs: NonNegativeFloat = _key(0.0, "seconds to wait before the first evaluation")
    continuous_eval_throttle_secs: NonNegativeFloat = _key(
        60.0, "seconds between evaluations, in continuous_eval"
    )
    eval_every_n_steps: PositiveInt | None = _key(
        None, "evaluate at each multiple of this many steps"
    )
    export_strategies: list[ExporterLike] = field(
        factory=list, metadata={"help": "what is exported after an evaluation"}
    )
    callbacks: list[CallbackLike] = field(
        factory=list, metadata={"help": "called at the events of the run", "alias": "hooks"}
    )


@frozen(kw_only=True)
class AgentConfig:
    """What acts and remembers, in reinforcement learning."""

    memory: MemoryLike | None = _key(None, "where transitions are kept")


@frozen(kw_only=True)
class ExperimentConfig:
    """An experiment."""

    version: Literal[1] = _key(1, "the version of this format")
    project: ProjectConfig = _section(ProjectConfig, "whose run it is")
    settings: SettingsConfig = _section(
        SettingsConfig, "how the run is reported and where it lives"
    )
    environment: EnvironmentConfig = _section(EnvironmentConfig, "how the run is executed")
    model: ModelLike = field(metadata={"help": "the model: its name and parameters"})
    agent: AgentConfig | None = _key(None, "what acts and remembers, in reinforcement learning")
    train: TrainConfig = _section(TrainConfig, "what is trained on, and for how long")
    eval: EvalConfig = _section(EvalConfig, "what is evaluated on, how much and when")
    plugins: list[str] = field(
        factory=list,
        metadata={
            "help": "plug-in modules that the file needs; loaded when the person running allows it"
        },
    )


def __getattr__(name: str) -> Any:
    """Config objects of components, as polyaxon-lib had them.

    `OptimizerConfig(module="sgd", learning_rate=0.01)` names the kind, `SGDConfig(learning_rate=0.01)` the component; both
    make a `plx_core.Component`.
    """
    from plx_core.components.config_objects import config_maker

    return config_maker(name)
