"""Each wrong use of an agent is explained before training: the message, the place, exit code 2, and no traceback."""

import re

import gymnasium
import numpy as np
import pytest
from click.testing import CliRunner
from tests.wrong_files import check, position

from plx_core.cli.main import main
from plx_core.errors import CheckpointError, ComponentError, DataError
from plx_rl.environments.gym_environment import GymEnvironment

from .agents import make_agent
from .worlds import Counter

MEMORY = "{Memory: {size: 500, batch_size: 16}}"
BASE = f"""\
version: 1
project: {{name: wrong}}
model:
  dqn:
    graph:
      input_layers: state
      layers: [{{Dense: {{units: 8, activation: relu}}}}]
agent:
  memory: {MEMORY}
train:
  env: {{GymEnvironment: {{env_id: CartPole-v1, num_envs: 4}}}}
  train_timesteps: 1000
  first_update: 100
eval:
  env: {{GymEnvironment: {{env_id: CartPole-v1}}}}
  eval_episodes: 3
"""
MODEL = "    graph:\n"
ENV = "env_id: CartPole-v1, num_envs: 4"

# name, texts of BASE with what replaces them, where the message points ("<" marks the column, in the new text), parts of the message
TABLE = [
    ("DQN where actions are numbers", {"CartPole-v1": "Pendulum-v1"}, "<dqn", ["DQNModel needs a Discrete action space", "are Box(", "use NAFModel or PPOModel"]),
    ("DQN where an action has parts", {"CartPole-v1": "Parts-v0"}, "<dqn", ["are MultiDiscrete([2 3])", "use NAFModel or PPOModel"]),
    ("NAF where there are some actions", {"  dqn": "  naf"}, "<naf", ["NAFModel needs a Box action space", "are Discrete(2)", "use DQNModel or PPOModel"]),
    ("a feature that is not there", {"input_layers: state": "input_layers: stat"}, "<stat", ["there is no feature or earlier layer called stat; did you mean state?"]),
    ("layers that vectors do not fit", {"Dense: {units: 8, activation: relu}": "Conv2D: {filters: 8, kernel_size: 3}"}, "<Conv2D", ["layer conv2d cannot take state of shape (None, 4)"]),
    ("a graph of two outputs", {"layers: [{Dense: {units: 8, activation: relu}}]": "layers: [{Dense: {units: 8, name: a}}, {Dense: {units: 8, name: b}}]\n      output_layers: [a, b]"}, "<dqn", ["has one output; this one has a, b"]),
    ("a model that is no agent's", {"  dqn": "  classifier"}, "<classifier", []),
    ("a batch larger than the memory", {"size: 500": "size: 10"}, "<Memory", ["a memory of size 10 cannot give a batch of 16"]),
    ("a first update that comes too late", {"first_update: 100": "first_update: 501"}, "<501", ["train.first_update: first_update is 501, but the memory holds 500 transitions"]),
    ("a memory of batches for DQN", {MEMORY: "BatchMemory"}, "<BatchMemory", ["agent.memory: the model learns from a replay memory; it was given a BatchMemory"]),
    ("a replay memory for PPO", {"  dqn": "  ppo"}, "<{Memory", ["agent.memory: the model learns from an on-policy memory; it was given a Memory"]),
    ("environments that do not divide a batch", {"  dqn": "  a2c", MEMORY: "{BatchMemory: {batch_size: 18}}"}, "<{BatchMemory", ["a batch of 18 cannot be divided among 4 environments"]),
    ("a batch smaller than a minibatch", {"  dqn": "  ppo", MEMORY: "{BatchMemory: {batch_size: 16}}"}, "<{BatchMemory", ["minibatch_size is 64", "has 16 transitions"]),
    ("advantages of several steps", {"  dqn": "  a2c", MEMORY: "{BatchMemory: {batch_size: 16, n_step: 3}}"}, "<{BatchMemory", ["n_step is 3", "gae_lambda"]),
    ("another number of actions", {MODEL: f"    num_actions: 3\n{MODEL}"}, "<dqn", ["num_actions is 3, but the environment's actions are Discrete(2)"]),
    ("another number of states", {MODEL: f"    num_states: 3\n{MODEL}"}, "<dqn", ["num_states is 3, but an observation has 4 values"]),
    ("actions of another kind", {MODEL: f"    is_continuous: true\n{MODEL}"}, "<dqn", ["is_continuous is True, but the environment's actions are Discrete(2)"]),
    ("a discount above 1", {MODEL: f"    discount: 1.5\n{MODEL}"}, "<1.5", ["discount: expected a number at least 0 and at most 1, got 1.5"]),
    ("an unknown way of duelling", {MODEL: f"    dueling: median\n{MODEL}"}, "<median", ["dueling: expected one of True, False, mean, max, naive"]),
    ("a penalty on outputs", {"units: 8, activation: relu": "units: 8, activity_regularizer: {L2: {l2: 1.0}}"}, "<dqn", ["dense: the loss of an agent has no penalty on outputs (activity_regularizer); penalise weights"]),
    ("a penalty on outputs in PPO", {"  dqn": "  ppo", MEMORY: "BatchMemory", "layers: [{Dense: {units: 8, activation: relu}}]": "layers: [{Dense: {units: 8}}, {ActivityRegularization: {l2: 1.0}}]"}, "<ppo", ["activity_regularization: the loss of an agent has no penalty on outputs"]),
    ("layers that differ in training in TRPO", {"  dqn": "  trpo", MEMORY: "BatchMemory", "layers: [{Dense: {units: 8, activation: relu}}]": "layers: [{Dense: {units: 8}}, {Dropout: {rate: 0.5}}]"}, "<trpo", ["TRPOModel measures how far one step moves a policy", "or use PPOModel"]),
    ("metrics of labels", {MODEL: f"    metrics: [Accuracy]\n{MODEL}"}, "<dqn", ["DQNModel is evaluated by episode returns; leave metrics out"]),
    ("an unknown exploration", {MODEL: f"    exploration: Decai\n{MODEL}"}, "<Decai", ["there is no exploration called Decai; did you mean Decay?"]),
    ("a negative rate of exploration", {MODEL: f"    exploration: {{Decay: {{exploration_rate: -1}}}}\n{MODEL}"}, "<-1", ["expected a number at least 0, got -1"]),
    ("noise on discrete actions", {MODEL: f"    exploration: OrnsteinUhlenbeck\n{MODEL}"}, "  <dqn", ["OrnsteinUhlenbeck explores continuous actions; these are discrete"]),
    ("scores of continuous actions", {"  dqn": "  naf", "CartPole-v1": "Pendulum-v1", MODEL: f"    exploration: Boltzmann\n{MODEL}"}, "  <naf", ["Boltzmann explores discrete actions"]),
    ("rates for another number of environments", {MODEL: f"    exploration: {{Decay: {{exploration_rate: [0.1, 0.2]}}}}\n{MODEL}"}, "  <dqn", ["there are 2 rates of exploration and 4 environments"]),
    ("an unknown environment", {ENV: "env_id: CartPoll-v1"}, "<GymEnvironment", ["there is no environment CartPoll-v1", "CartPole"]),
    ("an environment of code that was not allowed", {ENV: "env_id: 'nowhere:Car-v1'"}, "<GymEnvironment", ["nowhere is code from outside", "--plugin nowhere"]),
    ("a parameter that the environment has not", {ENV: "env_id: CartPole-v1, env_params: {speed: 3}"}, "<GymEnvironment", ["CartPole-v1 does not take env_params", "speed"]),
    ("a misspelt parameter of GymEnvironment", {"num_envs: 4": "num_env: 4"}, "<num_env", ["unknown parameter; did you mean num_envs?"]),
    ("an unknown wrapper", {"num_envs: 4": "wrappers: [FrameStak]"}, "<FrameStak", ["there is no wrapper called FrameStak; did you mean FrameStack?"]),
    ("a wrapper of images on numbers", {"num_envs: 4": "wrappers: [GreyScale]"}, "<GymEnvironment", [" GreyScale cannot change Box"]),
    ("a wrapper after one that sees all", {"num_envs: 4": "wrappers: [NormalizeReward, {TimeLimit: {max_steps: 3}}]"}, "<GymEnvironment", ["TimeLimit must come before NormalizeReward"]),
    ("observations of another type", {ENV: "env_id: WrongType-v0"}, "<GymEnvironment", ["the observation has dtype float64; observation_space has dtype float32"]),
    ("observations of another shape", {ENV: "env_id: WrongShape-v0"}, "<GymEnvironment", ["the observation has shape (3,); observation_space has shape (2,)"]),
    ("a reward that is no number", {ENV: "env_id: WrongReward-v0"}, "<GymEnvironment", ["returned the reward nan; a reward must be one finite number"]),
    ("a step of four", {ENV: "env_id: WrongStep-v0"}, "<GymEnvironment", ["returned 4 values"]),
    ("an evaluation elsewhere", {"{env_id: CartPole-v1}": "{env_id: Acrobot-v1}"}, "env: <{GymEnvironment: {env_id: Acrobot", ["state (4,) float32 and actions Discrete(2)", "state (6,) float32 and actions Discrete(3)"]),
    ("an evaluation without what normalises", {ENV: f"{ENV}, wrappers: [NormalizeObservation]"}, "env: <{GymEnvironment: {env_id: CartPole-v1}}", ["eval.env: the policy is trained on observations with the statistics of NormalizeObservation(clip=10.0, epsilon=1e-08), and this environment gives it observations with no running statistics"]),
    ("an evaluation that normalises in another way", {ENV: f"{ENV}, wrappers: [NormalizeObservation]", "{env_id: CartPole-v1}": "{env_id: CartPole-v1, wrappers: [{NormalizeObservation: {clip: 5.0}}]}"}, "env: <{GymEnvironment: {env_id: CartPole-v1, wrappers: [{N", ["NormalizeObservation(clip=5.0, epsilon=1e-08)"]),
    ("an evaluation that alone normalises", {"{env_id: CartPole-v1}": "{env_id: CartPole-v1, wrappers: [NormalizeObservation]}"}, "env: <{GymEnvironment: {env_id: CartPole-v1, wrappers: [N", ["with no running statistics, and this environment gives it observations with the statistics of NormalizeObservation"]),
    ("an evaluation in TensorFlow without what normalises", {ENV: f"{ENV}, wrappers: [NormalizeObservation]", "{GymEnvironment: {env_id: CartPole-v1}}": "{CompiledEnvironment: {env_id: CartPole-v1}}"}, "env: <{Compiled", ["with no running statistics"]),
    ("no goal", {"  train_timesteps: 1000\n": ""}, "  <env:", ["train_timesteps is missing (or train_steps, or train_episodes)"]),
    ("no environment to train in", {f"  env: {{GymEnvironment: {{{ENV}}}}}\n": ""}, "<GymEnvironment", ["nothing to train on"]),
    ("no episode to evaluate", {"eval_episodes: 3": "eval_episodes: 0"}, "episodes: <0\n", ["expected an integer at least 1, got 0"]),
    ("no action between updates", {"first_update: 100": "update_frequency: 0"}, "frequency: <0\n", ["expected an integer at least 1, got 0"]),
]  # fmt: skip


