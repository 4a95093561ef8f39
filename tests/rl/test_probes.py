"""Environments in which every value is known: each algorithm learns the very numbers.

The probes are those of Andy Jones ("Debugging Reinforcement Learning Systems"), and some more, in one environment; see `worlds.Probes`.
Learning rates and lengths leave room: each algorithm passed with each of five seeds.
"""

import functools

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from plx_core.state import Modes
from plx_rl.environments.gym_environment import GymEnvironment

from .agents import make_agent
from .worlds import Counter, Identity, Probes

GAMMA = 0.8
HIDDEN = {"layers": [{"Dense": {"units": 32, "activation": "tanh"}}]}
NAMED = {"layers": ["Concatenate", {"Dense": {"units": 32, "activation": "tanh"}}]}
VALUES = {0: 1.0, 1: 1.0, 2: -1.0, 3: GAMMA, 4: 1.0, 5: 1.0, 6: 1.0, 7: 1.0, 8: 1.0 / (1.0 - GAMMA)}
"""What each situation is worth to who acts well."""
TOLERANCE = 0.15


def adam(learning_rate):
    return {"Adam": {"learning_rate": learning_rate}}


REPLAY = {"first_update": 200, "update_frequency": 8, "updates_per_block": 3}
VALUE_MODEL = {
    "loss": "MeanSquaredError",
    "exploration": "Random",
    "optimizer": adam(0.005),
    "target_update_frequency": 20,
}
MEMORY, BATCH, SHORT_BATCH = (
    {"Memory": {"size": 5000, "batch_size": 64}},
    {"BatchMemory": {"batch_size": 256}},
    {"BatchMemory": {"batch_size": 64}},
)
BASELINE = {"optimizer": adam(0.02), "value_optimizer": adam(0.01), "value_epochs": 8}
ALGORITHMS = {
    "dqn": ("dqn", MEMORY, VALUE_MODEL, {**REPLAY, "max_steps": 1200}),
    "ddqn": (
        "ddqn",
        {"PrioritizedMemory": {"size": 5000, "batch_size": 64}},
        {**VALUE_MODEL, "dueling": True},
        {**REPLAY, "max_steps": 1200},
    ),
    "naf": (
        "naf",
        MEMORY,
        {**VALUE_MODEL, "exploration": "Gaussian", "tau": 0.1, "target_update_frequency": 1},
        {**REPLAY, "max_steps": 1200},
    ),
    "vpg": ("vpg", BATCH, BASELINE, {"max_steps": 50}),
    "trpo": (
        "trpo",
        BATCH,
        {"optimizer": adam(0.01), "value_epochs": 8, "max_kl": 0.05},
        {"max_steps": 50},
    ),
    "a2c": (
        "a2c",
        SHORT_BATCH,
        {"optimizer": adam(0.01), "clip_gradients": None},
        {"max_steps": 300},
    ),
    "ppo": (
        "ppo",
        BATCH,
        {"optimizer": adam(0.005), "epochs": 5, "minibatch_size": 64},
        {"max_steps": 1000},
    ),
}
"""The model, the memory, parameters, and how long to train."""
POLICIES = ("vpg", "trpo", "a2c", "ppo")


def learn(path, algorithm, env, *, seed=5, **more):
    model, memory, params, length = ALGORITHMS[algorithm]
    agent = make_agent(
        path, model, memory, seed=seed, **{"graph": HIDDEN, "discount": GAMMA, **params, **more}
    )
    return agent.train(env, **length)


def outputs(agent, features=None):
    """What the network says of each situation, by name."""
    found = agent.training_model(features or {"state": np.eye(11, dtype=np.float32)})
    return (
        {name: part.numpy() for name, part in found.items()}
        if isinstance(found, dict)
        else {"q": found.numpy()}
    )


def assert_near(found, expected, tolerance=TOLERANCE):
    wrong = {
        place: (float(found[place]), value)
        for place, value in expected.items()
        if not abs(found[place] - value) <= tolerance
    }
    assert not wrong, f"place: (found, expected) {wrong}"


def assert_acts_legally(agent, env):
    """The environment refuses what is not legal, and the better action is the one that is not legal where 10 leads to."""
    metrics = agent.evaluate(env, 40)
    assert metrics["episodes"] == 40
    assert (metrics["episode_return_min"], metrics["episode_return_max"]) == (-1.0, 4.0)


@pytest.mark.parametrize("algorithm", ["dqn", "ddqn"])
def test_action_values(tmp_path, algorithm):
    env = GymEnvironment(Probes, 8)
    agent = learn(tmp_path, algorithm, env)
    q = outputs(agent)["q"]
    assert_near(q.max(-1), VALUES)
    assert_near(q[:, 0], {5: 1.0, 6: 1.0, 7: -1.0, 9: 3.0})
    assert_near(q[:, 1], {5: -1.0, 6: -1.0, 7: 1.0, 9: 1.0})
    assert_near(
        q.max(-1), {10: GAMMA}
    )  # not 3 γ: what is not legal does not count in the target's maximum either
    assert_acts_legally(agent, env)


@pytest.mark.parametrize("algorithm", POLICIES)
def test_policies_and_their_values(tmp_path, algorithm):
    env = GymEnvironment(Probes, 8)
    agent = learn(tmp_path, algorithm, env)
    found = outputs(agent)
    assert_near(found["value"][:, 0], VALUES)
    right = 1.0 / (1.0 + np.exp(found["policy"][:, 1] - found["policy"][:, 0]))
    assert_near(right, {5: 1.0, 6: 1.0, 7: 0.0, 9: 1.0}, 0.1)
    assert_acts_legally(agent, env)


