"""The exported policy, `predict` and `play` do what the agent does, in each space and by each model."""

import functools
import json
from pathlib import Path

import gymnasium
import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from attrs import evolve
from click.testing import CliRunner
from gymnasium import spaces

import plx_core as plx
from plx_core.cli.main import main
from plx_core.data.arrays import numpy_input_fn
from plx_core.errors import ComponentError, DataError
from plx_rl.environments.gym_environment import GymEnvironment
from plx_rl.environments.spaces import number_of_choices
from plx_rl.memories import demonstrations
from plx_rl.memories.demonstration_memory import DemonstrationMemory

from .agents import fingerprint, make_agent

REPLAY = {"Memory": {"size": 100, "batch_size": 4}}
ROLLOUT = {"BatchMemory": {"batch_size": 32}}
LENGTH = 12

VECTOR = spaces.Box(-3.0, 3.0, (3,), np.float32)
PARTS = spaces.Dict(
    {
        "image": spaces.Box(0, 255, (4, 4, 1), np.uint8),
        "precise": spaces.Box(-1e3, 1e3, (2,), np.float64),
        "number": spaces.Box(-5, 5, (2,), np.int32),
        "one": spaces.Discrete(3, start=-1),
        "several": spaces.MultiDiscrete([[2, 3], [4, 2]], start=[[5, -1], [0, 7]]),
        "bits": spaces.MultiBinary((2, 2)),
    }
)
ONE = spaces.Discrete(3, start=5)
SEVERAL = spaces.MultiDiscrete([[2, 3], [4, 2]], start=[[5, -1], [0, 7]])
BITS = spaces.MultiBinary((2, 2))
SCALED = spaces.Box(np.array([-2.0, 0.0], "f4"), np.array([2.0, 10.0], "f4"))
COLUMN = spaces.Box(np.array([[-2.0], [0.5]]), np.array([[2.0], [0.75]]), dtype=np.float64)
HALF_BOUNDED = spaces.Box(np.array([-np.inf, 0.0], "f4"), np.array([1.0, np.inf], "f4"))


class World(gymnasium.Env):
    """Observes samples, and takes an action only if it is in its space and legal."""

    def __init__(self, observation_space=VECTOR, action_space=ONE, masked=False):
        self.observation_space, self.action_space = observation_space, action_space
        self.masked = masked
        self.episodes = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.actions, self.observations = [], []
        self.episodes.append((self.actions, self.observations))
        return self.observe()

    def observe(self):
        choices = number_of_choices(self.action_space)
        self.legal = np.arange(choices) % 2 == len(self.actions) % 2
        self.observations.append(self.observation_space.sample())
        return self.observations[-1], {"action_mask": self.legal} if self.masked else {}

    def step(self, action):
        if isinstance(self.action_space, spaces.Box):
            assert action.dtype == self.action_space.dtype
        assert self.action_space.contains(action), action
        assert not self.masked or self.is_legal(action), (action, self.legal)
        self.actions.append(action)
        observation, info = self.observe()
        return observation, float(np.sum(action)), False, len(self.actions) == LENGTH, info

    def is_legal(self, action):
        space = self.action_space
        sizes = np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)
        offsets = np.ravel(action - self.action_space.start)
        parts = np.split(self.legal, np.cumsum(sizes)[:-1])
        return all(
            part[offset] or not part.any() for part, offset in zip(parts, offsets, strict=True)
        )


