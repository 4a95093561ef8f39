"""Environments that are TensorFlow programs: equal to gymnasium's, exact in what they keep, and learnt in."""

import json

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from tests.rl.agents import make_agent

import plx_core as plx
from plx_core import testing
from plx_core.testing import CheckFailed
from plx_rl.distributions import Bernoulli, Categorical, DiagonalGaussian, MultiCategorical
from plx_rl.dynamics.dynamics import Dynamics
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.losses.multistep import generalized_advantages_on_host

IDS = ("CartPole-v1", "Pendulum-v1", "Acrobot-v1", "MountainCar-v0", "MountainCarContinuous-v0")


def transitions(env_id, episodes=10, longest=150):
    """States, actions, what followed, rewards and ends of gymnasium's own environment, at random actions."""
    env = gymnasium.make(env_id).unwrapped
    env.action_space.seed(3)
    rows = []
    for episode in range(episodes):
        env.reset(seed=episode)
        for _ in range(longest):
            before, action = np.array(env.state, np.float64), env.action_space.sample()
            observation, reward, terminated, _, _ = env.step(action)
            rows.append(
                (before, action, np.array(env.state, np.float64), observation, reward, terminated)
            )
            if terminated:
                break
    return [np.array(column) for column in zip(*rows, strict=True)]


def wound(angles):
    """Angles that may differ by whole turns, as points of a circle."""
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=-1)


@pytest.mark.parametrize("env_id", IDS)
def test_each_step_is_gymnasiums(env_id):
    before, actions, after, observations, rewards, terminated = transitions(env_id)
    dynamics = CompiledEnvironment(env_id).dynamics
    states, actual_rewards, actual_terminated = dynamics.move(
        tf.constant(before, tf.float32), tf.constant(actions)
    )
    if env_id in ("Pendulum-v1", "Acrobot-v1"):
        angles = 1 if env_id == "Pendulum-v1" else 2
        np.testing.assert_allclose(
            wound(states[:, :angles].numpy()), wound(after[:, :angles]), atol=1e-4
        )
        np.testing.assert_allclose(states[:, angles:], after[:, angles:], atol=1e-4)
    else:
        np.testing.assert_allclose(states, after, atol=1e-4)
    np.testing.assert_allclose(dynamics.observe(states), observations, atol=1e-4)
    np.testing.assert_allclose(actual_rewards, rewards, atol=1e-4)
    np.testing.assert_array_equal(actual_terminated, terminated)
    spec = gymnasium.spec(env_id)
    env = gymnasium.make(env_id)
    assert dynamics.max_episode_steps == spec.max_episode_steps
    assert dynamics.action_space == env.action_space
    np.testing.assert_allclose(
        dynamics.observation_space.high, env.observation_space.high, rtol=1e-6
    )


@pytest.mark.parametrize("env_id", IDS)
def test_episodes_begin_where_gymnasiums_do(env_id):
    starts = CompiledEnvironment(env_id).dynamics.initial(tf.constant([1, 2]), 500).numpy()
    env = gymnasium.make(env_id).unwrapped
    own = []
    for seed in range(500):
        env.reset(seed=seed)
        own.append(np.array(env.state))
    np.testing.assert_allclose(starts.min(axis=0), np.min(own, axis=0), atol=0.05)
    np.testing.assert_allclose(starts.max(axis=0), np.max(own, axis=0), atol=0.05)
    np.testing.assert_allclose(starts.mean(axis=0), np.mean(own, axis=0), atol=0.3)


def play(env, steps, seed=0):
    rng = np.random.default_rng(seed)
    discrete = isinstance(env.action_space, gymnasium.spaces.Discrete)
    return [
        env.step(
            rng.integers(0, env.action_space.n, env.num_envs)
            if discrete
            else rng.uniform(-1.5, 1.5, (env.num_envs, 1)).astype(np.float32)
        )
        for _ in range(steps)
    ]


def test_episodes_end_and_begin_as_a_step_says():
    env = CompiledEnvironment("CartPole-v1", 16, max_episode_steps=12, seed=5)
    observations, ages = env.reset(), np.zeros(16, int)
    kinds = set()
    for step in play(env, 60):
        ages += 1
        steepest = np.abs(step.final_observations[:, 2]) > 0.20943
        np.testing.assert_array_equal(
            step.terminated, steepest | (np.abs(step.final_observations[:, 0]) > 2.4)
        )
        np.testing.assert_array_equal(step.truncated, (ages == 12) & ~step.terminated)
        begun = np.abs(step.observations).max(axis=1) <= 0.05
        assert begun[step.ended].all()
        np.testing.assert_array_equal(
            step.observations[~step.ended], step.final_observations[~step.ended]
        )
        ages[step.ended] = 0
        kinds |= {"terminated"} if step.terminated.any() else set()
        kinds |= {"truncated"} if step.truncated.any() else set()
        assert not np.shares_memory(observations, step.observations)
    assert kinds == {"terminated", "truncated"}


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_a_state_goes_on_exactly(env_id):
    env, other = CompiledEnvironment(env_id, 3, seed=1), CompiledEnvironment(env_id, 3, seed=2)
    env.reset()
    play(env, 40)
    state = json.loads(json.dumps(env.state(), default=lambda array: array.tolist()))
    expected = play(env, 40, seed=4)
    other.restore(state)
    for one, same in zip(expected, play(other, 40, seed=4), strict=True):
        for name in ("observations", "rewards", "terminated", "truncated", "final_observations"):
            np.testing.assert_array_equal(getattr(one, name), getattr(same, name))


