"""Environments of the library gym 0.26, and older ones, through the adapter."""

import sys

import numpy as np
import pytest
from gymnasium import spaces

from plx_core.errors import DataError
from plx_rl.environments.gym_environment import GymEnvironment
from plx_rl.environments.old_gym import OldGym, convert_space


class Ancient:
    """An environment as they were before gym 0.22: seeded by a method, `done` alone, no info at reset."""

    def __init__(self):
        self.observation_space = spaces.Box(-1, 1, (1,))
        self.action_space = spaces.Discrete(2)
        self.seeds = []

    def seed(self, seed):
        self.seeds.append(seed)

    def reset(self):
        self.time = 0
        return np.zeros(1, np.float32)

    def step(self, action):
        self.time += 1
        cut = {"TimeLimit.truncated": True} if action else {}
        return np.ones(1, np.float32), 1.0, self.time == 2, cut

    def close(self):
        self.closed = True


def test_done_is_a_cut_where_the_info_says_so():
    inner = Ancient()
    env = OldGym(inner)
    assert env.reset(seed=4)[1] == {}
    assert inner.seeds == [4]
    assert env.step(0)[2:4] == (False, False)
    assert env.step(0)[2:4] == (True, False)
    env.reset()
    env.step(1)
    assert env.step(1)[2:4] == (False, True)
    env.close()
    assert inner.closed


def test_spaces_are_converted_part_by_part():
    class Strange:
        pass

    space = spaces.Dict(
        {
            "a": spaces.Tuple([spaces.Discrete(3, start=1), spaces.MultiBinary(2)]),
            "b": spaces.MultiDiscrete([2, 3]),
        }
    )
    assert convert_space(space) == space
    with pytest.raises(DataError, match="Strange"):
        convert_space(Strange())


@pytest.mark.filterwarnings("ignore")
def test_cartpole_of_gym_0_26_goes_as_gymnasiums_does():
    pytest.importorskip("gym", reason="the extra gym is not installed")
    old = GymEnvironment("CartPole-v1", 2, library="gym", seed=3)
    new = GymEnvironment("CartPole-v1", 2, seed=3)
    np.testing.assert_allclose(old.reset(), new.reset(), rtol=1e-5)
    rng = np.random.default_rng(0)
    ends = 0
    for _ in range(150):
        actions = rng.integers(2, size=2)
        one, other = old.step(actions), new.step(actions)
        np.testing.assert_allclose(
            one.final_observations, other.final_observations, rtol=1e-4, atol=1e-5
        )
        np.testing.assert_array_equal(one.terminated, other.terminated)
        ends += one.terminated.sum()
    assert ends > 3
    assert old.inexact_because == ""
    state = old.state()
    expected = [old.step(np.array([0, 1])).observations for _ in range(40)]
    again = GymEnvironment("CartPole-v1", 2, library="gym", seed=8)
    again.restore(state)
    for observations in expected:
        np.testing.assert_array_equal(again.step(np.array([0, 1])).observations, observations)


def test_without_gym_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "gym", None)
    with pytest.raises(DataError, match=r"plx-rl\[gym\]"):
        GymEnvironment("CartPole-v1", library="gym")