CASES = {
    "dqn": (VECTOR, ONE, {}),
    "dqn parts": (PARTS, ONE, {}),
    "dqn masked": (VECTOR, ONE, {"masked": True}),
    "ddqn": (spaces.Discrete(4, start=2), ONE, {"masked": True}),
    "dqn dueling": (spaces.MultiBinary(3), ONE, {}),
    "ppo": (VECTOR, SCALED, {}),
    "ppo masked": (VECTOR, SEVERAL, {"masked": True}),
    "ppo parts": (PARTS, SEVERAL, {}),
    "ppo unscaled": (VECTOR, HALF_BOUNDED, {"scale_actions": False}),
    "a2c": (VECTOR, BITS, {}),
    "a2c share_graph": (VECTOR, COLUMN, {}),
    "vpg": (spaces.MultiDiscrete([2, 3], start=[1, 1]), ONE, {"masked": True}),
    "trpo": (VECTOR, HALF_BOUNDED, {}),
    "naf": (VECTOR, COLUMN, {}),
    "naf unscaled": (VECTOR, COLUMN, {"scale_actions": False}),
}
IN_KERAS_TOO = ("dqn masked", "ppo parts", "a2c", "naf unscaled")
PARAMS = {
    "dqn parts": {"seed": 8},
    "dqn dueling": {"dueling": "mean"},
    "a2c share_graph": {"share_graph": True, "log_std": 1.0},
    "vpg": {"baseline": False},
    "naf": {"exploration": "GaussianNoise"},
}


def graph_of(space):
    names = list(space.spaces) if isinstance(space, spaces.Dict) else ["state"]
    flat = [{"Flatten": {"name": f"flat_{name}", "inbound_nodes": [name]}} for name in names]
    joined = [
        {"Concatenate": {"name": "all", "inbound_nodes": [f"flat_{name}" for name in names]}},
        "LayerNormalization",
    ]
    return {
        "input_layers": names,
        "layers": [*flat, *(joined if len(names) > 1 else []), {"Dense": {"units": 5}}],
    }


def environment(case, num_envs=1, wrappers=()):
    observation_space, action_space, options = CASES[case]
    masked = options.get("masked", False)
    world = functools.partial(World, observation_space, action_space, masked)
    scale = {name: value for name, value in options.items() if name == "scale_actions"}
    return GymEnvironment(world, num_envs, wrappers=list(wrappers), seed=3, **scale)


def trained(case, path, wrappers=()):
    model = case.split()[0]
    memory = REPLAY if model in ("dqn", "ddqn", "naf") else ROLLOUT
    params = {"minibatch_size": 4} if model == "ppo" else {}
    params |= {"graph": graph_of(CASES[case][0])} | PARAMS.get(case, {})
    if model in ("ppo", "a2c", "trpo"):
        params |= {"log_std": 1.0}
    agent = make_agent(path, model, memory, **params)
    return agent.train(environment(case, 2, wrappers), 8, 4, max_timesteps=32)


def columns_of(rows):
    """The features of played steps, as arrays by name."""
    names = rows[0].keys() - {"action", "reward", "terminated", "truncated"}
    return {name: np.stack([row[name] for row in rows]) for name in names}


def same_actions(found, expected):
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_exported_policies_and_predictions_do_what_the_agent_does(case, tmp_path):
    wrappers = ["NormalizeObservation", {"ClipObservation": {"minimum": -2, "maximum": 2}}]
    wrappers = wrappers if case in ("dqn parts", "ppo", "trpo") else []
    agent = trained(case, tmp_path / "run", wrappers)
    env = environment(case, wrappers=wrappers)
    world = env._vector._envs[0].unwrapped
    steps = agent.play(env)
    rows = [next(steps) for _ in range(LENGTH)]
    # What the environment itself was given and observed, and nothing else, is what is played.
    taken, observations = world.episodes[0]
    np.testing.assert_array_equal([row["action"] for row in rows], taken)
    observed = [item if isinstance(item, dict) else {"state": item} for item in observations[:-1]]
    features = columns_of(rows)
    assert ("action_mask" in features) == world.masked
    for name in observed[0]:
        np.testing.assert_array_equal(features[name], [item[name] for item in observed])
    assert [row["reward"] for row in rows] == pytest.approx([np.sum(row["action"]) for row in rows])
    assert next(steps, None) is None
    actions = np.stack([row["action"] for row in rows])
    assert len(np.unique(actions.reshape(LENGTH, -1), axis=0)) > 1

    env = environment(case, wrappers=wrappers)
    data = numpy_input_fn(features, None, batch_size=5, num_epochs=1, shuffle=False)
    predicted = np.stack([row["action"] for row in agent.predict(data, ["action"], env=env)])
    same_actions(predicted, actions)
    policy = tf.saved_model.load(str(agent.export(tmp_path / "policy", env)))
    tensors = {name: tf.constant(value) for name, value in features.items()}
    same_actions(policy.serve(tensors)["action"].numpy(), actions)
    if case not in IN_KERAS_TOO:
        return
    agent.export(tmp_path / "keras", env, format="keras")
    network = keras.saving.load_model(tmp_path / "keras" / "model.keras")
    same_actions(network(tensors)["action"].numpy(), actions)


