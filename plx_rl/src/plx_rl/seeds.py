"""Many seeds of one experiment in one program: A2C and PPO in compiled environments, for learning curves that tell luck from skill."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from attrs import evolve, frozen

from plx_core import Agent, Modes, RLExperiment, as_features
from plx_core.errors import ComponentError
from plx_rl.dynamics.dynamics import advance, stretch
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.learners.actor_critic_learner import ActorCriticLearner
from plx_rl.learners.rollout import roll_out, with_advantages

GREEDY_COPIES = 16
"""How many greedy episodes each seed plays whenever it is looked at."""


@frozen
class Look:
    """How all seeds act after so many actions each: the mean return of greedy episodes, [S]."""

    timesteps: int
    returns: np.ndarray


class Seeds:
    """S agents that differ in their seeds alone, trained side by side.

    Args:
        experiment: of A2C or PPO in a `CompiledEnvironment`.
        count: S; the first has the experiment's seed, the others those after it.

    Raises:
        ComponentError: it is another model, or another environment.
    """

    def __init__(self, experiment: RLExperiment, count: int) -> None:
        agent, env = experiment.agent, experiment.env
        if not isinstance(env, CompiledEnvironment):
            raise ComponentError(
                f"many seeds in one program need a CompiledEnvironment; train.env is a {type(env).__name__}"
            )
        learners = [_learner(agent, env, agent.config.seed + index) for index in range(count)]
        self._env, self._count, self._learner = env, count, learners[0]
        self._batch_size = agent.memory.batch_size if agent.memory is not None else 256
        self._actor_critic = self._learner.actor_critic
        self._trained = self._actor_critic.weights
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
        self._states, self._ages = self._begin(env.num_envs)
        self._program = tf.function(self._iterate, autograph=False)
        self._greedy = tf.function(self._play, autograph=False)

    def train(self, timesteps: int, looks: int) -> Iterator[Look]:
        """Train each seed for so many actions, and look at all of them so often on the way.

        Args:
            timesteps: of each seed.
            looks: how many looks there are, evenly spread; the last is at the end.
        """
        iterations = -(-timesteps // self._batch_size)
        stops = {round(iterations * (look + 1) / looks) for look in range(looks)}
        for iteration in range(1, iterations + 1):
            self._states, self._ages = self._program(self._states, self._ages, self._draw())
            if iteration in stops:
                yield Look(iteration * self._batch_size, self._greedy(self._draw()).numpy())

    def _draw(self) -> np.ndarray:
        return self._rng.integers(0, 2**31, 2, np.int32)

    def _begin(self, copies: int) -> tuple[Any, Any]:
        total = self._count * copies
        return self._env.dynamics.initial(tf.constant(self._draw()), total), tf.zeros(
            total, tf.int32
        )

    def _each(self, function: Callable[..., Any], *columns: Any) -> Any:
        """What a function of the networks gives for each seed's part of columns [S, …], with that seed's weights."""

        def of_one(arguments: Any) -> Any:
            weights, parts = arguments
            with keras.StatelessScope(state_mapping=list(zip(self._trained, weights, strict=True))):
                return function(*parts)

        return tf.vectorized_map(
            of_one, ([tf.convert_to_tensor(weight) for weight in self._weights], columns)
        )

    def _by_seed(self, column: Any) -> Any:
        """[S · N, …] as [S, N, …]."""
        return tf.reshape(column, [self._count, -1, *column.shape[1:]])

    def _parameters(self, observations: Any) -> Any:
        """The parameters of each copy's policy, [S · N, P]."""
        found = self._each(
            lambda part: self._actor_critic.policy(as_features(part)), self._by_seed(observations)
        )
        return tf.reshape(found, [observations.shape[0], found.shape[-1]])

    def _values(self, observations: Any) -> Any:
        """V of each row [T · S · N, O] of T steps, [T, S · N]."""
        rows = tf.reshape(observations, [self._steps, self._count, -1, observations.shape[-1]])
        by_seed = tf.reshape(
            tf.transpose(rows, [1, 0, 2, 3]), [self._count, -1, observations.shape[-1]]
        )
        found = self._each(lambda part: self._actor_critic.value(as_features(part)), by_seed)
        found = tf.transpose(tf.reshape(found, [self._count, self._steps, -1]), [1, 0, 2])
        return tf.reshape(found, [self._steps, -1])

    def _iterate(self, states: Any, ages: Any, seed: Any) -> tuple[Any, Any]:
        """A rollout and its updates."""
        learner = self._learner
        clip_range = learner.clip_range(tf.convert_to_tensor(self._optimizer.iterations))
        rows, states, ages = roll_out(self._env, self._act, states, ages, seed, self._steps)
        values = self._values(rows["state"]), self._values(rows["next_state"])
        columns = with_advantages(rows, *values, learner.discount, learner.gae_lambda)
        batch = {name: self._seed_major(column) for name, column in columns.items()}
        batch["log_prob"] = tf.stop_gradient(self._each(self._log_probs, batch))
        count = batch["returns"].shape[1]
        size = learner.minibatch_size or count

        def learn(epoch: Any) -> Any:
            keys = tf.random.stateless_uniform(
                (self._count, count), tf.stack([seed[0], seed[1] ^ (epoch + 1)])
            )
            orders = tf.argsort(keys, axis=-1)

            def update(index: Any) -> Any:
                chosen = tf.ensure_shape(
                    orders[:, index * size : (index + 1) * size], [self._count, size]
                )
                self._update(
                    {
                        name: tf.gather(column, chosen, batch_dims=1)
                        for name, column in batch.items()
                    },
                    clip_range,
                )
                return index + 1

            tf.while_loop(lambda index: index < count // size, update, (tf.constant(0),))
            return epoch + 1

        tf.while_loop(lambda epoch: epoch < learner.epochs, learn, (tf.constant(0),))
        return states, ages

    def _log_probs(self, batch: Mapping[str, Any]) -> Any:
        return self._actor_critic.distribution.log_prob(
            self._actor_critic.parameters(batch), batch["action"]
        )

    def _update(self, batch: Mapping[str, Any], clip_range: Any) -> None:
        with tf.GradientTape() as tape:
            losses = self._each(
                lambda part: self._learner.loss_fn(part, clip_range)[0], dict(batch)
            )
            total = tf.reduce_sum(losses)
        gradients = tape.gradient(total, self._weights)
        if self._learner.clip_gradients is not None:
            gradients = _clipped(gradients, self._learner.clip_gradients)
        self._optimizer.apply(gradients, self._weights)

    def _act(self, observations: Any, seed: Any) -> Any:
        return self._actor_critic.distribution.draw(self._parameters(observations), seed)

    def _seed_major(self, column: Any) -> Any:
        """[T, S · N, …] as [S, T · N, …]."""
        rest = column.shape[2:]
        parted = tf.reshape(column, [self._steps, self._count, -1, *rest])
        moved = tf.transpose(parted, [1, 0, 2, *range(3, 3 + len(rest))])
        return tf.reshape(moved, [self._count, self._batch_size, *rest])

    def _play(self, seed: Any) -> Any:
        """The mean return of greedy episodes of each seed, [S]."""
        env, total = self._env, self._count * GREEDY_COPIES
        dynamics = env.dynamics
        states, ages = dynamics.initial(seed, total), tf.zeros(total, tf.int32)
        returns, going = tf.zeros(total), tf.ones(total, tf.bool)

        def step(states: Any, ages: Any, returns: Any, going: Any) -> tuple[Any, ...]:
            actions = self._actor_critic.distribution.mode(
                self._parameters(dynamics.observe(states))
            )
            moved = advance(
                dynamics,
                states,
                ages,
                stretch(actions, dynamics.action_space),
                seed,
                env.max_episode_steps,
            )
            returns += tf.where(going, moved.rewards, 0.0)
            return moved.states, moved.ages, returns, going & ~(moved.terminated | moved.truncated)

        begin, most = (states, ages, returns, going), env.max_episode_steps
        returns = tf.while_loop(
            lambda *now: tf.reduce_any(now[-1]), step, begin, maximum_iterations=most
        )[2]
        return tf.reduce_mean(tf.reshape(returns, [self._count, GREEDY_COPIES]), axis=1)


def draw(looks: Sequence[Look], path: Path) -> None:
    """Draw the median of the seeds, the half of them about it, and each by itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    timesteps = [look.timesteps for look in looks]
    returns = np.stack([look.returns for look in looks])
    low, middle, high = np.percentile(returns, [25, 50, 75], axis=1)
    figure = Figure(figsize=(7, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(timesteps, returns, color="#b9c4d0", linewidth=0.6)
    axes.fill_between(timesteps, low, high, color="#4269d0", alpha=0.25, linewidth=0)
    axes.plot(timesteps, middle, color="#4269d0", linewidth=2)
    axes.set_title(
        f"greedy return of {returns.shape[1]} seeds: median, middle half, each", fontsize=10
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
            "many seeds in one program are for A2CModel and PPOModel, and for PPOModel without target_kl"
        )
    return learner


def _clipped(gradients: list[Any], largest: float) -> list[Any]:
    """Gradients [S, …] of which each seed's have a global norm of at most `largest`."""
    squares = [
        tf.reduce_sum(tf.square(gradient), axis=range(1, len(gradient.shape)))
        for gradient in gradients
    ]
    scale = largest / tf.maximum(tf.sqrt(functools.reduce(tf.add, squares)), largest)
    return [
        gradient * tf.reshape(scale, [-1] + [1] * (len(gradient.shape) - 1))
        for gradient in gradients
    ]
