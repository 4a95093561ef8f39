"""The program by which polyaxon-lib introduced its agents; only its import and the environment's version are others."""

import inspect

import attrs
import numpy as np
import pytest

import plx_core as plx
from plx_core.callbacks.callback import Callback
from plx_core.config import sections
from plx_core.runs.checkpoints import load

PROGRAM = """
import plx_core as plx
import tensorflow as tf

env = plx.envs.GymEnvironment('CartPole-v1')

def graph_fn(mode, inputs):
    return plx.layers.FullyConnected(mode, num_units=512)(inputs['state'])

def model_fn(features, labels, mode):
    model = plx.models.DDQNModel(
        mode,
        graph_fn=graph_fn,
        loss_config=plx.configs.LossConfig(module='huber_loss'),
        num_states=env.num_states,
        num_actions=env.num_actions,
        optimizer_config=plx.configs.OptimizerConfig(module='sgd', learning_rate=0.01),
        exploration_config=plx.configs.ExplorationConfig(module='decay'),
        target_update_frequency=10,
        summaries='all')
    return model(features, labels)

memory = plx.rl.memories.Memory()
estimator = plx.estimators.Agent(
  model_fn=model_fn, memory=memory, model_dir="ddqn_cartpole")
"""


class Watch(Callback):
    """Keep the loss of every update."""

    every_n_steps = 1

    def __init__(self):
        self.losses = []

    def on_steps(self, run, step, metrics):
        self.losses.append(metrics["loss"])


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(PROGRAM, names)
    return names


def test_the_seeds_program_learns_and_its_loss_stays_finite(program):
    watch, agent = Watch(), program["estimator"]
    agent.train(program["env"], max_steps=300, callbacks=[watch])
    assert len(watch.losses) == agent.global_step == 300
    assert np.isfinite(watch.losses).all()
    # The first update is at the first multiple of 10 with a whole batch of 64 in the memory.
    assert agent.global_timestep == 70 + 299 * 10


def test_the_seeds_program_clips_gradients_to_the_norm_of_polyaxon_lib(program):
    """One update of gradient descent is as long as the rate times the norm of the gradients."""
    agent = program["estimator"]
    agent.train(program["env"], max_steps=1)
    before = load(agent.latest_checkpoint())["program"]["variables"]
    agent.train(program["env"], max_steps=2)
    after = load(agent.latest_checkpoint())["program"]["variables"]
    moved = np.sqrt(sum(np.sum((after[name] - before[name]) ** 2) for name in before))
    assert moved == pytest.approx(0.01 * 0.5, rel=1e-3)


DISCOUNT = {"discount": 0.97}
GRADIENTS = {"summaries": "all", "clip_gradients": 0.5, "clip_embed_gradients": 0.1}
TARGET = {"use_target_graph": True, "target_update_frequency": 5, "exploration": None}
UPDATES = {"first_update": 5000, "update_frequency": 15}
DEFAULTS = {
    ("models", "BaseQModel"): DISCOUNT | GRADIENTS | TARGET | {"dueling": "mean"},
    ("models", "DQNModel"): DISCOUNT | GRADIENTS | TARGET | {"dueling": "mean"},
    ("models", "DDQNModel"): DISCOUNT | GRADIENTS | TARGET | {"dueling": "mean"},
    ("models", "NAFModel"): DISCOUNT | GRADIENTS | TARGET,
    ("models", "VPGModel"): GRADIENTS,
    ("models", "TRPOModel"): {"summaries": "all"},
    ("experiments", "RLExperiment"): UPDATES
    | {"eval_steps": 10, "eval_every_n_steps": 1, "train_steps_per_iteration": 100},
    ("experiments", "Experiment"): {"eval_every_n_steps": 1, "train_steps_per_iteration": 100},
}
"""The defaults that polyaxon-lib documents, by namespace and class."""


@pytest.mark.parametrize(("namespace", "name"), DEFAULTS)
def test_the_defaults_are_those_that_polyaxon_lib_documents(namespace, name):
    fields = attrs.fields_dict(getattr(getattr(plx, namespace), name))
    expected = DEFAULTS[namespace, name]
    assert {parameter: fields[parameter].default for parameter in expected} == expected


def test_an_agent_updates_when_polyaxon_lib_documents():
    parameters = inspect.signature(plx.Agent.train).parameters
    assert parameters["first_update"].default == 35
    assert parameters["update_frequency"].default == 10


@pytest.mark.parametrize("name", [*UPDATES, "train_steps_per_iteration", "eval_every_n_steps"])
def test_a_config_has_the_defaults_of_an_experiment(name):
    python = attrs.fields_dict(plx.experiments.RLExperiment)[name].default
    section = sections.EvalConfig if name == "eval_every_n_steps" else sections.TrainConfig
    assert attrs.fields_dict(section)[name].default == python