def test_naf_covers_the_bounds_of_unscaled_actions(tmp_path):
    env = GymEnvironment("Pendulum-v1", scale_actions=False, seed=1)
    torques = []
    step = env.step
    env.step = lambda actions: torques.append(actions) or step(actions)
    agent = make_agent(tmp_path, "naf", REPLAY, exploration={"GaussianNoise": {"scale": 0.8}})
    agent.train(env, 100, 10, max_timesteps=99)
    assert np.abs(torques).max() == 2.0
    assert (np.abs(torques) > 1.0).mean() > 0.2
    spec = agent.build("train", env)
    spec.network.get_layer("mu").set_weights([np.full((8, 1), 50.0), np.full(1, 50.0)])
    features = {"state": tf.constant([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])}
    assert np.abs(spec.network(features)["mu"]).max() == 2.0
    unbounded = GymEnvironment(functools.partial(World, VECTOR, HALF_BOUNDED))
    with pytest.raises(ComponentError, match="NAFModel needs actions with a lower and an upper b"):
        agent.build("train", unbounded)


@pytest.mark.parametrize("share_graph", [False, True])
def test_the_divergence_of_trpo_is_that_of_the_whole_update(tmp_path, share_graph):
    optimizer = {"Adam": {"learning_rate": 0.1}}
    params = {"share_graph": share_graph, "max_kl": 1e-6, "optimizer": optimizer}
    agent = make_agent(tmp_path, "trpo", ROLLOUT, **params)
    env = GymEnvironment("CartPole-v1", seed=1)
    spec = agent.build("train", env)
    rng = np.random.default_rng(0)
    batch = {
        "state": rng.normal(size=(1, 32, 4)).astype("f4"),
        "next_state": rng.normal(size=(1, 32, 4)).astype("f4"),
        "action": rng.integers(2, size=(1, 32)),
        "reward": rng.normal(size=(1, 32)).astype("f4"),
        "terminated": np.zeros((1, 32), bool),
        "truncated": np.zeros((1, 32), bool),
        "valid": np.ones((1, 32), bool),
    }

    def log_probabilities():
        return tf.nn.log_softmax(spec.network({"state": batch["state"][0]})["policy"]).numpy()

    before = log_probabilities()
    noted = spec.learner.update(batch, 1).metrics
    after = log_probabilities()
    divergence = np.mean(np.sum(np.exp(before) * (before - after), -1))
    assert noted["kl"] == pytest.approx(divergence, rel=1e-3, abs=1e-6)
    assert (divergence > 1e-5) == share_graph


def test_the_value_coefficient_of_cheetahs_is_cleanrls():
    examples = Path(__file__).parents[2] / "examples"
    config = yaml.safe_load((examples / "ppo_half_cheetah.yml").read_text())
    coefficient = config["model"]["ppo"]["value_coefficient"]
    model = plx.models.PPOModel("train", graph_fn=None, value_coefficient=coefficient)
    # CleanRL: vf_coef · ½ (V - G)², with vf_coef 0.5.
    assert float(model._total(0.0, 0.5 * 3.0**2, 0.0)) == 0.5 * 0.5 * 3.0**2


