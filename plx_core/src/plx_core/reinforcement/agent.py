"""The agent: a model function, a memory and a run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from plx_core.annotations import CallbackLike, EnvironmentLike, MemoryLike
from plx_core.callbacks.callback import Callback
from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.components.component import make
from plx_core.components.older_names import accept_older_names
from plx_core.config.sections import EnvironmentConfig, RunConfig, WarmStartConfig
from plx_core.data.input_fn import as_pipeline
from plx_core.engine.evaluation_program import EvaluationProgram, prediction_rows
from plx_core.engine.failures import reporting
from plx_core.engine.loop import Goals
from plx_core.engine.trainer import Trainer
from plx_core.engine.variables import assign_variables, weights_to_use
from plx_core.engine.xla_trial import stored_result
from plx_core.errors import ComponentError
from plx_core.models.spec import EstimatorSpec
from plx_core.networks.observations import as_features, features_of
from plx_core.networks.variable_names import variables_by_name
from plx_core.reinforcement.agent_loop import AgentLoop, UpdateSchedule
from plx_core.reinforcement.agent_spec import AgentSpec
from plx_core.reinforcement.agent_state import AgentState
from plx_core.reinforcement.episodes import evaluate_policy, play_greedily
from plx_core.reinforcement.interfaces import Environment, Memory, Policy
from plx_core.reinforcement.observation_statistics import follow
from plx_core.reinforcement.policy_network import ACTION, ACTION_MASK, with_policy_network
from plx_core.runs import checkpoints as checkpoint_files
from plx_core.state import Modes, State
from plx_core.types import Features, InputFn, Labels, Nested, Space

EVALUATION_SEED = 10_000
"""The seed of evaluations: the same each time, and no seed of training."""


class Agent(Trainer):
    """Acts in an environment and learns from it.

    `global_step` counts updates, `global_timestep` actions over all environments, and
    `global_episode` the episodes that have ended.

    Args:
        model_fn: a function of (observations, action_space), and optionally of `mode`, `params`
            and `config`; it returns an `AgentSpec`.
        memory: where transitions are stored; the model's choice when None.
        model_dir: see `Trainer`, as for the other parameters.

    Example:
        >>> agent = Agent(model_fn, "Memory", "runs/cartpole")                   # doctest: +SKIP
        >>> agent.train(env, max_timesteps=50_000).evaluate(env, episodes=20)    # doctest: +SKIP
    """

    _INPUTS: ClassVar[tuple[str, str]] = ("observations", "action_space")

    def __init__(
        self,
        model_fn: Callable[..., EstimatorSpec],
        memory: MemoryLike | None = None,
        model_dir: str | Path | None = None,
        config: RunConfig | EnvironmentConfig | None = None,
        params: Mapping[str, Any] | None = None,
        *,
        trackers: Sequence[Any] | None = None,
        warm_start_from: WarmStartConfig | str | Path | None = None,
    ) -> None:
        super().__init__(
            model_fn, model_dir, config, params, trackers=trackers, warm_start_from=warm_start_from
        )
        self._memory = None if memory is None else self._make_memory(memory)
        self._empty_memory: State | None = None
        self._training: AgentState | None = None
        self._acting: AgentState | None = None
        """The state that the last call of `train` worked on, even if it failed."""
        self._env_description: Any = None
        """The `env` argument of the last `train`; an equal one reuses the live environment."""
        self._evaluation: AgentSpec | None = None

    @property
    def memory(self) -> Memory | None:
        """Where transitions are stored; None until the model has chosen."""
        return self._memory

    @property
    def timestep(self) -> int:
        """The number of actions so far, during training."""
        if self._acting is None:
            raise ComponentError("training has not begun in this process")
        return self._acting.timestep

    @property
    def global_timestep(self) -> int:
        """The number of actions at the newest checkpoint."""
        return self._counter("timestep")

    @property
    def global_episode(self) -> int:
        """The number of episodes that had ended at the newest checkpoint."""
        return self._counter("episode")

    @accept_older_names(hooks="callbacks")
    def train(
        self,
        env: EnvironmentLike,
        first_update: int = 35,
        update_frequency: int = 10,
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
            first_update: the number of actions before the first update.
            update_frequency: the number of actions between updates. On-policy models use neither:
                they update when a rollout is complete.
            episodes: the number of further episodes.
            steps: the number of further updates.
            callbacks: called during training.
            max_steps: the `global_step` to stop at; nothing happens if it has been reached.
            max_episodes: the `global_episode` to stop at.
            timesteps: the number of further actions.
            max_timesteps: the `global_timestep` to stop at.
            updates_per_block: the number of updates each time they are due.
            pretrain_steps: the number of updates before the first action, where the memory holds
                demonstrations.

        Raises:
            NonFiniteLoss: a loss is infinite or NaN; the last good checkpoint is kept.
            Interrupted: a signal asked to stop; a checkpoint was written.
        """
        for more, total, name in (
            (steps, max_steps, "steps"),
            (episodes, max_episodes, "episodes"),
            (timesteps, max_timesteps, "timesteps"),
        ):
            if more is not None and total is not None:
                raise ComponentError(
                    f"give either {name} (how many more) or max_{name} (the total to stop at)"
                )
        active = as_callbacks(callbacks)
        env = self._training_env(env)
        schedule = UpdateSchedule(first_update, update_frequency, updates_per_block, pretrain_steps)
        with self.run_directory.writing(), self.observed(active):
            training = self._acting = self._prepare(env, active)
            self._loop = AgentLoop(
                self, self.config, training, active, self.make_trackers(), schedule
            )
            # If this call fails, memory is ahead of every checkpoint: the next one starts from one.
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
        self,
        env: EnvironmentLike,
        checkpoint_path: str | Path | None = None,
        seed: int | None = None,
    ) -> dict[str, float]:
        """Play one greedy episode; return its `episode_return` and `episode_length`."""
        return self._evaluate(env, 1, checkpoint_path, EVALUATION_SEED if seed is None else seed)

    def play(
        self,
        env: EnvironmentLike,
        checkpoint_path: str | Path | None = None,
        seed: int = EVALUATION_SEED,
    ) -> Iterator[dict[str, Any]]:
        """Play one greedy episode in the first of the environments, step by step.

        Yields:
            The environment's own observations by name, `action_mask` if it has masks, its own
            `action` and `reward`, `terminated` and `truncated`.
        """
        state = checkpoint_files.load(self._checkpoint(checkpoint_path))
        with self._following(env, state, Modes.EVAL, seed) as following:
            for greedy in play_greedily(following, self._policy(following, state), 1, seed):
                features = as_features(greedy.observations)
                masks = {} if greedy.masks is None else {ACTION_MASK: greedy.masks}
                yield {name: part[0] for name, part in (features | masks).items()} | {
                    ACTION: greedy.actions[0],
                    "reward": greedy.rewards[0],
                    "terminated": greedy.step.terminated[0],
                    "truncated": greedy.step.truncated[0],
                }

    @accept_older_names(hooks="callbacks")
    def evaluate(
        self,
        env: EnvironmentLike,
        episodes: int = 10,
        callbacks: Iterable[CallbackLike] | None = None,
        checkpoint_path: str | Path | None = None,
        name: str | None = None,
    ) -> dict[str, float]:
        """Evaluate a checkpoint by greedy episodes, from the same seeds each time.

        Args:
            env: the environment; its copies play equal shares of the episodes, so that short
                episodes are not overrepresented.
            episodes: the number of episodes.
            callbacks: their `on_evaluate` is called.
            checkpoint_path: the checkpoint; the newest when None.
            name: the metrics are logged under the split `eval_NAME`.

        Returns:
            `episode_return` (the mean), `episode_return_std`, `_min` and `_max`, `episode_length`,
            `episodes` and `global_step`.
        """
        path = self._checkpoint(checkpoint_path)
        metrics = self._evaluate(env, episodes, path, EVALUATION_SEED)
        step = checkpoint_files.step_of(path)
        return self._record_evaluation(step, f"eval_{name}" if name else "eval", metrics, callbacks)

    def predict(
        self,
        input_fn: InputFn,
        predict_keys: Sequence[str] | None = None,
        checkpoint_path: str | Path | None = None,
        env: EnvironmentLike = None,
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yield the greedy action for each observation of a data set, one mapping at a time.

        Args:
            input_fn: observations by name, and `action_mask` where the environment has masks;
                anything that `as_pipeline` takes.
            predict_keys: the names of the predictions, such as `action`; all when None.
            checkpoint_path: the checkpoint; the newest when None.
            env: the environment whose own observations these are, and whose own actions are
                returned. When None both are the network's, and the model needs its parameter
                `num_actions`.

        Raises:
            ComponentError: the data has no `action_mask`, or lacks a part of the observations.
        """
        pipeline = as_pipeline(input_fn, Modes.PREDICT, self.config.seed)
        state = checkpoint_files.load(self._checkpoint(checkpoint_path))
        features = pipeline.element_spec[0]
        if env is None:
            spec = self._restored_spec(self._call(Modes.PREDICT, features, None), state)
            program = EvaluationProgram(with_policy_network(spec, features))
        else:
            program = self._policy_program(env, state)
        missing = sorted({tensor.name for tensor in program.spec.network.inputs} - set(features))
        if missing:
            raise ComponentError(
                f"the policy reads {', '.join(missing)}, which the data does not have; "
                f"it has {', '.join(features)}"
            )
        yield from prediction_rows(program.predict(pipeline.dataset()), predict_keys)

    def export(
        self,
        export_dir: str | Path,
        env: EnvironmentLike,
        checkpoint_path: str | Path | None = None,
        format: str = "saved_model",
    ) -> Path:
        """Export the greedy policy: an environment's own observations in, its own actions out.

        The policy takes the observations by name, [B, …], and `action_mask`, bool [B, A], where the
        environment has masks. It returns `action` and what the model chose it by.

        Args:
            export_dir: the folder to write; it must not exist.
            env: the environment.
            checkpoint_path: the checkpoint; the newest when None.
            format: `saved_model`, with the policy as `serve`; or `keras`, `onnx` or `litert`.

        Raises:
            ComponentError: the folder exists.
            RunFileError: it cannot be written; what has been written of it is removed.
        """
        state = checkpoint_files.load(self._checkpoint(checkpoint_path))
        with self._new_export(export_dir) as target:
            self._policy_program(env, state).export(target, format, {}, None)
        return Path(export_dir)

    def try_out(
        self,
        env: EnvironmentLike,
        first_update: int,
        update_frequency: int,
        pretrain_steps: int = 0,
    ) -> None:
        """Build everything that training needs and take one step, to see that the parts fit.

        Raises:
            ComponentError: they do not.
        """
        env = make("environments", env, seed=self.config.seed, mode=Modes.TRAIN)
        training = self._new_training(env)
        UpdateSchedule(first_update, update_frequency, pretraining=pretrain_steps).check(
            training.memory
        )
        training.begin(self.config.seed)
        env.step(training.spec.policy.act(training.observations, 0, training.masks))

    def build(self, mode: str, env: Environment) -> AgentSpec:
        """Call the model function on the spaces of an environment."""
        return self._call(mode, features_of(env.observation_space), env.action_space)

    def _call(self, mode: str, observations: Features, action_space: Space | None) -> AgentSpec:
        spec = self.call_model_fn(mode, observations, action_space)
        if not isinstance(spec, AgentSpec):
            raise ComponentError(
                "an agent's model_fn returns an AgentSpec, as calling a reinforcement-learning "
                f"model does; this one returned {type(spec).__name__}"
            )
        return spec

    def restored(
        self,
        env: EnvironmentLike,
        checkpoint_path: str | Path | None = None,
        seed: int = EVALUATION_SEED,
    ) -> tuple[Environment, Policy]:
        """Return an environment that observes as in training, and the policy of a checkpoint.

        Args:
            env: the environment.
            checkpoint_path: the checkpoint; the newest when None.
            seed: the seed of the environment.
        """
        state = checkpoint_files.load(self._checkpoint(checkpoint_path))
        environment: Environment = make("environments", env, seed=seed, mode=Modes.EVAL)
        follow(environment, state)
        return environment, self._policy(environment, state)

    @contextmanager
    def _following(
        self, env: EnvironmentLike, state: State, mode: str, seed: int = EVALUATION_SEED
    ) -> Iterator[Environment]:
        """Yield an environment that observes as in training, to play in unless in PREDICT mode.

        Afterwards it is closed if it was created here, and otherwise as it was before if training
        goes on in it.
        """
        environment: Environment = make("environments", env, seed=seed, mode=mode)
        training = self._acting if self._is_training_in(environment) else None
        before = environment.state() if training is not None else {}
        try:
            follow(environment, state)
            yield environment
        finally:
            if training is not None and mode == Modes.PREDICT:
                environment.restore(before)
            elif training is not None:
                training.give_back(before, self.config.seed)
            elif environment is not env:
                environment.close()

    def _is_training_in(self, env: Environment) -> bool:
        return self._acting is not None and self._acting.env is env

    def _policy(self, env: Environment, state: State) -> Policy:
        """Return the policy of a checkpoint's content."""
        if self._evaluation is None:
            self._evaluation = self.build(Modes.EVAL, env)
        spec = self._restored_spec(self._evaluation, state)
        spec.policy.refresh()
        return spec.policy

    def _policy_program(self, env: EnvironmentLike, state: State) -> EvaluationProgram:
        """Return a program of the whole greedy policy, from raw observations to raw actions."""
        with self._following(env, state, Modes.PREDICT) as following:
            if not self._is_training_in(following):
                following.reset(seed=EVALUATION_SEED)
            spec = self._restored_spec(self.build(Modes.PREDICT, following), state)
            observations = features_of(following.observation_space)
            return EvaluationProgram(
                with_policy_network(spec, observations, following, following.action_masks)
            )

    def _restored_spec(self, spec: AgentSpec, state: State) -> AgentSpec:
        """Give the network of a specification the weights of a checkpoint's content."""
        assign_variables(variables_by_name(spec.network), weights_to_use(state), "variables")
        return spec

    def _model_fn_inputs(self, inputs: Nested, target: Labels | Space) -> dict[str, Any]:
        """Return the observations and action space, in polyaxon-lib features and labels."""
        return super()._model_fn_inputs(inputs, target) | {"features": inputs, "labels": target}

    def _training_env(self, env: EnvironmentLike) -> Environment:
        """Return the environment to train in; the live one if it is described as before."""
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
        """Return the state of the last call if it fits, or else that of the newest checkpoint."""
        last = self._training
        if last is not None and last.env is env and last.global_step == self.global_step:
            return last
        training = self._new_training(env)
        latest = self.checkpoints.latest()
        if latest is not None:
            training.restore(
                checkpoint_files.load(latest),
                callbacks,
                is_new_env=last is not None,
                seed=self.config.seed,
            )
        else:
            if self.warm_start is not None:
                training.warm_start(self.warm_start)
            if self._empty_memory is None:
                self._empty_memory = training.memory.state()
            else:  # an earlier call failed before its first checkpoint
                training.memory.restore(self._empty_memory)
            training.begin(self.config.seed)
        self.run_directory.forget_after(training.global_step)
        return training

    def _make_memory(self, memory: MemoryLike) -> Memory:
        """Return a memory that is seeded, by the agent if not by itself."""
        made: Memory = make("memories", memory, seed=self.config.seed)
        if made.seed is None:
            made.reseed(self.config.seed)
        return made

    def _new_training(self, env: Environment) -> AgentState:
        spec = self.build(Modes.TRAIN, env)
        if self._memory is None:
            if spec.memory is None:
                raise ComponentError(
                    "the model names no memory of its own; give the agent one", about="agent.memory"
                )
            self._memory = self._make_memory(spec.memory)
        training = AgentState(env, spec, self._memory)
        training.check()
        xla = stored_result(self.model_dir) if self.config.xla == "auto" else self.config.xla
        if xla is None:
            training.trial = self.model_dir
        else:
            training.learner.compile(xla=xla)
        return training

    def _evaluate(
        self, env: EnvironmentLike, episodes: int, checkpoint_path: str | Path | None, seed: int
    ) -> dict[str, float]:
        state = checkpoint_files.load(self._checkpoint(checkpoint_path))
        with self._following(env, state, Modes.EVAL, seed) as following:
            policy = self._policy(following, state)
            with reporting("the evaluation"):
                return evaluate_policy(following, policy, episodes, seed)


class PGAgent(Agent):
    """polyaxon-lib's name of an agent that learns by policy gradients."""


class TRPOAgent(Agent):
    """polyaxon-lib's name of an agent that learns by trust-region steps."""


def _goal(now: int, more: int | None, total: int | None) -> int | None:
    return now + more if more is not None else total
