"""Options of an agent's optimizer: averages of weights, accumulated gradients and loss scales."""

import keras
import numpy as np
import pytest

from plx_core.config.sections import WarmStartConfig
from plx_core.data.arrays import numpy_input_fn
from plx_core.errors import ComponentError
from plx_core.runs.checkpoints import load
from plx_rl.environments.gym_environment import GymEnvironment

from .agents import fingerprint, make_agent

MEMORY = {"Memory": {"size": 100, "batch_size": 8}}
BATCH = {"BatchMemory": {"batch_size": 16}}
ENV = {"GymEnvironment": {"env_id": "CartPole-v1", "seed": 1}}
MODELS = {
    "dqn": (MEMORY, {"tau": 0.5, "target_update_frequency": 3}),
    "ppo": (BATCH, {"epochs": 1, "minibatch_size": 8}),
    "vpg": (BATCH, {}),
}
OPTIONS = {
    "averages": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 4},
    "accumulated gradients": {"gradient_accumulation_steps": 2, "clipnorm": 0.1},
    "mixed_float16": {"use_ema": True, "weight_decay": 0.1},
}
STEPS = 5
"""Half of a run: an odd number, as accumulated gradients are applied at every second step."""


def agent_of(path, name, options, **kwargs):
    memory, params = MODELS[name]
    return make_agent(
        path,
        name,
        memory,
        optimizer={"Adam": {"learning_rate": 0.05, **options}},
        **params,
        **kwargs,
    )


@pytest.fixture(autouse=True)
def float32():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("name", "option"),
    [(name, option) for option in OPTIONS for name in ("dqn", "ppo")] + [("vpg", "averages")],
)
def test_an_agent_that_is_stopped_between_two_updates_goes_on_bit_for_bit(tmp_path, name, option):
    policy = option if option.startswith("mixed") else "float32"

    def train(folder, goal):
        agent = agent_of(
            tmp_path / folder, name, OPTIONS[option], environment={"mixed_precision": policy}
        )
        agent.train(ENV, 8, 2, max_steps=goal)
        # A whole rollout's minibatches are steps that cannot be separated.
        assert agent.global_step in {goal, goal + 1}
        return agent

    whole = train("whole", 2 * STEPS)
    train("parts", STEPS)
    assert fingerprint(train("parts", 2 * STEPS)) == fingerprint(whole)
    program = load(whole.latest_checkpoint())["program"]
    if name != "vpg":
        assert int(program["optimizer"]["step"]) == whole.global_step


@pytest.mark.parametrize("name", ["dqn", "ppo"])
def test_an_agent_is_used_with_the_averages_of_its_weights(tmp_path, name):
    agent = agent_of(tmp_path / name, name, {"use_ema": True, "ema_momentum": 0.9})
    agent.train(ENV, 8, 2, max_steps=12)
    program = load(agent.latest_checkpoint())["program"]
    weights, averages = program["variables"], program["averages"]
    assert averages.keys() == weights.keys()
    assert all((averages[name] != weights[name]).any() for name in weights)
    states = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")

    def outputs(values):
        """What the network gives with these values, without plx."""
        network = agent.build("eval", GymEnvironment("CartPole-v1")).network
        for variable, value in zip(network.variables, values.values(), strict=True):
            variable.assign(value)
        return keras.tree.flatten(network({"state": states}))[0].numpy()

    expected = outputs(averages)
    assert not np.allclose(expected, outputs(weights), atol=1e-4)
    rows = agent.predict(numpy_input_fn({"state": states}, batch_size=5, shuffle=False), env=ENV)
    if name == "dqn":
        np.testing.assert_allclose([row["q"] for row in rows], expected, rtol=1e-4, atol=1e-5)
    else:
        assert [row["action"] for row in rows] == list(expected.argmax(1))
    agent.export(tmp_path / "export", ENV, format="keras")
    exported = keras.models.load_model(tmp_path / "export" / "model.keras", compile=False)
    for variable, value in zip(exported.variables, averages.values(), strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    acting = agent.training_model.variables
    for variable, value in zip(acting, weights.values(), strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    frozen = agent.evaluate(ENV, 2)

    other = agent_of(tmp_path / "other", name, {})
    other.warm_start = WarmStartConfig(path=str(tmp_path / name))
    other.train(ENV, 8, 2, max_timesteps=1)
    assert other.evaluate(ENV, 2)["episode_return"] == frozen["episode_return"]


@pytest.mark.parametrize(("name", "key"), [("trpo", "optimizer"), ("vpg", "value_optimizer")])
def test_averages_that_no_evaluation_would_use_are_refused(tmp_path, name, key):
    agent = make_agent(tmp_path, name, BATCH, **{key: {"Adam": {"use_ema": True}}})
    with pytest.raises(ComponentError, match="use_ema of the optimizer of the value function"):
        agent.train(ENV, max_steps=1)


def test_an_optimizer_that_keeps_its_own_weights_starts_from_those_of_another_run(tmp_path):
    """ScheduleFreeAdamW writes its iterates into the weights at the first step."""
    source = agent_of(tmp_path / "source", "dqn", {}).train(ENV, 8, 2, max_steps=20)
    agent = make_agent(
        tmp_path / "run", "dqn", MEMORY, optimizer={"ScheduleFreeAdamW": {"learning_rate": 1e-6}}
    )
    agent.warm_start = WarmStartConfig(path=str(source.model_dir))
    agent.train(ENV, 8, 2, max_steps=1)
    begin = load(source.latest_checkpoint())["program"]["variables"]
    for name, value in load(agent.latest_checkpoint())["program"]["variables"].items():
        np.testing.assert_allclose(value, begin[name], atol=1e-5)
