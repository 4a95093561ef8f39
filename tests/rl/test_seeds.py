"""Many seeds with one program: each is what it is alone."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import plx_core as plx
from plx_core.cli.main import main
from plx_core.errors import ComponentError
from plx_core.runs.checkpoints import load
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
ADAM = "{Adam: {learning_rate: 0.005}}"
DENSE = "{Dense: {units: 16, activation: tanh}}"
OPTIONS = {
    "nothing else": {},
    "a regularizer": {
        DENSE: "{Dense: {units: 16, kernel_regularizer: {L2: {l2: 1000.0}}}}",
    },
    "the norm of each gradient": {ADAM: "{Adam: {learning_rate: 0.005, clipnorm: 0.01}}"},
    "the norm of all gradients": {ADAM: "{SGD: {learning_rate: 0.1, global_clipnorm: 0.01}}"},
    "norms that the model clips": {
        "epochs: 2": "epochs: 2\n    clip_gradients: 0.05\n    clip_embed_gradients: 0.001",
        DENSE: "{Dense: {units: 16, name: embedding}}",
    },
    "a scaled loss": {ADAM: "{Adam: {learning_rate: 0.005, loss_scale_factor: 1024.0}}"},
    "a schedule": {
        "epochs: 2": "epochs: 2\n    clip_range: {PolynomialDecay: {initial_learning_rate: 0.2, decay_steps: 10}}",
    },
    "an early stop": {"epochs: 2": "epochs: 2\n    target_kl: 0.0001"},
    "layers that differ in training": {
        DENSE: f"{DENSE}, BatchNormalization, {{Dropout: {{rate: 0.5}}}}",
    },
    "a2c": {"  ppo:": "  a2c:", "    epochs: 2\n    minibatch_size: 64\n": ""},
    "a seed of the environments": {"num_envs: 8": "num_envs: 8, seed: 3"},
}


@pytest.fixture
def trained(monkeypatch):
    """The `Seeds` of each call of `plx seeds`."""
    made = []

    class Noted(Seeds):
        def __init__(self, experiments):
            super().__init__(experiments)
            made.append(self)

    monkeypatch.setattr("plx_rl.seeds.Seeds", Noted)
    return made


def run(*arguments):
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS)
def test_a_seed_is_the_run_of_that_seed(tmp_path, monkeypatch, trained, changes):
    monkeypatch.chdir(tmp_path)
    text = CONFIG.replace("7680", "384")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "a.yml").write_text(text)
    run("seeds", "a.yml", "--seeds", "2", "--looks", "2")
    run("train", "a.yml", "--set", "environment.seed=5", "--output-dir", "alone")
    first, second = (seed.learner for seed in trained[0].seeds)
    alone = load(next((tmp_path / "alone/checkpoints").glob("0*")))["program"]
    assert alone.keys() == second.keys()
    for group in ("variables", "optimizer"):
        for name, value in alone[group].items():
            np.testing.assert_array_equal(second[group][name], value, err_msg=name)
    assert any(
        (first["variables"][name] != alone["variables"][name]).any() for name in alone["variables"]
    )


def test_seeds_are_evaluated_with_the_averages_of_their_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    looks = []
    monkeypatch.setattr("plx_rl.seeds.draw", lambda made, path: looks.append(made))
    averages = "use_ema: true, ema_momentum: 1.0"  # which leaves them as of the first update
    once = "{PiecewiseConstantDecay: {boundaries: [0], values: [0.05, 0.0]}}"
    for options in (once, f"0.05, {averages}", "0.05"):
        text = CONFIG.replace("7680", "384").replace("0.005", options)
        (tmp_path / "a.yml").write_text(text)
        directory = str(len(looks))
        run("seeds", "a.yml", "--seeds", "2", "--looks", "2", "--output-dir", directory)
    first, averaged, trained = (np.stack([look.returns for look in made]) for made in looks)
    np.testing.assert_array_equal(averaged, first)
    assert (trained != first).any()


def experiment_of(directory, env=None, model="PPOModel"):
    graph = plx.Graph(
        layers=[{"Dense": {"units": 8, "activation": "tanh"}}], input_layers=["state"]
    )

    def model_fn(features, labels, mode):
        return getattr(plx.models, model)(mode, graph=graph)(features, labels)

    agent = plx.Agent(
        model_fn, {"BatchMemory": {"batch_size": 64}}, directory, plx.EnvironmentConfig(seed=7)
    )
    return plx.RLExperiment(agent=agent, env=env or CompiledEnvironment("CartPole-v1", 4))


def test_other_models_environments_and_starts_are_refused(tmp_path):
    with pytest.raises(
        ComponentError, match="need a CompiledEnvironment; train.env is a GymEnvironment"
    ):
        Seeds([experiment_of(tmp_path, plx.envs.GymEnvironment("CartPole-v1", 4))])
    with pytest.raises(ComponentError, match="are for A2CModel and PPOModel"):
        Seeds([experiment_of(tmp_path, model="VPGModel")])
    started = experiment_of(tmp_path)
    started.agent.warm_start = plx.configs.WarmStartConfig(path=str(tmp_path))
    with pytest.raises(ComponentError, match=r"leave train\.warm_start out"):
        Seeds([started])


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ("train_episodes: 3", "train.train_episodes: plx seeds ends training by train_timesteps"),
        ("train_timesteps: 128, train_steps: 3", "train.train_steps: plx seeds ends training"),
    ],
)
def test_another_end_is_refused(tmp_path, monkeypatch, train, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yml").write_text(CONFIG.replace("train_timesteps: 7680", train))
    result = CliRunner().invoke(main, ["seeds", "a.yml"])
    assert result.exit_code == 2
    assert message in result.output


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