@pytest.mark.parametrize(
    ("distribution", "parameters"),
    [
        (Categorical(3), [[0.0, 1.0, 2.0]]),
        (MultiCategorical((2, 3)), [[0.0, 1.0, 0.5, 0.0, -1.0]]),
        (Bernoulli(2), [[1.0, -0.5]]),
        (DiagonalGaussian(1), [[0.7, -0.3]]),
    ],
)
def test_what_a_program_draws_is_distributed_as_what_the_host_draws(distribution, parameters):
    rows = np.repeat(np.array(parameters, np.float32), 20_000, axis=0)
    actions = distribution.draw(tf.constant(rows), tf.constant([3, 4])).numpy()
    host = np.asarray(distribution.sample(rows, np.random.default_rng(0)))
    assert actions.dtype == host.dtype
    assert actions.shape == host.shape
    np.testing.assert_allclose(actions.mean(axis=0), host.mean(axis=0), atol=0.03)
    np.testing.assert_allclose(actions.std(axis=0), host.std(axis=0), atol=0.03)
    np.testing.assert_array_equal(
        actions, distribution.draw(tf.constant(rows), tf.constant([3, 4])).numpy()
    )
    assert (actions != distribution.draw(tf.constant(rows), tf.constant([3, 5])).numpy()).any()


def agent_of(directory, model="PPOModel", env_id="CartPole-v1", batch_size=512, **parameters):
    graph = plx.Graph(
        layers=[{"Dense": {"units": 32, "activation": "tanh"}}], input_layers=["state"]
    )

    def model_fn(features, labels, mode):
        return getattr(plx.models, model)(mode, graph=graph, **parameters)(features, labels)

    return plx.Agent(
        model_fn,
        {"BatchMemory": {"batch_size": batch_size}},
        directory,
        plx.EnvironmentConfig(seed=3),
    )


def test_a_program_estimates_what_the_host_does(tmp_path):
    env = CompiledEnvironment("CartPole-v1", 8, max_episode_steps=15, seed=0)
    env.reset()
    learner = agent_of(tmp_path).build("train", env).learner
    fused = learner.fuse(env, 320)
    rows, states, ages = tf.function(fused._roll_out)(env.states, env.ages, tf.constant([1, 2]))
    batch = fused._with_estimates(rows)
    values = learner.actor_critic.value({"state": batch["state"]}).numpy().reshape(40, 8)
    following = (
        learner.actor_critic.value({"state": tf.reshape(rows["next_state"], [-1, 4])})
        .numpy()
        .reshape(40, 8)
    )
    rewards, terminated, truncated = (
        rows[name].numpy() for name in ("reward", "terminated", "truncated")
    )
    assert terminated.any()
    assert truncated.any()
    expected = generalized_advantages_on_host(
        rewards,
        np.where(terminated, 0, 0.99),
        np.where(terminated | truncated, 0, 0.99),
        values,
        following,
        0.95,
    )
    np.testing.assert_allclose(batch["advantage"].numpy().reshape(40, 8), expected, atol=1e-4)
    np.testing.assert_allclose(
        batch["returns"].numpy().reshape(40, 8), expected + values, atol=1e-4
    )
    np.testing.assert_array_equal(
        rows["state"][1:][~(terminated | truncated)[:-1]],
        rows["next_state"][:-1][~(terminated | truncated)[:-1]],
    )
    assert (states.shape, ages.shape) == ((8, 4), (8,))


@pytest.mark.parametrize(
    ("model", "batch_size", "parameters"),
    [
        (
            "PPOModel",
            512,
            {
                "epochs": 4,
                "minibatch_size": 128,
                "optimizer": {"Adam": {"learning_rate": 0.003}},
                "gae_lambda": 0.9,
            },
        ),
        (
            "A2CModel",
            160,
            {"optimizer": {"RMSprop": {"learning_rate": 0.003}}, "normalize_advantages": True},
        ),
    ],
)
def test_it_learns_to_balance(model, batch_size, parameters, tmp_path):
    env = CompiledEnvironment("CartPole-v1", 32)
    agent = agent_of(tmp_path, model, batch_size=batch_size, discount=0.98, **parameters)
    agent.train(env, max_timesteps=38_400)
    assert agent.global_timestep == 38_400
    first, last = (
        [line["metrics"]["episode_return"] for line in agent.run_directory.read_metrics()][index]
        for index in (0, -1)
    )
    assert agent.evaluate(CompiledEnvironment("CartPole-v1", 8), 16)["episode_return"] > 150, (
        first,
        last,
    )


