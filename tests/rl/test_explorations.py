"""Each exploration: its rate by hand, the frequencies of what it does, its seed and its state."""

import math

import keras
import numpy as np
import pytest

from plx_core.errors import ComponentError
from plx_rl.explorations.boltzmann import Boltzmann
from plx_rl.explorations.constant import Constant
from plx_rl.explorations.decay import Decay
from plx_rl.explorations.epsilon_greedy import EpsilonGreedy
from plx_rl.explorations.gaussian import Gaussian, GaussianNoise
from plx_rl.explorations.greedy import Greedy
from plx_rl.explorations.ornstein_uhlenbeck import OrnsteinUhlenbeck
from plx_rl.explorations.random import Random
from plx_rl.explorations.random_decay import RandomDecay
from plx_rl.explorations.rates import BLOCK, ScheduledRate

N, A = 20_000, 4
GREEDY = np.full(N, 2)
SCORES = np.tile(np.array([0.0, 1.0, 3.0, 2.0], "f4"), (N, 1))
CONTINUOUS = np.zeros((N, 2), "f4")
ONLY_DISCRETE = [EpsilonGreedy, Boltzmann]
ONLY_CONTINUOUS = [Gaussian, GaussianNoise, OrnsteinUhlenbeck]
SEEDED = [Constant, Decay, RandomDecay, Random, *ONLY_DISCRETE, *ONLY_CONTINUOUS]
schedules = keras.optimizers.schedules
ELEMENTWISE = [
    schedules.CosineDecay(1.0, 6000, alpha=0.1),
    schedules.CosineDecayRestarts(1.0, 1000),
    schedules.ExponentialDecay(1.0, 1000, 0.7),
    schedules.ExponentialDecay(1.0, 1000, 0.7, staircase=True),
    schedules.InverseTimeDecay(1.0, 1000, 0.5),
    schedules.InverseTimeDecay(1.0, 1000, 0.5, staircase=True),
    schedules.PiecewiseConstantDecay([100, 5000], [1.0, 0.5, 0.1]),
    schedules.PolynomialDecay(1.0, 6000, 0.05),
    schedules.PolynomialDecay(1.0, 6000, 0.05, power=2.0),
    schedules.PolynomialDecay(1.0, 1000, 0.05, cycle=True),
]
POLYNOMIAL = {
    "PolynomialDecay": {
        "initial_learning_rate": 1.0,
        "decay_steps": 100,
        "end_learning_rate": 0.2,
    }
}


def frequencies(actions):
    return np.bincount(actions, minlength=A) / len(actions)


def greedy_for(kind):
    return CONTINUOUS[:64] if kind in ONLY_CONTINUOUS else GREEDY[:64]


def test_each_environment_throws_its_own_coin():
    actions = Constant(0.4, seed=0).explore(GREEDY, 0, SCORES)
    np.testing.assert_allclose(frequencies(actions), [0.1, 0.1, 0.7, 0.1], atol=0.012)


