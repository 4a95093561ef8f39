"""The agent: a model function, a memory, a run directory, and the loop that acts, remembers and learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from plx_core.annotations import CallbackLike
from plx_core.callbacks.callback import Callback
from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.components.component import make
from plx_core.components.older_names import accept_older_names
from plx_core.config.sections import EnvironmentConfig, RunConfig, WarmStartConfig
from plx_core.data.input_fn import as_pipeline
from plx_core.engine.evaluation_program import EvaluationProgram, prediction_rows
from plx_core.engine.loop import Goals
from plx_core.engine.trainer import Trainer
from plx_core.engine.variables import assign_variables
from plx_core.engine.xla_trial import answer
from plx_core.errors import ComponentError
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.observations import as_features, features_of
from plx_core.networks.variable_names import variables_by_name
from plx_core.reinforcement.agent_loop import AgentLoop, UpdateSchedule
from plx_core.reinforcement.agent_spec import AgentSpec
from plx_core.reinforcement.agent_state import AgentState
from plx_core.reinforcement.episodes import evaluate_policy, play_greedily
from plx_core.reinforcement.interfaces import Environment, Memory, Policy
from plx_core.runs import checkpoints as checkpoint_files
from plx_core.state import Modes, State
from plx_core.types import Features

EVALUATION_SEED = 10_000
"""Where evaluations begin, so that they are the same each time and are none of the training's episodes."""
FIRST_UPDATE, UPDATE_FREQUENCY = 1000, 10
"""The defaults of `Agent.train`."""


