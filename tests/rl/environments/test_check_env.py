"""What check_environment says of faulty environments, and that it says nothing of sound ones."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from tests.rl.worlds import Counter, Masked, Observing, Walk

from plx_rl.environments.check_env import check_environment
from plx_rl.environments.simulator_state import inexactness


class NoSpace(gymnasium.Env):
    action_space = spaces.Discrete(2)


class NotAnEnvironment:
    observation_space = action_space = spaces.Discrete(2)

    def step(self, action):
        return 0, 0.0, False, False, {}


class NoSeed(Counter):
    def reset(self):
        return super().reset()


class Unseeded(Counter):
    rng = np.random.default_rng()

    def observe(self):
        return Unseeded.rng.random(2, dtype=np.float32)


class SecretlyRandom(Counter):
    rng = np.random.default_rng()

    def step(self, action):
        _, *rest = super().step(action)
        return (SecretlyRandom.rng.random(2, dtype=np.float32), *rest)


class Reused(Counter):
    def __init__(self):
        super().__init__()
        self.buffer = np.zeros(2, np.float32)

    def reset(self, *, seed=None, options=None):
        self.episode = -1
        super().reset(seed=seed)
        return self.observe(), {}

    def observe(self):
        self.buffer[:] = self.episode, self.time
        return self.buffer


def answering(**changed):
    names = ("observation", "reward", "terminated", "truncated", "info")

    class Answering(Counter):
        def reset(self, *, seed=None, options=None):
            self.episode = -1
            return super().reset(seed=seed)

        def step(self, action):
            answer = dict(zip(names, super().step(action), strict=True)) | changed
            return tuple(answer.values())

    return Answering


class Sound(Counter):
    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.episode = -1
        return super().reset(seed=seed)


class SoundlyMasked(Masked):
    def reset(self, *, seed=None, options=None):
        if seed is not None:
            self.episode = -1
        return super().reset(seed=seed)


@pytest.mark.parametrize(
    "env",
    [
        Sound(),
        SoundlyMasked(),
        gymnasium.make("CartPole-v1"),
        gymnasium.make("FrozenLake-v1"),
        gymnasium.make("Pendulum-v1"),
    ],
)
def test_a_sound_environment_has_no_faults(env):
    assert check_environment(env) == []


@pytest.mark.parametrize(
    ("env", "fault"),
    [
        (NotAnEnvironment(), "not a gymnasium.Env and lacks reset"),
        (NoSpace(), "observation_space is None"),
        (Observing(spaces.Tuple([spaces.Discrete(2)])), "FlattenObservation"),
        (Observing(action_space=spaces.Text(3)), "action_space is Text"),
        (NoSeed(), "reset(self, *, seed=None, options=None)"),
        (Unseeded(), "returned different observations"),
        (SecretlyRandom(), "different results at step 1"),
        (Reused(), "return a copy"),
        (answering(observation=np.zeros(2))(), "has dtype float64"),
        (answering(observation=np.zeros(3, np.float32))(), "has shape (3,)"),
        (answering(observation=np.full(2, 1e9, np.float32))(), "outside observation_space"),
        (answering(observation=np.full(2, np.nan, np.float32))(), "not finite"),
        (answering(observation=[0.0, 0.0])(), "is a list"),
        (answering(reward=np.zeros(1))(), "a reward must be one number"),
        (answering(reward=None)(), "a reward must be one number"),
        (answering(reward=float("inf"))(), "a reward must be finite"),
        (answering(terminated=0)(), "0 for terminated; it must be True or False"),
        (answering(truncated=None)(), "None for truncated"),
        (answering(info=None)(), "None for info; it must be a dict"),
        (answering(info={"action_mask": np.ones(5)})(), "5 entries; there are 2 actions"),
        (answering(terminated=False)(), "no episode ended"),
        (Walk(), "gave different results"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fault_is_named(env, fault):
    faults = check_environment(env)
    assert any(fault in one for one in faults), faults


def test_the_old_form_of_step_is_recognised():
    class Old(Sound):
        def step(self, action):
            return super().step(action)[:4]

    assert "as in the old library gym" in check_environment(Old())[0]


@pytest.mark.parametrize("space", [spaces.Discrete(3), spaces.MultiDiscrete([2, 3])])
def test_trials_take_legal_actions_alone(space):
    class Strict(Masked):
        """Refuses what is not legal: with each step another action of the last part, and the first of the others."""

        def __init__(self):
            super().__init__()
            self.action_space = space

        def info(self):
            last = np.arange(3) == self.time % 3
            return {
                "action_mask": last
                if isinstance(space, spaces.Discrete)
                else (np.array([True, False]), last)
            }

        def step(self, action):
            if np.ravel(action)[-1] != self.time % 3 or (np.size(action) == 2 and action[0]):
                raise RuntimeError(f"{action} is not legal")
            return super().step(action)

        def observe(self):
            return super().observe() * np.array([0.0, 1.0], np.float32)

    assert check_environment(Strict()) == []
    assert inexactness(Strict) == ""