def test_a_rate_for_each_environment():
    actions = Constant([0.0, 1.0] * (N // 2), seed=0).explore(GREEDY, 0, SCORES)
    assert (actions[::2] == 2).all()
    np.testing.assert_allclose(frequencies(actions[1::2]), np.full(4, 0.25), atol=0.02)


def test_greedy_does_what_the_model_would_do():
    assert Greedy().explore(GREEDY, 0, SCORES) is GREEDY
    assert Greedy().rate(0) == 0.0


def test_random_does_anything():
    np.testing.assert_allclose(
        frequencies(Random(seed=0).explore(GREEDY, 0, SCORES)), np.full(4, 0.25), atol=0.015
    )
    numbers = Random(seed=0).explore(CONTINUOUS, 0)
    assert numbers.dtype == np.float32
    assert -1 <= numbers.min() < -0.99
    assert 0.99 < numbers.max() <= 1
    assert abs(numbers.mean()) < 0.02


def test_only_legal_actions_are_taken_at_random():
    masks = np.tile([True, False, True, False], (N, 1))
    for exploration in (Random(seed=0), Constant(1.0, seed=0), Boltzmann(100.0, seed=0)):
        np.testing.assert_allclose(
            frequencies(exploration.explore(GREEDY, 0, SCORES, masks)), [0.5, 0, 0.5, 0], atol=0.02
        )


def test_where_nothing_is_legal_everything_is():
    masks = np.zeros((N, A), bool)
    np.testing.assert_allclose(
        frequencies(Random(seed=0).explore(GREEDY, 0, SCORES, masks)), np.full(4, 0.25), atol=0.015
    )


@pytest.mark.parametrize(
    ("parameters", "timestep", "expected"),
    [
        ({"exploration_rate": 1.0, "min_exploration_rate": 0.04, "decay_steps": 8000}, 0, 1.0),
        ({"exploration_rate": 1.0, "min_exploration_rate": 0.04, "decay_steps": 8000}, 4000, 0.52),
        (
            {"exploration_rate": 1.0, "min_exploration_rate": 0.04, "decay_steps": 8000},
            80_000,
            0.04,
        ),
        ({"exploration_rate": 1.0, "decay_steps": 100, "start_decay_at": 50}, 50, 1.0),
        ({"exploration_rate": 1.0, "decay_steps": 100, "start_decay_at": 50}, 75, 0.75),
        ({"exploration_rate": 1.0, "decay_steps": 100, "stop_decay_at": 30}, 1000, 0.7),
        (
            {
                "exploration_rate": 1.0,
                "decay_steps": 100,
                "start_decay_at": 10,
                "stop_decay_at": 30,
            },
            1000,
            0.8,
        ),
        (
            {
                "exploration_rate": 0.8,
                "decay_type": "exponential_decay",
                "decay_rate": 0.5,
                "decay_steps": 10,
            },
            15,
            0.8 * 0.5**1.5,
        ),
        (
            {
                "exploration_rate": 0.8,
                "decay_type": "exponential_decay",
                "decay_rate": 0.5,
                "decay_steps": 10,
                "staircase": True,
            },
            15,
            0.4,
        ),
        (
            {
                "exploration_rate": 0.8,
                "decay_type": "exponential_decay",
                "decay_rate": 0.5,
                "decay_steps": 1,
                "min_exploration_rate": 0.1,
            },
            99,
            0.1,
        ),
        (
            {
                "exploration_rate": 0.8,
                "decay_type": "natural_exp_decay",
                "decay_rate": 0.5,
                "decay_steps": 10,
            },
            20,
            0.8 * math.exp(-1),
        ),
        (
            {
                "exploration_rate": 0.8,
                "decay_type": "inverse_time_decay",
                "decay_rate": 1.0,
                "decay_steps": 10,
            },
            30,
            0.2,
        ),
        (
            {"decay_type": "piecewise_constant", "boundaries": [10, 20], "values": [0.9, 0.5, 0.1]},
            15,
            0.5,
        ),
        (
            {"decay_type": "piecewise_constant", "boundaries": [10, 20], "values": [0.9, 0.5, 0.1]},
            0,
            0.9,
        ),
        ({"exploration_rate": 0.01, "min_exploration_rate": 0.05}, 0, 0.01),
    ],
)
def test_decay_by_hand(parameters, timestep, expected):
    for kind in (Decay, RandomDecay):
        assert kind(**parameters).rate(timestep) == pytest.approx(expected)


def test_decay_of_a_rate_for_each_environment():
    np.testing.assert_allclose(Decay([1.0, 0.5], decay_steps=10).rate(5), [0.5, 0.25])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"decay_type": "piecewise_constant"}, "boundaries and values"),
        ({"boundaries": [1], "values": [1.0, 0.5]}, "other types take neither"),
        (
            {"decay_type": "piecewise_constant", "boundaries": [1], "values": [0.5]},
            "one value more",
        ),
        (
            {"decay_type": "piecewise_constant", "boundaries": [9, 1], "values": [0.5, 0.2, 0.1]},
            "rising",
        ),
        ({"start_decay_at": 10, "stop_decay_at": 5}, "before it starts"),
    ],
)
def test_a_decay_that_makes_no_sense_is_refused(parameters, message):
    for kind in (Decay, RandomDecay):
        with pytest.raises(ValueError, match=message):
            kind(**parameters)


