"""Learning from an expert: what is recorded, how it is mixed in, and what it does to a network."""

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

import plx_core as plx
from plx_core.cli.main import main
from plx_core.errors import ComponentError, DataError
from plx_core.reinforcement.interfaces import Policy
from plx_rl.environments.gym_environment import GymEnvironment
from plx_rl.memories import demonstrations
from plx_rl.memories.demonstration_memory import DemonstrationMemory
from plx_rl.memories.prioritized_memory import PrioritizedMemory

WIDTH = 5


class Corridor(gymnasium.Env):
    """A walk of WIDTH steps to the right; whoever goes left is where they began."""

    observation_space = gymnasium.spaces.Box(0.0, WIDTH, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._place = 0
        return np.array([0.0], np.float32), {}

    def step(self, action):
        self._place = self._place + 1 if action == 1 else 0
        is_there = self._place == WIDTH
        return np.array([self._place], np.float32), float(is_there), is_there, False, {}


class Right(Policy):
    def act(self, observations, timestep, masks=None):
        return self.greedy(observations)

    def greedy(self, observations, masks=None):
        return np.ones(len(observations), int)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "expert.npz"
    demonstrations.save(
        path, demonstrations.record(GymEnvironment(Corridor, 2), Right(), 4, seed=0)
    )
    return str(path)


def test_recorded_episodes_are_whole_and_in_order(file):
    columns = demonstrations.load(file)
    np.testing.assert_array_equal(columns["state"][:, 0], np.tile(np.arange(WIDTH), 4))
    np.testing.assert_array_equal(columns["next_state"][:, 0], np.tile(np.arange(1, WIDTH + 1), 4))
    np.testing.assert_array_equal(columns["terminated"], np.tile([False] * (WIDTH - 1) + [True], 4))
    np.testing.assert_array_equal(columns["reward"], columns["terminated"].astype(np.float32))
    assert not columns["truncated"].any()


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        (
            {"state": np.zeros((2, 1)), "action": np.zeros(2)},
            "have no reward, terminated, truncated, next_state",
        ),
        (
            {
                name: np.zeros(0)
                for name in ("state", "next_state", "action", "reward", "terminated", "truncated")
            },
            "are empty",
        ),
        (
            {
                name: np.zeros(2 + (name == "state"))
                for name in ("state", "next_state", "action", "reward", "terminated", "truncated")
            },
            "differ",
        ),
    ],
)
def test_a_file_that_holds_no_demonstrations_is_refused(tmp_path, columns, complaint):
    np.savez(tmp_path / "wrong.npz", **columns)
    with pytest.raises(DataError, match=complaint):
        demonstrations.load(tmp_path / "wrong.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(DataError, match="cannot be read"):
        demonstrations.load(tmp_path / "text.npz")


def own(place):
    return {
        "state": np.array([[place]], np.float32),
        "action": np.array([0]),
        "reward": np.array([0.0], np.float32),
        "next_state": np.array([[0.0]], np.float32),
        "terminated": np.array([False]),
        "truncated": np.array([False]),
    }


@pytest.mark.parametrize("memory", ["Memory", {"PrioritizedMemory": {"size": 64}}])
def test_each_batch_has_its_share(file, memory):
    mixed = DemonstrationMemory(file, share=0.25, batch_size=8, memory=memory, seed=1)
    assert mixed.can_sample()
    first = mixed.sample(3)
    assert first["demonstration"].all()
    assert first["state"].shape == (3, 8, 1)
    for _ in range(6):
        mixed.step(**own(4.0))
    batch = mixed.sample(3)
    np.testing.assert_array_equal(batch["demonstration"], [[False] * 6 + [True] * 2] * 3)
    np.testing.assert_array_equal(batch["action"], batch["demonstration"].astype(int))
    np.testing.assert_array_equal(batch["state"][:, :6], np.full((3, 6, 1), 4.0))
    assert {name: array.dtype for name, array in batch.items() if name != "indices"} == {
        name: array.dtype for name, array in first.items()
    }


def test_priorities_are_the_agents_own(file):
    inner = PrioritizedMemory(64)
    mixed = DemonstrationMemory(file, share=0.5, batch_size=8, memory=inner, seed=1)
    for place in range(4):
        mixed.step(**own(place))
    batch = mixed.sample()
    errors = np.concatenate(
        [np.where(batch["state"][:, :4, 0] == 2.0, 100.0, 0.0), np.full((1, 4), 9.0)], axis=1
    )
    assert (batch["state"][:, :4, 0] == 2.0).sum() == 1
    mixed.update_priorities(batch["indices"], errors)
    np.testing.assert_array_equal(mixed.sample()["state"][:, :4, 0], [[2.0] * 4])


def test_several_steps_of_the_expert_add_up(file):
    mixed = DemonstrationMemory(file, batch_size=64, n_step=3, discount=0.5, seed=1)
    batch = mixed.sample()
    steps = np.minimum(3, WIDTH - batch["state"][0, :, 0])
    np.testing.assert_array_equal(batch["steps"][0], steps)
    np.testing.assert_allclose(
        batch["reward"][0], np.where(batch["terminated"][0], 0.5 ** (steps - 1), 0.0)
    )


def test_a_state_brings_the_same_draws_back(file, tmp_path):
    one, other = (DemonstrationMemory(file, batch_size=8, seed=seed) for seed in (1, 2))
    for place in range(7):
        one.step(**own(place))
    one.sample()
    other.restore(one.state())
    expected, actual = one.sample(4), other.sample(4)
    assert expected.keys() == actual.keys()
    for name, column in expected.items():
        np.testing.assert_array_equal(actual[name], column)
    fewer = {name: column[:-1] for name, column in demonstrations.load(file).items()}
    demonstrations.save(tmp_path / "fewer.npz", fewer)
    with pytest.raises(
        DataError, match="there are 19 demonstrated transitions, but the state was saved with 20"
    ):
        DemonstrationMemory(str(tmp_path / "fewer.npz"), batch_size=8).restore(one.state())


def test_demonstrations_of_another_environment_are_refused(file):
    cartpole = GymEnvironment("CartPole-v1")
    with pytest.raises(
        DataError, match=r"from another environment: their shapes are \{.*'state': \(1,\)\}"
    ):
        DemonstrationMemory(file).attach(cartpole)


def agent_of(directory, memory, **parameters):
    graph = plx.Graph(
        layers=[{"Dense": {"units": 16, "activation": "relu"}}], input_layers=["state"]
    )

    def model_fn(features, labels, mode):
        model = plx.models.DQNModel(
            mode,
            graph=graph,
            optimizer={"Adam": {"learning_rate": 0.01}},
            exploration="Greedy",
            use_expert_demo=True,
            **parameters,
        )
        return model(features, labels)

    return plx.Agent(model_fn, memory, directory)


def test_pretraining_imitates_without_acting(file, tmp_path):
    env = GymEnvironment(Corridor, wrappers=[{"TimeLimit": {"max_steps": 20}}])
    agent = agent_of(
        tmp_path / "run",
        {"DemonstrationMemory": {"demonstrations": file, "batch_size": 32}},
        expert_margin=0.5,
    )
    agent.train(env, max_steps=120, pretrain_steps=120)
    assert (agent.global_step, agent.global_timestep) == (120, 0)
    assert (
        agent.evaluate(GymEnvironment(Corridor, wrappers=[{"TimeLimit": {"max_steps": 20}}]), 1)[
            "episode_length"
        ]
        == WIDTH
    )
    values = agent.training_model({"state": tf.constant([[2.0]])}).numpy()[0]
    assert (
        values[1] - values[0] > 0.4
    )  # never was the other action tried: only the margin can have put it so far below


def test_pretraining_stops_and_goes_on_exactly(file, tmp_path):
    memory = {"DemonstrationMemory": {"demonstrations": file, "batch_size": 8}}
    weights = []
    for name, stops in (("whole", [90]), ("cut", [33, 90])):
        for stop in stops:
            agent = agent_of(tmp_path / name, memory)
            agent.train(
                GymEnvironment(Corridor),
                first_update=1,
                update_frequency=1,
                max_steps=stop,
                pretrain_steps=70,
            )
        weights.append([variable.numpy() for variable in agent.training_model.variables])
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_needs_demonstrations_says_so(tmp_path):
    with pytest.raises(ComponentError, match="such as DemonstrationMemory, instead of Memory"):
        agent_of(tmp_path / "run", "Memory").train(GymEnvironment(Corridor), max_steps=1)
    graph = plx.Graph(layers=[{"Dense": {"units": 4}}], input_layers=["state"])
    plain = plx.Agent(
        lambda features, labels, mode: plx.models.DQNModel(mode, graph=graph)(features, labels),
        "Memory",
        tmp_path / "plain",
    )
    with pytest.raises(ComponentError, match="pretrain_steps is 5, but the Memory holds nothing"):
        plain.train(GymEnvironment(Corridor), max_steps=1, pretrain_steps=5)


@pytest.mark.filterwarnings("ignore:.*(eval_env|env_spec):UserWarning")
def test_a_minari_data_set(tmp_path, monkeypatch):
    minari = pytest.importorskip("minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    ends = [False] * (WIDTH - 1) + [True]
    episode = {
        "observations": np.arange(WIDTH + 1, dtype=np.float32)[:, None],
        "actions": np.ones(WIDTH, np.int64),
        "rewards": [float(end) for end in ends],
        "terminations": ends,
        "truncations": [False] * WIDTH,
    }
    minari.create_dataset_from_buffers(
        "corridor/expert-v0",
        [minari.data_collector.EpisodeBuffer(id=number, **episode) for number in range(2)],
        observation_space=Corridor.observation_space,
        action_space=Corridor.action_space,
        algorithm_name="always right",
        author="plx",
        author_email="plx@example.org",
        code_permalink="https://example.org",
        description="a corridor",
    )
    columns = demonstrations.load("minari:corridor/expert-v0")
    np.testing.assert_array_equal(columns["state"][:, 0], np.tile(np.arange(WIDTH), 2))
    with pytest.raises(DataError, match="cannot be read"):
        demonstrations.load("minari:corridor/none-v0")


def test_plx_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yml").write_text(
        """
version: 1
project: {name: a}
model: {dqn: {graph: {input_layers: state, layers: [{Dense: {units: 4}}]}}}
train: {env: {GymEnvironment: {env_id: CartPole-v1}}, train_timesteps: 20, first_update: 10}
eval: {env: {GymEnvironment: {env_id: CartPole-v1, num_envs: 2}}, eval_episodes: 1}
"""
    )
    for arguments in (
        ["run", "a.yml"],
        ["record", "a.yml", "--to", "out/expert.npz", "--episodes", "3"],
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
    assert "of 3 episodes, mean return " in result.output
    columns = demonstrations.load("out/expert.npz")
    assert columns["state"].shape[1:] == (4,)
    assert (columns["terminated"] | columns["truncated"]).sum() == 3
