"""Train many seeds of one experiment with one program: A2C and PPO in compiled environments."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from attrs import define, frozen

from plx_core import FusedProgram, Modes, RLExperiment, State, as_features
from plx_core.errors import ComponentError
from plx_core.types import Tensor
from plx_rl.dynamics.dynamics import advance
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.learners.actor_critic_learner import ActorCriticLearner

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


@define
class Seed:
    """What one seed has come to.

    Args:
        learner: the state of its learner: weights, optimizer and generators.
        env: the state of its environments.
    """

    learner: State
    env: State


class Seeds:
    """Agents that differ in their seeds alone, trained by one program in turns.

    The program is traced once. Each seed is trained as it is alone, bit for bit; callbacks have no
    part in it.

    Args:
        experiments: of A2C or PPO in a `CompiledEnvironment`, one for each of S seeds.

    Raises:
        ComponentError: the model or the environment is another one, or training does not start
            from initial weights.
    """

    def __init__(self, experiments: Sequence[RLExperiment]) -> None:
        self._env, agent = _compiled_env(experiments[0]), experiments[0].agent
        learners = [_learner(experiment) for experiment in experiments]
        experiments[0].try_out()  # the first agent now has a memory, which fits
        self._learner = learners[0]
        self._learner.compile(xla=agent.config.xla is True)
        self._batch_size = agent.memory.batch_size if agent.memory is not None else 0
        program = self._learner.fuse(self._env, self._batch_size)
        if program is None:
            raise ComponentError("the learner has no program that acts in these environments")
        self._program: FusedProgram = program
        self.seeds = [
            Seed(learner.state(), self._start(experiment))
            for learner, experiment in zip(learners, experiments, strict=True)
        ]
        self._rng = np.random.default_rng(agent.config.seed)
        self._greedy_program = tf.function(self._greedy_return, autograph=False)

    def train(self, timesteps: int, looks: int) -> Iterator[Look]:
        """Train all seeds, and yield evenly spaced evaluations.

        Args:
            timesteps: the number of actions of each seed.
            looks: the number of evaluations; the last one is at the end.
        """
        iterations = math.ceil(timesteps / self._batch_size)
        done = 0
        for stop in sorted({round(iterations * (look + 1) / looks) for look in range(looks)} - {0}):
            greedy_seed = self._rng.integers(0, 2**31, 2, np.int32)
            returns = [self._train(seed, stop - done, greedy_seed) for seed in self.seeds]
            done = stop
            yield Look(stop * self._batch_size, np.array(returns))

    def _train(self, seed: Seed, iterations: int, greedy_seed: np.ndarray) -> float:
        """Train one seed further, and return its mean return."""
        self._learner.restore(seed.learner)
        self._env.restore(seed.env)
        for _ in range(iterations):
            self._program.run()
        seed.learner, seed.env = self._learner.state(), self._env.state()
        weights = {**seed.learner["variables"], **seed.learner["averages"]}
        self._learner.restore({**seed.learner, "variables": weights})  # as `plx run` evaluates
        return float(self._greedy_program(greedy_seed))

    def _start(self, experiment: RLExperiment) -> State:
        """Return the first state of the environments of a seed."""
        seed = experiment.env.seed
        self._env.reset(seed=experiment.agent.config.seed if seed is None else seed)
        return self._env.state()

    def _greedy_return(self, seed: Tensor) -> Tensor:
        """Return the mean return of greedy episodes, a scalar."""
        dynamics, actor_critic = self._env.dynamics, self._learner.actor_critic
        max_steps = self._env.max_episode_steps

        def step(
            states: Tensor, ages: Tensor, returns: Tensor, is_running: Tensor
        ) -> tuple[Tensor, ...]:
            parameters = actor_critic.policy(as_features(dynamics.observe(states)))
            actions = self._env.decoder.decode_tensor(actor_critic.distribution.mode(parameters))
            result = advance(dynamics, states, ages, actions, seed, max_steps)
            returns += tf.where(is_running, result.rewards, 0.0)
            is_running &= ~(result.terminated | result.truncated)
            return result.states, result.ages, returns, is_running

        initial = (
            dynamics.initial(seed, GREEDY_COPIES),
            tf.zeros(GREEDY_COPIES, tf.int32),
            tf.zeros(GREEDY_COPIES),
            tf.ones(GREEDY_COPIES, tf.bool),
        )
        _, _, returns, _ = tf.while_loop(
            lambda *variables: tf.reduce_any(variables[-1]),
            step,
            initial,
            maximum_iterations=max_steps,
        )
        return tf.reduce_mean(returns)


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


def _compiled_env(experiment: RLExperiment) -> CompiledEnvironment:
    """Return the environment of experiments whose seeds can be trained by one program.

    Raises:
        ComponentError: they cannot.
    """
    if not isinstance(experiment.env, CompiledEnvironment):
        raise ComponentError(
            "many seeds in one program need a CompiledEnvironment; "
            f"train.env is a {type(experiment.env).__name__}"
        )
    if experiment.agent.warm_start is not None:
        raise ComponentError(
            "many seeds in one program start from initial weights; leave train.warm_start out"
        )
    return experiment.env


def _learner(experiment: RLExperiment) -> ActorCriticLearner:
    learner = experiment.agent.build(Modes.TRAIN, experiment.env).learner
    if not isinstance(learner, ActorCriticLearner):
        raise ComponentError("many seeds in one program are for A2CModel and PPOModel")
    return learner