def test_random_decay_explores_where_the_size_of_a_normal_number_beats_the_coin():
    actions = RandomDecay(0.5, seed=0).explore(GREEDY, 0, SCORES)
    numbers = np.abs(np.random.default_rng(1).standard_normal(1_000_000)) * 0.5
    expected = np.minimum(numbers, 1).mean()
    assert (actions != 2).mean() == pytest.approx(expected * 0.75, abs=0.012)


@pytest.mark.parametrize("kind", [Constant, Decay, RandomDecay, Gaussian, GaussianNoise])
def test_continuous_noise_has_the_scale_of_the_rate(kind):
    exploration = kind(0.3, seed=0)
    noise = exploration.explore(CONTINUOUS, 0)
    assert noise.dtype == np.float32
    assert noise.std() == pytest.approx(0.3, abs=0.01)
    assert noise.mean() == pytest.approx(0.0, abs=0.01)


def test_ornstein_uhlenbeck_wanders_with_the_variance_and_memory_of_its_equation():
    exploration = OrnsteinUhlenbeck(sigma=0.3, theta=0.15, seed=0)
    path = [exploration.explore(CONTINUOUS, t).copy() for t in range(60)]
    stationary = 0.3**2 / (1 - 0.85**2)
    assert path[-1].var() == pytest.approx(stationary, rel=0.05)
    assert (path[-1] * path[-2]).mean() / stationary == pytest.approx(0.85, abs=0.02)


def test_ornstein_uhlenbeck_starts_afresh_where_an_episode_ended():
    exploration = OrnsteinUhlenbeck(sigma=0.0, theta=0.5, mu=1.0)
    exploration.restore({**exploration.state(), "noise": np.array([[3.0], [3.0]], "f4")})
    exploration.restart(np.array([True, False]))
    np.testing.assert_allclose(exploration.explore(np.zeros((2, 1), "f4"), 0), [[1.0], [2.0]])


def test_boltzmann_follows_the_scores():
    actions = Boltzmann(2.0, seed=0).explore(GREEDY, 0, SCORES)
    weights = np.exp(SCORES[0] / 2.0)
    np.testing.assert_allclose(frequencies(actions), weights / weights.sum(), atol=0.015)


@pytest.mark.parametrize(
    "exploration",
    [
        Gaussian(0.4, 0.1, 100),
        OrnsteinUhlenbeck(0.4, min_sigma=0.1, decay_steps=100),
        Boltzmann(0.4, 0.1, 100),
    ],
)
def test_scales_fall_on_a_line(exploration):
    assert [exploration.rate(t) for t in (0, 50, 100, 1000)] == pytest.approx([0.4, 0.25, 0.1, 0.1])


@pytest.mark.parametrize("kind", ONLY_CONTINUOUS)
def test_continuous_noise_is_refused_for_discrete_actions(kind):
    with pytest.raises(ComponentError, match="discrete"):
        kind().explore(GREEDY, 0, SCORES)


@pytest.mark.parametrize("kind", ONLY_DISCRETE)
def test_random_actions_are_refused_for_continuous_actions(kind):
    with pytest.raises(ComponentError, match=f"{kind.__name__} explores discrete actions"):
        kind().explore(CONTINUOUS, 0, SCORES)


@pytest.mark.parametrize("kind", [Boltzmann, Constant, EpsilonGreedy])
def test_what_needs_scores_says_so(kind):
    with pytest.raises(ComponentError, match="scores"):
        kind().explore(GREEDY, 0)


def test_epsilon_greedy_is_greedy_but_for_epsilon():
    actions = EpsilonGreedy(0.4, seed=0).explore(GREEDY, 0, SCORES)
    np.testing.assert_allclose(frequencies(actions), [0.1, 0.1, 0.7, 0.1], atol=0.012)
    np.testing.assert_array_equal(actions, Constant(0.4, seed=0).explore(GREEDY, 0, SCORES))