class WrongType(Counter):
    def observe(self):
        return super().observe().astype(np.float64)


class WrongShape(Counter):
    def observe(self):
        return np.zeros(3, np.float32)


class WrongReward(Counter):
    def step(self, action):
        observation, _, *rest = super().step(action)
        return (observation, float("nan"), *rest)


class WrongStep(Counter):
    def step(self, action):
        return super().step(action)[:4]


def parts(**params):
    return Counter(space=gymnasium.spaces.MultiDiscrete([2, 3]))


FAULTY = {
    "WrongType": WrongType,
    "WrongShape": WrongShape,
    "WrongReward": WrongReward,
    "WrongStep": WrongStep,
    "Parts": parts,
}


@pytest.fixture(scope="module", autouse=True)
def _registered():
    for name, kind in FAULTY.items():
        gymnasium.register(
            f"{name}-v0", entry_point=kind, disable_env_checker=True, order_enforce=False
        )
    yield
    for name in FAULTY:
        del gymnasium.registry[f"{name}-v0"]


def test_the_base_is_correct(tmp_path):
    result = check(tmp_path, BASE)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("changes", "marker", "said"), [pytest.param(*row[1:], id=row[0]) for row in TABLE]
)
def test_wrong_use(tmp_path, changes, marker, said):
    text = BASE
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    result = check(tmp_path, text)
    assert result.exit_code == 2, (result.output, result.exception)
    assert "Traceback" not in result.output
    for part in said:
        assert part in result.output
    line, column = position(text, marker) if marker else ("", "")
    assert re.search(
        rf"^wrong.yml:{line}:{column}[ :]" if marker else "^wrong.yml:", result.output, re.MULTILINE
    ), result.output