CONFIG = """
version: 1
project: {name: a}
environment: {seed: 2}
model:
  MODEL: {graph: {input_layers: state, layers: [{Dense: {units: 4}}]}PARAMS}
MEMORY
train:
  env: {GymEnvironment: {env_id: ENV, wrappers: [NormalizeObservation, {ScaleReward: {scale: 0.1}}]}}
  train_timesteps: 40
  first_update: 10
eval: {env: {GymEnvironment: {env_id: ENV, wrappers: [NormalizeObservation]}}, eval_episodes: 1}
"""
DEMONSTRATED = "agent: {memory: {DemonstrationMemory: {demonstrations: expert.npz, batch_size: 8}}}"


def write_config(name, model, env_id, memory="", params=""):
    text = CONFIG.replace("MODEL", model).replace("ENV", env_id)
    text = text.replace("MEMORY", memory).replace("PARAMS", params)
    Path(name).write_text(text.replace("name: a", f"name: {name.removesuffix('.yml')}"))


def plx_command(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_commands_speak_the_environments_language(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_config("a.yml", "naf", "Pendulum-v1", params=", exploration: {GaussianNoise: {scale: 1}}")
    for words in (
        ["run", "a.yml"],
        ["predict", "a.yml", "--to", "played.jsonl"],
        ["export", "a.yml", "--to", "policy"],
        ["record", "a.yml", "--to", "expert.npz", "--episodes", "2", "--seed", "10000"],
    ):
        result = plx_command(*words)
        assert result.exit_code == 0, result.output
    played = [json.loads(line) for line in Path("played.jsonl").read_text().splitlines()]
    env = gymnasium.make("Pendulum-v1")
    observation, _ = env.reset(seed=10_000)
    policy = tf.saved_model.load("policy")
    columns = demonstrations.load("expert.npz")
    for index, row in enumerate(played):
        np.testing.assert_allclose(row["state"], observation, rtol=1e-6)
        np.testing.assert_array_equal(columns["state"][index], observation)
        np.testing.assert_allclose(columns["action"][index], row["action"], rtol=1e-6)
        answer = policy.serve({"state": tf.constant(observation[None])})["action"].numpy()[0]
        np.testing.assert_allclose(answer, row["action"], atol=1e-4)
        observation, reward, *_ = env.step(np.array(row["action"], "f4"))
        assert row["reward"] == pytest.approx(reward, rel=1e-5)
        assert columns["reward"][index] == pytest.approx(reward, rel=1e-5)


def test_what_is_recorded_is_learned_from_as_what_is_done(tmp_path):
    """Recorded transitions, drawn from a memory, are those that another agent would store."""
    env = environment("ppo parts", 2, [{"ScaleReward": {"scale": 0.5}}])
    agent = trained("ppo parts", tmp_path / "run")
    steps = list(agent.play(environment("ppo parts")))
    recording, policy = agent.restored(environment("ppo parts"), seed=10_000)
    columns = demonstrations.record(recording, policy, 1, 10_000)
    demonstrations.save(tmp_path / "expert.npz", columns)
    np.testing.assert_array_equal(columns["action"], [step["action"] for step in steps])
    memory = DemonstrationMemory(
        str(tmp_path / "expert.npz"), batch_size=64, memory=REPLAY, n_step=2, discount=0.5, seed=1
    )
    memory.attach(env)
    batch = memory.sample()
    raw = {name: columns[f"state/{name}"] for name in PARTS}
    expected = env.encode_observations(raw)
    assert env.observation_space.contains({name: part[0] for name, part in expected.items()})
    rewards = columns["reward"] * 0.5
    sums = rewards + 0.5 * np.append(rewards[1:], 0.0)
    precise = expected["precise"].tolist()
    numbers = [precise.index(row) for row in batch["state"]["precise"][0].tolist()]
    assert len(set(numbers)) > 6
    for name in PARTS:
        np.testing.assert_array_equal(batch["state"][name][0], expected[name][numbers])
    np.testing.assert_allclose(batch["reward"][0], sums[numbers], rtol=1e-6)
    assert env.action_space.contains(batch["action"][0, 0])
    np.testing.assert_array_equal(env.raw_actions(batch["action"][0]), columns["action"][numbers])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("action", np.array([[2.5]] * 5, "f4"), r"action of row 0 is \[2.5\], which is outside"),
        ("state", np.full((5, 3), 20.0, "f4"), r"state of row 0 is \[20. 20. 20.\], which is out"),
        ("next_state", np.full((5, 3), np.nan, "f4"), "next_state of row 0 is"),
        ("action", np.zeros(5, int), r"their shapes are \{'action': \(\)\}, and this one's"),
    ],
)
def test_demonstrations_in_other_units_are_refused(tmp_path, monkeypatch, name, value, message):
    monkeypatch.chdir(tmp_path)
    columns = {
        "state": np.zeros((5, 3), "f4"),
        "next_state": np.zeros((5, 3), "f4"),
        "action": np.zeros((5, 1), "f4"),
        "reward": np.zeros(5, "f4"),
        "terminated": np.zeros(5, bool),
        "truncated": np.zeros(5, bool),
    }
    demonstrations.save("expert.npz", columns | {name: value})
    write_config("b.yml", "naf", "Pendulum-v1", memory=DEMONSTRATED)
    result = plx_command("run", "b.yml")
    assert result.exit_code == 2, result.output
    assert "the demonstrations expert.npz" in result.output
    with pytest.raises(DataError, match=message):
        DemonstrationMemory("expert.npz").attach(GymEnvironment("Pendulum-v1"))