@pytest.mark.parametrize(
    ("kind", "parameter"),
    [
        (Boltzmann, "temperature"),
        (EpsilonGreedy, "epsilon"),
        (GaussianNoise, "scale"),
        (OrnsteinUhlenbeck, "sigma"),
    ],
)
def test_a_schedule_sets_the_rate(kind, parameter):
    for schedule in (POLYNOMIAL, schedules.PolynomialDecay(1.0, 100, 0.2)):
        exploration = kind(**{parameter: schedule})
        rates = [exploration.rate(timestep) for timestep in (0, 50, 100, 10_000_000)]
        assert rates == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_a_schedule_explores_as_the_decay_of_the_same_rates():
    decay = Decay(1.0, min_exploration_rate=0.2, decay_steps=100, seed=3)
    scheduled = EpsilonGreedy(POLYNOMIAL, seed=3)
    for timestep in range(0, 200, 10):
        np.testing.assert_array_equal(
            scheduled.explore(GREEDY[:64], timestep, SCORES[:64]),
            decay.explore(GREEDY[:64], timestep, SCORES[:64]),
        )


@pytest.mark.parametrize("schedule", ELEMENTWISE, ids=lambda schedule: type(schedule).__name__)
def test_schedules_of_keras_are_evaluated_for_many_timesteps_at_once(schedule):
    shapes = []

    def counted(timestep):
        shapes.append(np.shape(timestep))
        return schedule(timestep)

    rate = ScheduledRate(counted)
    timesteps = [*range(0, 3 * BLOCK, 397), BLOCK - 1, BLOCK, 10**6]
    rates = [rate(timestep) for timestep in timesteps]
    assert shapes.count((BLOCK,)) < len(timesteps) / 3
    assert shapes.count(()) == 2 * shapes.count((BLOCK,)), "no more than a block's two ends"
    expected = [float(schedule(timestep)) for timestep in timesteps]
    np.testing.assert_allclose(rates, expected, rtol=1e-6, atol=1e-7)
    resumed = ScheduledRate(schedule)
    assert [resumed(timestep) for timestep in reversed(timesteps)] == rates[::-1]


@pytest.mark.parametrize(
    "schedule",
    [
        lambda timestep: 1.0 if timestep < 10 else 0.5,
        lambda timestep: np.mean(timestep) * 0.001,
        lambda timestep: np.mean(timestep) * 0.001 + np.zeros_like(timestep),
        schedules.CosineDecay(0.1, 100, warmup_target=1.0, warmup_steps=20),
    ],
    ids=["branches", "reduces", "broadcasts", "warms up"],
)
def test_schedules_that_are_not_elementwise_are_called_once_at_each_timestep(schedule):
    calls = []

    def counted(timestep):
        if np.shape(timestep) == ():
            calls.append(timestep)
        return schedule(timestep)

    rate = ScheduledRate(counted)
    for timestep in (0, 5, 15, 50):
        calls.clear()
        assert rate(timestep) == rate(timestep) == pytest.approx(float(schedule(timestep)))
        assert calls[-1:] == [timestep]
        assert calls.count(timestep) <= 2  # one of them may be the check of a block's end


def test_a_broken_schedule_raises_its_own_error():
    def broken(timestep):
        raise KeyError("rate")

    with pytest.raises(KeyError, match="rate"):
        EpsilonGreedy(broken).rate(0)


def test_a_schedule_and_decay_steps_contradict_each_other():
    with pytest.raises(ValueError, match="a schedule takes its own number of steps"):
        Boltzmann(POLYNOMIAL, decay_steps=10)


def test_boltzmann_is_greedy_once_its_schedule_has_fallen_to_zero():
    exploration = Boltzmann(schedules.CosineDecay(1.0, 100), seed=0)
    assert exploration.rate(100) == 0.0
    np.testing.assert_array_equal(exploration.explore(GREEDY, 100, SCORES), GREEDY)


@pytest.mark.parametrize("kind", SEEDED)
def test_seed_and_state(kind):
    def take(exploration, steps):
        return [
            exploration.explore(greedy_for(kind), step, SCORES[:64]).copy() for step in range(steps)
        ]

    first, second, other = kind(seed=1), kind(seed=1), kind(seed=2)
    np.testing.assert_array_equal(take(first, 3), take(second, 3))
    state = first.state()
    expected = take(first, 3)
    other.restore(state)
    np.testing.assert_array_equal(take(other, 3), expected)
    first.restore(state)
    np.testing.assert_array_equal(take(first, 3), expected)
    assert not np.array_equal(take(kind(seed=3), 3), expected)
