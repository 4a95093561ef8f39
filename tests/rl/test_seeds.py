"""Many seeds in one program: each is what it would be alone."""

import json

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner

import plx_core as plx
from plx_core.cli.main import main
from plx_core.errors import ComponentError
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.seeds import Seeds

CONFIG = """
version: 1
project: {name: seeds}
environment: {seed: 4}
model:
  ppo:
    graph: {input_layers: state, layers: [{Dense: {units: 16, activation: tanh}}]}
    optimizer: {Adam: {learning_rate: 0.005}}
    epochs: 2
    minibatch_size: 64
agent: {memory: {BatchMemory: {batch_size: 128}}}
train: {env: {CompiledEnvironment: {env_id: CartPole-v1, num_envs: 8}}, train_timesteps: 7680}
"""


def experiment_of(directory, env=None, model="PPOModel", **parameters):
    graph = plx.Graph(
        layers=[{"Dense": {"units": 8, "activation": "tanh"}}], input_layers=["state"]
    )

    def model_fn(features, labels, mode):
        return getattr(plx.models, model)(mode, graph=graph, **parameters)(features, labels)

    agent = plx.Agent(
        model_fn, {"BatchMemory": {"batch_size": 64}}, directory, plx.EnvironmentConfig(seed=7)
    )
    return plx.RLExperiment(agent=agent, env=env or CompiledEnvironment("CartPole-v1", 4))


@pytest.mark.parametrize("clip", [None, 0.05])
def test_an_update_is_that_of_each_seed_alone(tmp_path, clip):
    experiment = experiment_of(
        tmp_path, clip_gradients=clip, optimizer={"SGD": {"learning_rate": 0.1}}
    )
    seeds = Seeds(experiment, 3)
    rng = np.random.default_rng(0)
    batch = {
        "state": rng.normal(size=(3, 64, 4)),
        "log_prob": rng.uniform(-1, -0.4, (3, 64)),
        "advantage": rng.normal(size=(3, 64)) * [[1], [5], [20]],
        "returns": rng.normal(size=(3, 64)),
        "value": rng.normal(size=(3, 64)),
        "weights": np.ones((3, 64)),
    }
    batch = {name: tf.constant(column, tf.float32) for name, column in batch.items()} | {
        "action": tf.constant(rng.integers(0, 2, (3, 64)))
    }
    seeds._update(batch, 0.2)
    for index in range(3):
        alone = plx.Agent(
            experiment.agent.model_fn, None, tmp_path, plx.EnvironmentConfig(seed=7 + index)
        ).build("train", experiment.env)
        alone.learner._update({name: column[index] for name, column in batch.items()}, 0.2)
        for together, weight in zip(
            seeds._weights, alone.learner.actor_critic.weights, strict=True
        ):
            np.testing.assert_allclose(together[index], weight.numpy(), atol=1e-6)


def test_columns_are_parted_by_seed(tmp_path):
    seeds = Seeds(experiment_of(tmp_path), 3)
    steps, copies = 16, 4
    column = tf.reshape(tf.range(steps * 3 * copies), [steps, 3 * copies])
    parted = seeds._seed_major(column).numpy().reshape(3, steps, copies)
    for index in range(3):
        np.testing.assert_array_equal(
            parted[index], column.numpy()[:, index * copies : (index + 1) * copies]
        )
    observations = tf.random.stateless_normal((steps, 3 * copies, 4), [1, 2])
    values = seeds._values(observations).numpy()
    for index in range(3):
        alone = plx.Agent(
            seeds_model(seeds, tmp_path), None, tmp_path, plx.EnvironmentConfig(seed=7 + index)
        ).build("train", seeds._env)
        own = observations[:, index * copies : (index + 1) * copies]
        expected = (
            alone.learner.actor_critic.value({"state": tf.reshape(own, [-1, 4])})
            .numpy()
            .reshape(steps, copies)
        )
        np.testing.assert_allclose(
            values[:, index * copies : (index + 1) * copies], expected, atol=1e-5
        )


def seeds_model(seeds, directory):
    return experiment_of(directory).agent.model_fn


def test_other_models_and_environments_are_refused(tmp_path):
    with pytest.raises(
        ComponentError, match="need a CompiledEnvironment; train.env is a GymEnvironment"
    ):
        Seeds(experiment_of(tmp_path, plx.envs.GymEnvironment("CartPole-v1", 4)), 2)
    with pytest.raises(ComponentError, match="are for A2CModel, and for PPOModel"):
        Seeds(experiment_of(tmp_path, model="VPGModel"), 2)


def test_plx_seeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yml").write_text(CONFIG)
    result = CliRunner().invoke(
        main, ["seeds", "a.yml", "--seeds", "6", "--looks", "3"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    lines = [
        json.loads(line) for line in (tmp_path / "runs/seeds/seeds.jsonl").read_text().splitlines()
    ]
    assert [line["timesteps"] for line in lines] == [2560, 5120, 7680]
    assert all(len(set(line["returns"])) > 1 for line in lines[:1])
    assert np.median(lines[-1]["returns"]) > 60, "a policy at random balances for some twenty steps"
    assert (tmp_path / "runs/seeds/seeds.png").stat().st_size > 5_000
    assert "interquartile range" in result.output
