"""Layers that behave differently in training do so in each update of each model, and never where an agent acts."""

import keras
import numpy as np
import pytest

import plx_core as plx
from plx_core.errors import ComponentError
from plx_core.runs.checkpoints import load

from .agents import make_agent

REPLAY = {"Memory": {"size": 100, "batch_size": 8}}
ROLLOUT = {"BatchMemory": {"batch_size": 16}}
MODELS = {
    "dqn": (REPLAY, {}, "CartPole-v1"),
    "ddqn": (REPLAY, {"dueling": True}, "CartPole-v1"),
    "naf": (REPLAY, {}, "Pendulum-v1"),
    "vpg": (ROLLOUT, {"value_epochs": 2, "value_minibatch_size": 8}, "CartPole-v1"),
    "vpg without a value function": (ROLLOUT, {"baseline": False}, "CartPole-v1"),
    "a2c": (ROLLOUT, {}, "CartPole-v1"),
    "a2c with one graph": (ROLLOUT, {"share_graph": True}, "CartPole-v1"),
    "ppo": (ROLLOUT, {"epochs": 2, "minibatch_size": 8}, "Pendulum-v1"),
    "ppo with one graph": (
        ROLLOUT,
        {"epochs": 2, "minibatch_size": 8, "share_graph": True},
        "CartPole-v1",
    ),
    "ppo that stops early": (
        ROLLOUT,
        {"epochs": 2, "minibatch_size": 8, "target_kl": 1e-9},
        "CartPole-v1",
    ),
}
"""Each model with its memory, parameters and environment."""
NOISE = ["BatchNormalization", {"Dropout": {"rate": 0.5}}, {"GaussianNoise": {"stddev": 0.1}}]
STATE = ("moving", "seed_generator", "calls")


@keras.saving.register_keras_serializable("tests")
class Calls(keras.layers.Layer):
    """Counts the calls in training mode."""

    def build(self, input_shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", name="calls", trainable=False)

    def call(self, inputs, training=False):
        if training:
            self.calls.assign_add(1.0)
        return inputs


def graph(*layers):
    """A graph with these layers; classes give each network its own."""

    def graph_fn(mode, features):
        built = [layer() if isinstance(layer, type) else layer for layer in layers]
        return plx.Graph([{"Dense": {"units": 8}}, *built, {"Dense": {"units": 8}}])(mode, features)

    return graph_fn


def train(path, name, layers, timesteps=64, env="GymEnvironment", **more):
    memory, params, env_id = MODELS[name]
    agent = make_agent(path, name.split()[0], memory, graph=graph(*layers), **params, **more)
    copies = {env: {"env_id": env_id, "num_envs": 2, "max_episode_steps": 7}}
    return agent.train(copies, 16, 4, max_timesteps=timesteps), copies


def variables(agent):
    return load(agent.latest_checkpoint())["program"]["variables"]


def states(agent):
    """The states of layers that training changes."""
    return {
        name: value
        for name, value in variables(agent).items()
        if any(kind in name for kind in STATE)
    }


@pytest.mark.parametrize("name", MODELS)
def test_each_update_is_in_training_mode_and_no_action_is(tmp_path, name):
    agent, env = train(tmp_path, name, [Calls])
    policy, *value = states(agent).values()
    assert agent.global_step > 0
    if "stops early" in name:
        assert agent.global_step <= policy <= 4 * 4
    else:
        assert policy == agent.global_step
    if name == "vpg":
        assert value == [4 * agent.global_step]
    elif value:
        assert value == [policy]
    before = [step["action"] for step in agent.play(env)]
    assert before == [step["action"] for step in agent.play(env)]
    found = agent._evaluation.network
    assert [weight.numpy() for weight in found.weights if "calls" in weight.path] == [
        policy,
        *value,
    ]


@pytest.mark.parametrize("name", ["dqn", "naf", "vpg", "a2c", "ppo"])
def test_statistics_move_and_units_drop_in_training_alone(tmp_path, name):
    agent, env = train(tmp_path / "whole", name, NOISE)
    spec = agent.build("train", plx.make("environments", env))
    initial = {
        key: variable.numpy() for key, variable in plx.variables_by_name(spec.network).items()
    }
    after = variables(agent)
    changed = [key for key in states(agent) if (after[key] != initial[key]).any()]
    assert changed == list(states(agent)) != []
    agent.evaluate(env, 2)
    network = agent._evaluation.network
    inputs = {"state": np.ones((4, *network.inputs[0].shape[1:]), np.float32)}
    acted = agent._evaluation.policy.greedy(inputs["state"])
    np.testing.assert_array_equal(acted, agent._evaluation.policy.greedy(inputs["state"]))
    first, second = (network(inputs, training=False) for _ in range(2))
    for part, again in zip(keras.tree.flatten(first), keras.tree.flatten(second), strict=True):
        np.testing.assert_array_equal(part, again)
    for key, variable in plx.variables_by_name(network).items():
        np.testing.assert_array_equal(variable.numpy(), after[key], err_msg=key)
    train(tmp_path / "parts", name, NOISE, timesteps=32)
    resumed = variables(train(tmp_path / "parts", name, NOISE)[0])
    for key, value in after.items():
        np.testing.assert_array_equal(resumed[key], value, err_msg=key)


def test_they_do_so_in_the_compiled_program_too(tmp_path):
    agent, env = train(tmp_path, "ppo", [*NOISE, Calls], env="CompiledEnvironment")
    spec = agent.build("train", plx.make("environments", env))
    for key, variable in plx.variables_by_name(spec.network).items():
        assert (variable.numpy() != variables(agent)[key]).any(), key
    assert [value for key, value in states(agent).items() if "calls" in key] == [16, 16]


@pytest.mark.parametrize("layer", [*NOISE[:2], Calls])
def test_a_trust_region_needs_the_same_policy_before_and_after_a_step(tmp_path, layer):
    env = {"GymEnvironment": {"env_id": "CartPole-v1"}}
    with pytest.raises(ComponentError, match="behave in another way in training"):
        make_agent(tmp_path, "trpo", ROLLOUT, graph=graph(layer)).train(env, max_timesteps=16)
    agent = make_agent(tmp_path, "trpo", ROLLOUT, graph=graph(), value_graph_fn=graph(layer))
    agent.train(env, max_timesteps=16)
    assert states(agent)
    assert all(value.any() for value in states(agent).values())
