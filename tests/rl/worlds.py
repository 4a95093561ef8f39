"""Small environments whose every answer is known."""

import gymnasium
import numpy as np
from gymnasium import spaces


class Counter(gymnasium.Env):
    """Counts its steps; the observation is [episode, step], the reward the step, and an episode terminates or is cut after `length`."""

    def __init__(self, length=3, cut=False, space=None):
        self.observation_space = spaces.Box(-1000.0, 1000.0, (2,), np.float32)
        self.action_space = space or spaces.Discrete(2)
        self.length, self.cut = length, cut
        self.episode, self.time = -1, 0
        self.actions = []

    def observe(self):
        return np.array([self.episode, self.time], np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode += 1
        self.time = 0
        return self.observe(), {}

    def step(self, action):
        self.actions.append(action)
        self.time += 1
        over = self.time == self.length
        return self.observe(), float(self.time), over and not self.cut, over and self.cut, {}


class Masked(Counter):
    """A Counter in which the legal action is the number of the step, of three."""

    def __init__(self, length=3):
        super().__init__(length, space=spaces.Discrete(3))

    def info(self):
        return {"action_mask": np.arange(3) == self.time % 3}

    def reset(self, **options):
        return super().reset(**options)[0], self.info()

    def step(self, action):
        return (*super().step(action)[:4], self.info())


class Walk(gymnasium.Env):
    """A random walk with hidden state of many kinds, to be captured."""

    def __init__(self, space=None):
        self.observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float64)
        self.action_space = spaces.Discrete(2)
        self.position = np.zeros(1)
        self.view = self.position[:]
        self.history = []
        self.also_history = self.history
        self.counts = {"left": 0, 1: [0, (2, 3)]}
        self.body = Body()
        self.legacy = np.random.RandomState(0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.legacy.seed(seed)
        self.position[0] = self.np_random.normal()
        self.history.clear()
        self.late = {"steps": 0}
        return self.view.copy(), {}

    def step(self, action):
        self.late["steps"] += 1
        self.body.speed += self.np_random.normal() + self.legacy.rand() + self.action_space.sample()
        self.counts["left"] += int(action)
        self.history.append(self.body.speed)
        self.position[0] += self.body.speed + self.counts["left"] + sum(self.also_history)
        return self.view.copy(), float(self.position[0]), self.late["steps"] == 9, False, {}


class Screen(gymnasium.Env):
    """Shows one grey level after another, has lives, and remembers what was done."""

    def __init__(self, shape=(6, 4, 3), length=9):
        self.observation_space = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Discrete(3)
        self.length = length
        self.level = 0
        self.games = 0
        self.actions = []

    def get_action_meanings(self):
        return ["NOOP", "FIRE", "RIGHT"]

    def observe(self):
        return np.full(self.observation_space.shape, self.level % 256, np.uint8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.games += 1
        self.time = 0
        self.level += 10
        return self.observe(), {"lives": 3}

    def step(self, action):
        self.actions.append(int(action))
        self.time += 1
        self.level += 1
        return self.observe(), 1.0, self.time >= self.length, False, {"lives": 3 - self.time // 3}


class Body:
    """Part of a Walk."""

    def __init__(self):
        self.speed = 0.0


class Observing(gymnasium.Env):
    """Observes samples of any space, and acts in any other."""

    def __init__(self, observation_space=None, action_space=None):
        is_given = observation_space is not None, action_space is not None
        default = spaces.Box(0.0, 1.0, (2,), np.float32), spaces.Discrete(2)
        self.observation_space = observation_space if is_given[0] else default[0]
        self.action_space = action_space if is_given[1] else default[1]
        self.actions = []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action):
        self.actions.append(action)
        return self.observation_space.sample(), 1.0, False, len(self.actions) % 7 == 0, {}


class CounterVector(gymnasium.vector.VectorEnv):
    """Counters that reset themselves in the way asked for."""

    def __init__(self, num_envs=2, mode=gymnasium.vector.AutoresetMode.NEXT_STEP, lengths=(2, 3)):
        self.num_envs, self.mode, self.lengths = num_envs, mode, np.array(lengths)
        self.metadata = {"autoreset_mode": mode}
        self.single_observation_space = spaces.Box(-1000.0, 1000.0, (2,), np.float32)
        self.single_action_space = spaces.Discrete(2)
        self.observation_space = gymnasium.vector.utils.batch_space(
            self.single_observation_space, num_envs
        )
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)

    def observe(self):
        return np.stack([self.episode, self.time], -1).astype(np.float32)

    def reset(self, *, seed=None, options=None):
        if options and "reset_mask" in options:
            mask = options["reset_mask"]
            self.episode[mask] += 1
            self.time[mask] = 0
            return self.observe(), {}
        self.episode, self.time, self.over = (
            np.zeros(self.num_envs, kind) for kind in (int, int, bool)
        )
        return self.observe(), {}

    def step(self, actions):
        resetting = self.over & (self.mode == gymnasium.vector.AutoresetMode.NEXT_STEP)
        self.episode += resetting
        self.time = np.where(resetting, 0, self.time + 1)
        self.over = (self.time == self.lengths) & ~resetting
        rewards, over, infos = self.time * 1.0, self.over.copy(), {}
        if self.mode == gymnasium.vector.AutoresetMode.SAME_STEP and over.any():
            infos["final_obs"] = np.array(
                [row if end else None for row, end in zip(self.observe(), over, strict=True)],
                object,
            )
            self.episode += over
            self.time = np.where(over, 0, self.time)
        return self.observe(), rewards, over, np.zeros(self.num_envs, bool), infos


class Probes(gymnasium.Env):
    """Nine small environments in one: an episode is one of them, and the observation says which, so that each value is known.

    The probes, by the situation in which they begin, of which the first ones follow Andy Jones's:

        0        is worth 1, whatever one does
        1, 2     are worth 1 and -1
        3        leads to 4, which is worth 1
        5        is worth 1 or -1, as one acts
        6, 7     are worth 1 or -1, as one acts; what is right in the one is wrong in the other
        8        pays 1 for ever, but is cut short after four steps
        9        pays 3 or 1, as one acts
        10       leads to 9, but there the better action is not legal

    Args:
        continuous: whether an action is a number, of which 0.5 and -0.5 are the right and the wrong one, and one pays 1 less the square
            of how far one is off.
        ends: whether 8 ends for good after its four steps.
    """

    def __init__(self, continuous=False, ends=False):
        self.observation_space = spaces.Discrete(11)
        self.action_space = (
            spaces.Box(-1.0, 1.0, (1,), np.float32) if continuous else spaces.Discrete(2)
        )
        self.continuous, self.ends = continuous, ends
        self.place, self.time, self.legal = 0, 0, np.ones(2, bool)

    def info(self):
        return {} if self.continuous else {"action_mask": self.legal}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        places = [0, 1, 2, 3, 5, 6, 7, 8] if self.continuous else [0, 1, 2, 3, 5, 6, 7, 8, 9, 10]
        self.place, self.time, self.legal = int(self.np_random.choice(places)), 0, np.ones(2, bool)
        return self.place, self.info()

    def step(self, action):
        place, self.time = self.place, self.time + 1
        if place == 8:
            over = self.time == 4
            return 8, 1.0, over and self.ends, over and not self.ends, self.info()
        if place in (3, 10):
            self.place = {3: 4, 10: 9}[place]
            self.legal = np.array([place != 10, True])
            return self.place, 0.0, False, False, self.info()
        if not self.continuous and not self.legal[action]:
            raise RuntimeError(f"the action {action} is not legal")
        reward = {0: 1.0, 1: 1.0, 2: -1.0, 4: 1.0}.get(place)
        return (
            place,
            self.paid(place, action) if reward is None else reward,
            True,
            False,
            self.info(),
        )

    def paid(self, place, action):
        if self.continuous:
            return 1.0 - float(action[0] - (-0.5 if place == 7 else 0.5)) ** 2
        return float(3 - 2 * action) if place == 9 else 1.0 if action == (place == 7) else -1.0


class Identity(gymnasium.Env):
    """Pays for each part of an action that is what was observed; an episode is four steps, cut short."""

    def __init__(self, space):
        self.observation_space = spaces.Dict(
            {"wanted": space, "noise": spaces.Box(-1.0, 1.0, (2,), np.float32)}
        )
        self.action_space = space
        self.wanted, self.time = space.sample(), 0

    def observe(self):
        self.wanted = self.np_random.integers(
            getattr(self.action_space, "nvec", 2), size=self.action_space.shape
        )
        self.wanted = self.wanted.astype(self.action_space.dtype)
        return {
            "wanted": self.wanted,
            "noise": self.np_random.uniform(-1.0, 1.0, 2).astype(np.float32),
        }

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.observe(), {}

    def step(self, action):
        reward, self.time = float(np.mean(action == self.wanted)), self.time + 1
        return self.observe(), reward, False, self.time == 4, {}
