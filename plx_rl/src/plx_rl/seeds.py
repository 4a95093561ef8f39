"""Train many seeds of one experiment in one program: A2C and PPO in compiled environments."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from attrs import evolve, frozen

from plx_core import Agent, Modes, RLExperiment, as_features
from plx_core.errors import ComponentError
from plx_core.types import Batch, Nested, Tensor
from plx_rl.dynamics.dynamics import advance, stretch
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.learners.actor_critic_learner import ActorCriticLearner
from plx_rl.learners.rollout import roll_out, with_advantages

GREEDY_COPIES = 16
"""The number of greedy episodes of each seed in an evaluation."""


@frozen
class Look:
    """An evaluation of all seeds.

    Args:
        timesteps: the number of actions for which each seed has been trained.
        returns: the mean return of greedy episodes, [S].
    """

    timesteps: int
    returns: np.ndarray


class Seeds:
    """S agents that differ only in their seeds, trained side by side.

    Args:
        experiment: of A2C or PPO in a `CompiledEnvironment`.
        count: S; the first agent has the experiment's seed, the others the seeds after it.

    Raises:
        ComponentError: the model or the environment is another one.
    """

    def __init__(self, experiment: RLExperiment, count: int) -> None:
        agent, env = experiment.agent, experiment.env
        if not isinstance(env, CompiledEnvironment):
            raise ComponentError(
                "many seeds in one program need a CompiledEnvironment; "
                f"train.env is a {type(env).__name__}"
            )
        learners = [_learner(agent, env, agent.config.seed + index) for index in range(count)]
        self._env = env
        self._count = count
        self._learner = learners[0]
        self._batch_size = agent.memory.batch_size if agent.memory is not None else 256
        self._actor_critic = self._learner.actor_critic
        self._variables = self._actor_critic.weights
        weights = [
            [np.asarray(variable.numpy()) for variable in learner.actor_critic.weights]
            for learner in learners
        ]
        self._weights = [tf.Variable(np.stack(values)) for values in zip(*weights, strict=True)]
        self._optimizer = self._learner.optimizer.__class__.from_config(
            self._learner.optimizer.get_config()
        )
        self._optimizer.build(self._weights)
        self._steps = self._batch_size // env.num_envs
        self._rng = np.random.default_rng(agent.config.seed)
        total = count * env.num_envs
        self._states = env.dynamics.initial(tf.constant(self._draw_seed()), total)
        self._ages = tf.zeros(total, tf.int32)
        self._train_program = tf.function(self._iterate, autograph=False)
        self._greedy_program = tf.function(self._greedy_returns, autograph=False)

    def train(self, timesteps: int, looks: int) -> Iterator[Look]:
        """Train all seeds, and yield evenly spaced evaluations.

        Args:
            timesteps: the number of actions of each seed.
            looks: the number of evaluations; the last one is at the end.
        """
        iterations = math.ceil(timesteps / self._batch_size)
        stops = {round(iterations * (look + 1) / looks) for look in range(looks)}
        for iteration in range(1, iterations + 1):
            self._states, self._ages = self._train_program(
                self._states, self._ages, self._draw_seed()
            )
            if iteration in stops:
                returns = self._greedy_program(self._draw_seed()).numpy()
                yield Look(iteration * self._batch_size, returns)

    def _draw_seed(self) -> np.ndarray:
        return self._rng.integers(0, 2**31, 2, np.int32)

    def _each(self, function: Callable[..., Nested], *columns: Nested) -> Nested:
        """Apply a function of the networks to the part of each seed, [S, …], with its weights."""

        def apply(arguments: Nested) -> Nested:
            weights, parts = arguments
            mapping = list(zip(self._variables, weights, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                return function(*parts)

        weights = [tf.convert_to_tensor(weight) for weight in self._weights]
        return tf.vectorized_map(apply, (weights, columns))

    def _parameters(self, observations: Tensor) -> Tensor:
        """Return the parameters of each copy's policy, [S · N, P]."""
        by_seed = tf.reshape(observations, [self._count, -1, *observations.shape[1:]])
        parameters = self._each(lambda part: self._actor_critic.policy(as_features(part)), by_seed)
        return tf.reshape(parameters, [observations.shape[0], parameters.shape[-1]])

    def _values(self, observations: Tensor) -> Tensor:
        """Return V, [T, S · N], of the observations [T, S · N, O] of T steps."""
        size = observations.shape[-1]
        rows = tf.reshape(observations, [self._steps, self._count, -1, size])
        by_seed = tf.reshape(tf.transpose(rows, [1, 0, 2, 3]), [self._count, -1, size])
        values = self._each(lambda part: self._actor_critic.value(as_features(part)), by_seed)
        values = tf.transpose(tf.reshape(values, [self._count, self._steps, -1]), [1, 0, 2])
        return tf.reshape(values, [self._steps, -1])

    def _iterate(self, states: Tensor, ages: Tensor, seed: Tensor) -> tuple[Tensor, Tensor]:
        """Collect a rollout, and make its updates."""
        learner = self._learner
        clip_range = learner.clip_range(tf.convert_to_tensor(self._optimizer.iterations))
        rows, states, ages = roll_out(self._env, self._act, states, ages, seed, self._steps)
        values = self._values(rows["state"]), self._values(rows["next_state"])
        columns = with_advantages(rows, *values, learner.discount, learner.gae_lambda)
        batch = {name: self._seed_major(column) for name, column in columns.items()}
        batch["log_prob"] = tf.stop_gradient(self._each(self._log_probs, batch))
        count = batch["returns"].shape[1]
        size = learner.minibatch_size or count

        def run_epoch(epoch: Tensor) -> Tensor:
            epoch_seed = tf.stack([seed[0], seed[1] ^ (epoch + 1)])
            keys = tf.random.stateless_uniform((self._count, count), epoch_seed)
            orders = tf.argsort(keys, axis=-1)

            def update(index: Tensor) -> Tensor:
                order = orders[:, index * size : (index + 1) * size]
                order = tf.ensure_shape(order, [self._count, size])
                minibatch = {
                    name: tf.gather(column, order, batch_dims=1) for name, column in batch.items()
                }
                self._update(minibatch, clip_range)
                return index + 1

            tf.while_loop(lambda index: index < count // size, update, (tf.constant(0),))
            return epoch + 1

        tf.while_loop(lambda epoch: epoch < learner.epochs, run_epoch, (tf.constant(0),))
        return states, ages

    def _log_probs(self, batch: Batch) -> Tensor:
        parameters = self._actor_critic.parameters(batch)
        return self._actor_critic.distribution.log_prob(parameters, batch["action"])

    def _update(self, batch: Batch, clip_range: Tensor) -> None:
        with tf.GradientTape() as tape:
            losses = self._each(
                lambda part: self._learner.loss_fn(part, clip_range)[0], dict(batch)
            )
            total = tf.reduce_sum(losses)
        gradients = tape.gradient(total, self._weights)
        if self._learner.clip_gradients is not None:
            gradients = _clip_by_seed(gradients, self._learner.clip_gradients)
        self._optimizer.apply(gradients, self._weights)

    def _act(self, observations: Tensor, seed: Tensor) -> Tensor:
        return self._actor_critic.distribution.draw(self._parameters(observations), seed)

    def _seed_major(self, column: Tensor) -> Tensor:
        """Convert [T, S · N, …] to [S, T · N, …]."""
        rest = column.shape[2:]
        by_seed = tf.reshape(column, [self._steps, self._count, -1, *rest])
        by_seed = tf.transpose(by_seed, [1, 0, 2, *range(3, 3 + len(rest))])
        return tf.reshape(by_seed, [self._count, self._batch_size, *rest])

    def _greedy_returns(self, seed: Tensor) -> Tensor:
        """Return the mean return of greedy episodes of each seed, [S]."""
        dynamics = self._env.dynamics
        max_steps = self._env.max_episode_steps
        total = self._count * GREEDY_COPIES

        def step(
            states: Tensor, ages: Tensor, returns: Tensor, is_running: Tensor
        ) -> tuple[Tensor, ...]:
            parameters = self._parameters(dynamics.observe(states))
            actions = stretch(
                self._actor_critic.distribution.mode(parameters), dynamics.action_space
            )
            result = advance(dynamics, states, ages, actions, seed, max_steps)
            returns += tf.where(is_running, result.rewards, 0.0)
            is_running &= ~(result.terminated | result.truncated)
            return result.states, result.ages, returns, is_running

        initial = (
            dynamics.initial(seed, total),
            tf.zeros(total, tf.int32),
            tf.zeros(total),
            tf.ones(total, tf.bool),
        )
        _, _, returns, _ = tf.while_loop(
            lambda *variables: tf.reduce_any(variables[-1]),
            step,
            initial,
            maximum_iterations=max_steps,
        )
        return tf.reduce_mean(tf.reshape(returns, [self._count, GREEDY_COPIES]), axis=1)


def draw(looks: Sequence[Look], path: Path) -> None:
    """Plot the median, the interquartile range, and each seed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    timesteps = [look.timesteps for look in looks]
    returns = np.stack([look.returns for look in looks])
    low, median, high = np.percentile(returns, [25, 50, 75], axis=1)
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(timesteps, returns, color="#b9c4d0", linewidth=0.6)
    axes.fill_between(timesteps, low, high, color="#4269d0", alpha=0.25, linewidth=0)
    axes.plot(timesteps, median, color="#4269d0", linewidth=2)
    axes.set_title(
        f"greedy return of {returns.shape[1]} seeds: median, interquartile range, each seed",
        fontsize=10,
    )
    axes.set_xlabel("actions of each seed", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def _learner(agent: Agent, env: CompiledEnvironment, seed: int) -> ActorCriticLearner:
    twin = Agent(
        agent.model_fn, agent.memory, agent.model_dir, evolve(agent.config, seed=seed), trackers=()
    )
    learner = twin.build(Modes.TRAIN, env).learner
    if not isinstance(learner, ActorCriticLearner) or learner.target_kl is not None:
        raise ComponentError(
            "many seeds in one program are for A2CModel, and for PPOModel without target_kl"
        )
    return learner


def _clip_by_seed(gradients: list[Tensor], max_norm: float) -> list[Tensor]:
    """Clip gradients [S, …] to a global norm, for each seed separately."""
    squares = [
        tf.reduce_sum(tf.square(gradient), axis=range(1, len(gradient.shape)))
        for gradient in gradients
    ]
    scale = max_norm / tf.maximum(tf.sqrt(functools.reduce(tf.add, squares)), max_norm)
    return [
        gradient * tf.reshape(scale, [-1] + [1] * (len(gradient.shape) - 1))
        for gradient in gradients
    ]