def test_a_mask_is_part_of_the_data_and_of_nothing_else(tmp_path):
    agent = trained("dqn masked", tmp_path / "run")
    data = numpy_input_fn({"state": np.zeros((2, 3), "f4")}, None, num_epochs=1, shuffle=False)
    with pytest.raises(ComponentError, match="the policy reads action_mask, which the data does"):
        next(agent.predict(data, env=environment("dqn masked")))
    space = spaces.Dict({"state": VECTOR, "action_mask": spaces.MultiBinary(3)})
    named = GymEnvironment(functools.partial(World, space, ONE, True))
    graph = {"layers": [{"Dense": {"units": 4, "inbound_nodes": ["state"]}}]}
    other = make_agent(
        tmp_path / "named", "dqn", REPLAY, graph=graph | {"input_layers": ["state", "action_mask"]}
    )
    other.train(named, 8, 4, max_timesteps=16)
    with pytest.raises(ComponentError, match="a part called action_mask.*rename the part"):
        other.export(tmp_path / "export", named)


def test_exports_and_predictions_leave_the_environment_of_training_alone(tmp_path):
    found = []
    for busy in (False, True):
        env = GymEnvironment("CartPole-v1", wrappers=["NormalizeObservation"], seed=3)
        path = tmp_path / str(busy)
        agent = make_agent(path / "run", "ppo", ROLLOUT, minibatch_size=4)
        for goal in (32, 64, 96):
            agent.train(env, max_timesteps=goal)
            if busy:
                agent.export(path / str(goal), env)
                row = next(agent.play(env))
                data = numpy_input_fn(
                    {"state": row["state"][None]}, None, num_epochs=1, shuffle=False
                )
                assert len(list(agent.predict(data, env=env))) == 1
        found.append(fingerprint(agent))
    assert found[0] == found[1]


def test_functions_of_tensorflow_are_refused_in_an_agents_predictions(tmp_path):
    agent = trained("dqn", tmp_path / "run")
    inner = agent.model_fn

    def model_fn(observations, action_space, mode):
        spec = inner(observations, action_space, mode)
        return evolve(
            spec, predict_fn=lambda features, outputs: {"best": tf.reduce_max(outputs, -1)}
        )

    other = plx.Agent(model_fn, None, tmp_path / "run")
    with pytest.raises(ComponentError, match=r"call keras.ops instead of TensorFlow's functions"):
        other.export(tmp_path / "export", environment("dqn"))