def test_the_same_weights_after_a_stop(tmp_path):
    weights = []
    for name, stops in (("whole", [6]), ("cut", [2, 6])):
        for stop in stops:
            agent = agent_of(tmp_path / name, batch_size=64, epochs=2, minibatch_size=32)
            agent.train(CompiledEnvironment("Pendulum-v1", 4), max_timesteps=64 * stop)
        assert (agent.global_step, agent.global_timestep) == (2 * 2 * 6, 64 * 6)
        weights.append([variable.numpy() for variable in agent.training_model.variables])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("model", ["DQNModel", "TRPOModel"])
def test_other_agents_act_in_it_step_by_step(model, tmp_path):
    graph = plx.Graph(layers=[{"Dense": {"units": 8}}], input_layers=["state"])
    agent = plx.Agent(
        lambda features, labels, mode: getattr(plx.models, model)(mode, graph=graph)(
            features, labels
        ),
        None,
        tmp_path,
    )
    agent.train(CompiledEnvironment("CartPole-v1", 4), first_update=100, max_steps=2)
    assert agent.global_step == 2


class Mistaken(plx.Environment):
    """A compiled environment whose actions are said to be another's."""

    def __init__(self, seed: int | None = None):
        self._env = CompiledEnvironment("Pendulum-v1", seed=seed)
        self.num_envs, self.seed = 1, seed

    observation_space = property(lambda self: self._env.observation_space)
    action_space = property(lambda self: self._env.action_space)
    raw_action_space = property(lambda self: self._env.raw_action_space)

    def raw_actions(self, actions):
        return 99.0 * actions

    def reset(self, seed=None):
        return self._env.reset(seed)

    def step(self, actions):
        return self._env.step(actions)

    def state(self):
        return self._env.state()

    def restore(self, state):
        self._env.restore(state)


def test_the_kit_compares_raw_actions_with_their_space():
    with pytest.raises(CheckFailed, match=r"(?s)an element of Box\(-2.0, 2.0.*override raw_action"):
        testing.check_environment(Mistaken)


class Total(Dynamics):
    """The observation is the last action, and the reward its sum."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    max_episode_steps = 9

    def __init__(self, action_space):
        self.action_space = action_space

    def initial(self, seed, count):
        return tf.zeros((count, 2))

    def move(self, states, actions):
        values = tf.reshape(tf.cast(actions, tf.float32), (-1, int(np.prod(actions.shape[1:]))))
        values = tf.broadcast_to(values, (states.shape[0], 2)) if values.shape[1] == 1 else values
        return values, tf.reduce_sum(values, -1), tf.zeros(states.shape[0], tf.bool)


@pytest.mark.parametrize(
    ("space", "actions", "expected"),
    [
        (gymnasium.spaces.Box(-np.inf, np.inf, (2,)), [[7.0, -9.0]], [7.0, -9.0]),
        (gymnasium.spaces.Box(np.float32([-np.inf, 0.0]), np.float32([1.0, np.inf])), [[7.0, -9.0]], [1.0, 0.0]),
        (gymnasium.spaces.Box(-2.0, 4.0, (2, 1)), [[0.5, -3.0]], [2.5, -2.0]),
        (gymnasium.spaces.Discrete(3, start=5), [2], [7.0, 7.0]),
        (gymnasium.spaces.MultiDiscrete([[2, 3]], start=[[1, -4]]), [[1, 2]], [2.0, -2.0]),
    ],
)  # fmt: skip
def test_dynamics_get_actions_of_their_own_space(space, actions, expected):
    env = CompiledEnvironment(Total(space), seed=1)
    env.reset()
    dtype = np.float32 if env.is_continuous else np.int64
    actions = np.array(actions, dtype)
    np.testing.assert_array_equal(env.step(actions).observations, [expected])
    raw = env.raw_actions(actions)
    assert env.raw_action_space.contains(np.asarray(raw[0]) if raw[0].shape else raw[0])
    assert env.raw_action_space == space


@pytest.mark.parametrize(
    "space", [gymnasium.spaces.Box(-np.inf, np.inf, (2,)), gymnasium.spaces.Discrete(3, start=5)]
)
def test_agents_learn_in_unbounded_and_shifted_spaces(space, tmp_path):
    agent = make_agent(tmp_path, "a2c", {"BatchMemory": {"batch_size": 8}})
    agent.train(CompiledEnvironment(Total(space), 2), max_timesteps=32)
    returns = agent.evaluate(CompiledEnvironment(Total(space)), 1)["episode_return"]
    assert np.isfinite(returns)
    assert isinstance(space, gymnasium.spaces.Box) or returns >= 9 * 2 * 5