class Agent(Trainer):
    """Acts in an environment and learns from it; its run directory remembers everything.

    `global_step` counts updates, `global_timestep` actions over all environments, `global_episode` episodes that ended.

    Args:
        model_fn: as `Trainer`'s; it takes (observations, action_space) and returns an `AgentSpec`.
        memory: where transitions are kept; the model's choice when None.
        model_dir: as `Trainer`'s, and so are the others.

    Example:
        >>> agent = Agent(model_fn, memory="Memory", model_dir="runs/cartpole")            # doctest: +SKIP
        >>> agent.train(env, max_timesteps=50_000).evaluate(env, episodes=20)              # doctest: +SKIP
    """

    _INPUTS: ClassVar[tuple[str, str]] = ("observations", "action_space")

    def __init__(
        self,
        model_fn: Callable[..., EstimatorSpec],
        memory: Any = None,
        model_dir: str | Path = "runs/agent",
        config: RunConfig | EnvironmentConfig | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        trackers: Sequence[Any] | None = None,
        warm_start_from: WarmStartConfig | str | Path | None = None,
    ) -> None:
        super().__init__(
            model_fn, model_dir, config, params, trackers=trackers, warm_start_from=warm_start_from
        )
        self._memory = make("memories", memory, seed=self.config.seed)
        if self._memory is not None and self._memory.seed is None:
            self._memory.reseed(self.config.seed)
        self._empty_memory: State | None = None
        self._training: AgentState | None = None
        self._acting: AgentState | None = None
        """The state that the last call of `train` worked on, even if it failed."""
        self._env_description: Any = None
        """The `env` argument of the last `train`; an equal one reuses the live environment."""
        self._evaluation: AgentSpec | None = None

    @property
    def memory(self) -> Memory | None:
        """Where transitions are kept; None until a model has chosen."""
        return self._memory  # type: ignore[no-any-return]

    @property
    def timestep(self) -> int:
        """The number of actions so far, during training."""
        if self._acting is None:
            raise ComponentError("training has not begun in this process")
        return self._acting.timestep

    @property
    def global_timestep(self) -> int:
        """How many actions there were in all up to the newest checkpoint."""
        return self._counter("timestep")

    @property
    def global_episode(self) -> int:
        """How many episodes had ended at the newest checkpoint."""
        return self._counter("episode")

    @accept_older_names(hooks="callbacks")
    def train(
        self,
        env: Any,
        first_update: int | None = None,
        update_frequency: int | None = None,
        episodes: int | None = None,
        steps: int | None = None,
        callbacks: Iterable[CallbackLike] | None = None,
        max_steps: int | None = None,
        max_episodes: int | None = None,
        *,
        timesteps: int | None = None,
        max_timesteps: int | None = None,
        updates_per_block: int = 1,
        pretrain_steps: int = 0,
    ) -> Agent:
        """Train, from the newest checkpoint if there is one.

        Args:
            env: the environment.
            first_update: how many actions are taken before the first update; 1000 when None.
            update_frequency: how many actions there are from an update to the next; 10 when None. Models that learn from what
                they have just done use neither this nor `first_update`: they update when the memory is full.
            episodes: how many more episodes to end.
            steps: how many more updates to make.
            callbacks: called during training.
            max_steps: the `global_step` to stop at; nothing happens when it has been reached.
            max_episodes: the `global_episode` to stop at.
            timesteps: how many more actions to take.
            max_timesteps: the `global_timestep` to stop at.
            updates_per_block: how many updates there are each time.
            pretrain_steps: how many updates there are before the first action, where the memory holds demonstrations.

        Raises:
            NonFiniteLoss: the loss became infinite or not a number; the last good checkpoint is kept.
            Interrupted: a signal asked to stop; a checkpoint was written.
        """
        for more, total, name in (
            (steps, max_steps, "steps"),
            (episodes, max_episodes, "episodes"),
            (timesteps, max_timesteps, "timesteps"),
        ):
            if more is not None and total is not None:
                raise ComponentError(
                    f"give {name} (how many more) or max_{name} (the number to stop at), not both"
                )
        active = as_callbacks(callbacks)
        env = self._training_env(env)
        schedule = UpdateSchedule(
            FIRST_UPDATE if first_update is None else first_update,
            UPDATE_FREQUENCY if update_frequency is None else update_frequency,
            updates_per_block,
            pretrain_steps,
        )
        with self.run_directory.writing(), self.observed(active):
            training = self._acting = self._prepare(env, active)
            self._loop = AgentLoop(self, training, active, self.make_trackers(), schedule)
            # If this call fails, memory is ahead of every checkpoint: the next call starts from one.
            self._training = None
            goals = Goals(
                steps=_goal(training.global_step, steps, max_steps),
                episodes=_goal(training.episodes.ended, episodes, max_episodes),
                timesteps=_goal(training.timestep, timesteps, max_timesteps),
            )
            self._loop.run(goals)
            self._training = training
        return self

    def run_episode(
        self, env: Any, checkpoint_path: str | Path | None = None, seed: int | None = None
    ) -> dict[str, float]:
        """One greedy episode; its `episode_return` and `episode_length`."""
        return self._evaluate(env, 1, checkpoint_path, EVALUATION_SEED if seed is None else seed)

    def play(
        self, env: Any, checkpoint_path: str | Path | None = None, seed: int = EVALUATION_SEED
    ) -> Iterator[dict[str, Any]]:
        """The steps of one greedy episode, in the first of the environments.

        Yields:
            What was observed, by name; `action`, `reward`, `terminated` and `truncated`.
        """
        env, policy = self.restored(env, checkpoint_path, seed)
        for played in play_greedily(env, policy, 1, seed):
            seen, step = (
                {name: part[0] for name, part in as_features(played.observations).items()},
                played.step,
            )
            ends = {"terminated": step.terminated[0], "truncated": step.truncated[0]}
            yield seen | {"action": played.actions[0], "reward": step.rewards[0]} | ends

    @accept_older_names(hooks="callbacks")
    def evaluate(
        self,
        env: Any,
        episodes: int = 10,
        callbacks: Iterable[CallbackLike] | None = None,
        checkpoint_path: str | Path | None = None,
        name: str | None = None,
    ) -> dict[str, float]:
        """How well a checkpoint acts when it explores no more, in an environment of its own and from the same seeds each time.

        Args:
            env: the environment; its copies share the episodes evenly, so that short ones are not preferred.
            episodes: how many.
            callbacks: their `on_evaluate` is called.
            checkpoint_path: the newest when None.
            name: a suffix of the split under which metrics are kept, `eval_NAME`.

        Returns:
            `episode_return` (the mean), `episode_return_std`, `_min` and `_max`, `episode_length`, `episodes` and `global_step`.
        """
        path = self._checkpoint(checkpoint_path)
        metrics = self._evaluate(env, episodes, path, EVALUATION_SEED)
        step = checkpoint_files.step_of(path)
        return self._record_evaluation(step, f"eval_{name}" if name else "eval", metrics, callbacks)

    def predict(
        self,
        input_fn: Any,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
        env: Any = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """What a checkpoint would do, for each observation of a data set: one mapping at a time, `action` in it.

        Args:
            input_fn: yields observations by name; see `plx_core.data.input_fn.as_pipeline`.
            predict_keys: which predictions; all when None.
            checkpoint_path: the newest when None.
            env: whose raw observations these are. When None they are what the network reads, and the model has to have been told
                `num_actions`.
        """
        pipeline = as_pipeline(input_fn, Modes.PREDICT, self.config.seed)
        state, dataset = (
            checkpoint_files.load(self._checkpoint(checkpoint_path)),
            pipeline.dataset(),
        )
        if env is None:
            spec = self.call_model_fn(Modes.PREDICT, pipeline.element_spec[0], None)
        else:
            env = make("environments", env, seed=EVALUATION_SEED, mode=Modes.PREDICT)
            env.follow(state["environment"])
            spec, processing = self.build(Modes.PREDICT, env), env.processing_network()
            if processing is not None:
                dataset = dataset.map(lambda features, labels: (processing(features), labels))
        program = EvaluationProgram(spec)
        program.restore(state)
        yield from prediction_rows(program.predict(dataset), predict_keys)

    def export(
        self,
        export_dir: str | Path,
        env: Any,
        checkpoint_path: str | Path | None = None,
        format: str = "saved_model",
    ) -> Path:
        """Write a policy that takes raw observations, by name.

        Args:
            export_dir: the folder to write; it must not exist.
            env: whose observations the policy takes.
            checkpoint_path: the newest when None.
            format: `saved_model`, whose `serve` returns `action` and what it was chosen by, or `keras`, `onnx` or `litert`.
        """
        if Path(export_dir).exists():
            raise ComponentError(f"{export_dir} exists already; an export does not overwrite")
        state = checkpoint_files.load(self._checkpoint(checkpoint_path))
        env = make("environments", env, seed=EVALUATION_SEED, mode=Modes.PREDICT)
        env.follow(state["environment"])
        program = EvaluationProgram(self.build(Modes.PREDICT, env))
        program.restore(state)
        program.export(Path(export_dir), format, env.processing_network())
        return Path(export_dir)

    def try_out(
        self,
        env: Any,
        first_update: int = 1000,
        update_frequency: int = 10,
        pretrain_steps: int = 0,
    ) -> None:
        """Build all that training needs and take a step in each environment, to see that they fit; nothing is kept."""
        env = make("environments", env, seed=self.config.seed, mode=Modes.TRAIN)
        training = self._new_training(env)
        UpdateSchedule(first_update, update_frequency, pretraining=pretrain_steps).check(
            training.memory
        )
        training.begin(self.config.seed)
        env.step(training.spec.policy.act(training.observations, 0, training.masks))

    def build(self, mode: str, env: Environment) -> AgentSpec:
        """Call the model function on what an environment shows and takes."""
        spec = self.call_model_fn(mode, features_of(env.observation_space), env.action_space)
        if not isinstance(spec, AgentSpec):
            raise ComponentError(
                "an agent's model_fn returns an AgentSpec, as a model of reinforcement learning does when it is called"
            )
        return spec

    def restored(
        self, env: Any, checkpoint_path: str | Path | None = None, seed: int = EVALUATION_SEED
    ) -> tuple[Environment, Policy]:
        """An environment that observes as the training did, and the policy of a checkpoint, the newest when None."""
        state = checkpoint_files.load(self._checkpoint(checkpoint_path))
        env = make("environments", env, seed=seed, mode=Modes.EVAL)
        env.follow(state["environment"])
        if self._evaluation is None:
            self._evaluation = self.build(Modes.EVAL, env)
        spec = self._evaluation
        assign_variables(
            variables_by_name(spec.network), state["program"]["variables"], "variables"
        )
        spec.policy.refresh()
        return env, spec.policy

    def _model_fn_inputs(self, inputs: Features, target: Any) -> dict[str, Any]:
        """Return the observations and the action space, which polyaxon-lib called features and labels."""
        return super()._model_fn_inputs(inputs, target) | {"features": inputs, "labels": target}

    def _training_env(self, env: Any) -> Environment:
        """Return the environment to train in: the live one if its description is that of the last call."""
        is_object = isinstance(env, Environment)
        if self._training is not None and not is_object and env == self._env_description:
            return self._training.env
        self._env_description = env
        environment: Environment = make(
            "environments", env, seed=self.config.seed, mode=Modes.TRAIN
        )
        return environment

    def _counter(self, name: str) -> int:
        latest = self.checkpoints.latest()
        return int(checkpoint_files.load(latest)["counters"][name]) if latest else 0

    def _prepare(self, env: Environment, callbacks: Sequence[Callback]) -> AgentState:
        """What the call before left in memory if it fits, else a program with the state of the newest checkpoint."""
        known = self._training
        if known is not None and known.env is env and known.global_step == self.global_step:
            return known
        training = self._new_training(env)
        latest = self.checkpoints.latest()
        if latest is not None:
            training.restore(
                checkpoint_files.load(latest),
                callbacks,
                is_new_env=known is not None,
                seed=self.config.seed,
            )
        else:
            if self.warm_start is not None:
                training.warm_start(self.warm_start)
            if self._empty_memory is None:
                self._empty_memory = training.memory.state()
            else:  # a call before this one failed without a checkpoint
                training.memory.restore(self._empty_memory)
            training.begin(self.config.seed)
        self.run_directory.forget_after(training.global_step)
        return training

    def _new_training(self, env: Environment) -> AgentState:
        spec = self.build(Modes.TRAIN, env)
        if self._memory is None:
            if spec.memory is None:
                raise ComponentError(
                    "the model names no memory of its own; give the agent one", about="agent.memory"
                )
            self._memory = make("memories", spec.memory, seed=self.config.seed)
        training = AgentState(env, spec, self._memory)
        training.check()
        xla = answer(self.model_dir) if self.config.xla == "auto" else self.config.xla
        if xla is None:
            training.trial = self.model_dir
        else:
            training.learner.compile(xla=xla)
        return training

    def _evaluate(
        self, env: Any, episodes: int, checkpoint_path: str | Path | None, seed: int
    ) -> dict[str, float]:
        borrowed = self._acting if self._acting is not None and self._acting.env is env else None
        before = env.state() if borrowed else {}
        made, policy = self.restored(env, checkpoint_path, seed)
        try:
            return evaluate_policy(made, policy, episodes, seed)
        finally:
            if borrowed:
                borrowed.give_back(before, self.config.seed)
            elif made is not env:
                made.close()


class PGAgent(Agent):
    """An agent that learns by policy gradients, as polyaxon-lib called it."""


class TRPOAgent(Agent):
    """An agent that learns by trust-region steps, as polyaxon-lib called it."""


def _goal(now: int, more: int | None, total: int | None) -> int | None:
    return now + more if more is not None else total
