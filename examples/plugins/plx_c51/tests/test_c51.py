"""C51: the projection by hand, a known distribution, and the checks of plx."""

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from plx_c51.model import C51Model
from plx_c51.targets import categorical_target, project

import plx_core as plx
from plx_core import testing
from plx_core.errors import PlxError


class Coin(gymnasium.Env):
    """One step: action 0 pays −1 or 1 by the toss of a coin; action 1 always pays 0.25."""

    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        reward = float(self.np_random.choice([-1.0, 1.0])) if action == 0 else 0.25
        return np.zeros(1, np.float32), reward, True, False, {}


def test_the_projection_by_hand():
    support = tf.constant([0.0, 1.0, 2.0])
    probabilities = project(
        tf.constant([[0.25, 1.0, 9.0]]), tf.constant([[0.4, 0.5, 0.1]]), support
    )
    assert np.allclose(probabilities, [[0.3, 0.1 + 0.5, 0.1]])


def test_the_target_by_hand():
    logits = tf.math.log(tf.constant([[[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]]))
    support = tf.constant([0.0, 1.0, 2.0])
    arguments = (logits, tf.constant([[0.0, 1.0]]), tf.constant([1.0]))
    assert np.allclose(
        categorical_target(*arguments, tf.constant([0.5]), support), [[0.0, 0.1 + 0.05, 0.05 + 0.8]]
    )
    assert np.allclose(
        categorical_target(*arguments, tf.constant([0.0]), support), [[0.0, 1.0, 0.0]]
    )


def test_it_learns_the_distribution_of_returns(tmp_path):
    def model_fn(observations, action_space, mode):
        model = C51Model(
            mode,
            graph=plx.Graph([{"Dense": {"units": 8}}]),
            atoms=9,
            v_min=-1.0,
            v_max=1.0,
            exploration="Random",
            optimizer={"Adam": {"learning_rate": 0.02}},
        )
        return model(observations, action_space)

    agent = plx.Agent(model_fn, {"Memory": {"size": 2000, "batch_size": 64}}, tmp_path, trackers=[])
    env = plx.environments.GymEnvironment(env_id=Coin, num_envs=4)
    agent.train(env, first_update=400, update_frequency=4, max_steps=300)
    (row, *_) = agent.predict(
        plx.inputs.ArrayPipeline(
            {"state": np.zeros((1, 1), "float32")}, num_epochs=1, batch_size=1, mode="eval"
        ),
        env=env,
    )
    coin, certain = row["probabilities"]
    assert coin[0] == pytest.approx(0.5, abs=0.12)
    assert coin[-1] == pytest.approx(0.5, abs=0.12)
    assert certain[5] > 0.9
    assert row["q"] == pytest.approx([0.0, 0.25], abs=0.2)


def test_wrong_parameters_are_explained():
    with pytest.raises(
        ValueError,
        match="expected at least two atoms, and v_min below v_max; got 51 atoms from 1.0 to 1.0",
    ):
        C51Model("train", v_min=1.0, v_max=1.0)
    model = C51Model("train", graph=plx.Graph([{"Dense": {"units": 8}}]))
    with pytest.raises(PlxError, match="C51Model needs a Discrete action space"):
        model({"state": tf.keras.Input((1,), name="state")}, gymnasium.spaces.Box(-1, 1, (2,)))


def test_every_part_passes_its_check():
    results = testing.check_plugin("plx_c51.plugin")
    assert {result.outcome for result in results} == {"passed"}