@pytest.mark.parametrize("algorithm", ["naf", *POLICIES])
def test_continuous_actions(tmp_path, algorithm):
    more = {"log_std": -1.0} if algorithm in POLICIES else {}
    agent = learn(
        tmp_path, algorithm, GymEnvironment(functools.partial(Probes, continuous=True), 8), **more
    )
    found = outputs(agent)
    assert_near(found["value"][:, 0], VALUES)
    assert_near(found["mu" if algorithm == "naf" else "policy"][:, 0], {5: 0.5, 6: 0.5, 7: -0.5})
    if algorithm == "naf":  # what is paid falls by the square of how far an action is off: ½ P = 1
        assert_near(np.exp(2.0 * found["entries"][:, 0]), {5: 2.0, 6: 2.0, 7: 2.0}, 0.3)


@pytest.mark.parametrize("algorithm", ["dqn", "ppo"])
def test_an_episode_that_truly_ends_is_worth_less_than_one_cut_short(tmp_path, algorithm):
    agent = learn(tmp_path, algorithm, GymEnvironment(functools.partial(Probes, ends=True), 8))
    found = outputs(agent)
    # How many steps are left cannot be seen. The mean return is what whole episodes teach; one step at a time teaches V = 1 + ¾ γ V.
    if algorithm == "dqn":
        assert_near(found["q"].max(-1), {8: 1.0 / (1.0 - 0.75 * GAMMA)}, 0.6)
    else:
        assert_near(
            found["value"][:, 0],
            {8: np.mean([sum(GAMMA**step for step in range(left)) for left in (4, 3, 2, 1)])},
            0.6,
        )


@pytest.mark.parametrize(
    ("algorithm", "space"),
    [
        ("ppo", spaces.MultiDiscrete([3, 2])),
        ("trpo", spaces.MultiDiscrete([2, 4])),
        ("a2c", spaces.MultiBinary(3)),
        ("vpg", spaces.MultiBinary(2)),
    ],
)
def test_actions_of_many_parts_and_observations_by_name(tmp_path, algorithm, space):
    agent = learn(
        tmp_path, algorithm, GymEnvironment(functools.partial(Identity, space), 8), graph=NAMED
    )
    metrics = agent.evaluate(GymEnvironment(functools.partial(Identity, space), 4), 20)
    assert metrics["episode_return"] > 3.9


class Named(gymnasium.ObservationWrapper):
    """The observation under a name, beside another that says nothing."""

    def __init__(self, env):
        super().__init__(env)
        self.observation_space = spaces.Dict(
            {"place": env.observation_space, "nothing": spaces.Box(0.0, 1.0, (2,), np.float32)}
        )

    def observation(self, observation):
        return {"place": observation, "nothing": np.zeros(2, np.float32)}


def test_values_of_observations_by_name(tmp_path):
    agent = learn(tmp_path, "dqn", GymEnvironment(lambda: Named(Probes()), 8), graph=NAMED)
    q = outputs(
        agent, {"place": np.eye(11, dtype=np.float32), "nothing": np.zeros((11, 2), np.float32)}
    )["q"]
    assert_near(q.max(-1), {**VALUES, 9: 3.0, 10: GAMMA})


@pytest.mark.parametrize("model", ["a2c", "ppo", "trpo", "vpg"])
def test_advantages_by_hand(tmp_path, model):
    """Three steps of two environments with V(s) = s and γ = λ = ½: A = δ + ¼ A', where the episode went on."""
    agent = make_agent(
        tmp_path,
        model,
        graph_fn=lambda mode, features: features["state"],
        graph=None,
        discount=0.5,
        gae_lambda=0.5,
    )
    spec = agent.build(Modes.TRAIN, GymEnvironment(Counter))
    kernel = next(
        weight
        for weight in spec.learner.actor_critic.value_weights
        if weight.path.endswith("kernel")
    )
    kernel.assign([[0.0], [1.0]])
    steps = [  # the first, the second, the first, …: V(s), the reward, V(s'), and whether the environment terminated, or the episode was cut short
        (1.0, 1.0, 2.0, False, False),
        (4.0, 0.0, 8.0, False, True),
        (2.0, 0.0, 6.0, True, False),
        (0.0, 1.0, 1.0, False, False),
        (3.0, 2.0, 2.0, False, False),
        (1.0, 0.0, 4.0, True, True),
    ]
    v, reward, following, terminated, truncated = (
        np.array(column) for column in zip(*steps, strict=True)
    )

    def states(values):
        return np.stack([np.full(6, 7.0), values], -1).astype(np.float32)

    batch = {
        "state": states(v),
        "next_state": states(following),
        "reward": reward,
        "terminated": terminated,
        "truncated": truncated,
    }
    found = spec.learner.estimate(batch | {"valid": np.array([1, 1, 1, 0, 1, 1], bool)}, 2)
    # The first: 1 + ½·2 - 1 = 1 and ¼ of what follows; 0 - 2, for it terminated; 2 + ½·2 - 3. The second: 0 + ½·8 - 4, cut short;
    # 1 + ½·1 - 0 = 1½ and ¼ of what follows; 0 - 1, for what is terminated and cut is terminated.
    assert found.advantages.tolist() == [0.5, 0.0, -2.0, 1.25, 0.0, -1.0]
    assert found.returns.tolist() == (found.advantages + v).tolist()
    assert found.values.tolist() == v.tolist()
    assert found.weights.tolist() == [1, 1, 1, 0, 1, 1]
