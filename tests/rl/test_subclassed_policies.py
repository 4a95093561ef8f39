"""The policy of a network that is an instance of the user's own subclass of keras.Model."""

import keras
import numpy as np
import tensorflow as tf
from attrs import evolve

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn
from plx_rl.environments.gym_environment import GymEnvironment

from .agents import make_agent, model_fn


class Own(keras.Model):
    """Calls the layers of a network; it does not know its inputs by name."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, features):
        outputs = features["state"]
        for layer in self.inner.layers[1:]:  # after the input
            outputs = layer(outputs)
        return outputs


def own_in_use(features, labels, mode):
    spec = model_fn("dqn")(features, labels, mode)
    return evolve(spec, network=Own(spec.network)) if mode == "predict" else spec


def test_it_is_exported_and_predicts_as_a_functional_network(tmp_path):
    memory = {"Memory": {"size": 100, "batch_size": 4}}
    agent = make_agent(tmp_path / "run", "dqn", memory)
    agent.train(GymEnvironment("CartPole-v1", seed=1), 8, 4, max_timesteps=30)
    own = plx.Agent(own_in_use, memory, tmp_path / "run", agent.config)
    env = GymEnvironment("CartPole-v1", seed=1)
    states = {"state": np.random.default_rng(0).normal(size=(40, 4)).astype("f4")}

    def actions(one):
        return [
            row["action"] for row in one.predict(numpy_input_fn(states, shuffle=False), env=env)
        ]

    expected = actions(agent)
    assert len(set(expected)) == 2
    assert actions(own) == expected
    own.export(tmp_path / "export", env)
    exported = tf.saved_model.load(str(tmp_path / "export"))
    assert np.asarray(exported.serve(states)["action"]).tolist() == expected