def test_the_same_is_said_in_python(tmp_path):
    memory = {"Memory": {"size": 50, "batch_size": 8}}
    cart_pole = {"GymEnvironment": {"env_id": "CartPole-v1", "num_envs": 3}}
    with pytest.raises(ComponentError, match="first_update is 60, but the memory holds 50"):
        make_agent(tmp_path / "late", "dqn", memory).train(cart_pole, 60, max_timesteps=100)
    with pytest.raises(ComponentError, match="a batch of 16 cannot be divided among 3"):
        make_agent(tmp_path / "divided", "a2c", {"BatchMemory": {"batch_size": 16}}).train(
            cart_pole, max_timesteps=100
        )
    with pytest.raises(ComponentError, match="on-policy memory; it was given a Memory"):
        make_agent(tmp_path / "replayed", "vpg", memory).train(cart_pole, max_timesteps=100)
    with pytest.raises(ComponentError, match="needs a Discrete action space"):
        make_agent(tmp_path / "numbers", "ddqn", memory).train(
            {"GymEnvironment": {"env_id": "Pendulum-v1"}}, max_timesteps=100
        )
    with pytest.raises(DataError, match="has dtype float64"):
        make_agent(tmp_path / "types", "dqn", memory).train(
            GymEnvironment(WrongType), 10, max_timesteps=100
        )


def test_without_a_baseline_an_episode_has_to_end_within_a_batch(tmp_path):
    agent = make_agent(tmp_path, "vpg", {"BatchMemory": {"batch_size": 8}}, baseline=False)
    with pytest.raises(
        ComponentError,
        match="no episode ended within 8 transitions.*batch_size, or set baseline: true",
    ):
        agent.train(GymEnvironment(lambda: Counter(50)), max_timesteps=100)


def test_masks_of_actions_that_cannot_be_masked_are_refused():
    class Masked(Counter):
        def reset(self, **options):
            return super().reset(**options)[0], {"action_mask": np.ones(2, bool)}

    with pytest.raises(
        DataError, match=r'info\["action_mask"\] .* only Discrete and MultiDiscrete'
    ):
        GymEnvironment(lambda: Masked(space=gymnasium.spaces.MultiBinary(2))).reset()


CART_POLE = {
    "GymEnvironment": {"env_id": "CartPole-v1", "num_envs": 2, "wrappers": ["NormalizeReward"]}
}
OTHERS = {
    "more environments": (
        {"num_envs": 4},
        {},
        "the checkpoint has 2 environments, and the run has 4",
    ),
    "fewer environments": (
        {"num_envs": 1},
        {},
        "the checkpoint has 2 environments, and the run has 1",
    ),
    "another wrapper": (
        {"wrappers": ["NormalizeObservation"]},
        {},
        "the environment does not fit the checkpoint",
    ),
    "a wrapper less": (
        {"wrappers": []},
        {},
        r"its wrappers are \['NormalizeReward_1'\]; these are \[\]",
    ),
    "another way of stepping": (
        {"vectorization": "own"},
        {},
        "the environment does not fit the checkpoint",
    ),
    "another memory": (
        {},
        {"memory": {"PrioritizedMemory": {"size": 50, "batch_size": 8}}},
        "the memory does not fit the checkpoint",
    ),
    "another network": (
        {},
        {"graph": {"layers": [{"Dense": {"units": 9}}]}},
        r"dense/kernel has shape \(4, 8\) in the checkpoint",
    ),
    "another exploration": ({}, {"exploration": "Greedy"}, None),
}


@pytest.mark.parametrize(("env", "params", "said"), OTHERS.values(), ids=OTHERS)
def test_a_run_directory_of_another_agent(tmp_path, env, params, said):
    memory = {"Memory": {"size": 50, "batch_size": 8}}
    make_agent(tmp_path, "dqn", memory).train(CART_POLE, 20, 4, max_timesteps=30)
    agent = make_agent(tmp_path, "dqn", **{"memory": memory, **params})
    changed = {"GymEnvironment": {**CART_POLE["GymEnvironment"], **env}}
    if said is None:
        assert agent.train(changed, 20, 4, max_timesteps=40).global_timestep == 40
        return
    with pytest.raises(CheckpointError, match=said):
        agent.train(changed, 20, 4, max_timesteps=40)


def test_mistakes_of_parts_that_do_not_depend_on_each_other_come_together(tmp_path):
    path = tmp_path / "wrong.yml"
    path.write_text(
        """version: 1
project: {name: wrong}
model: {dqn: {graph: {input_layers: stat, layers: [{Dense: {units: 8}}]}}}
agent: {memory: {Memory: {size: 10, batch_size: 8}}}
train: {env: {GymEnvironment: {env_id: CartPole-v1}}, train_timesteps: 100, first_update: 50}
eval: {env: {GymEnvironment: {env_id: CartPole-v7}}}
"""
    )
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 2
    places = [line.split(" ")[0].rsplit("wrong.yml:")[1] for line in result.output.splitlines()]
    assert places == ["3:37", "5:91", "6:14"]
