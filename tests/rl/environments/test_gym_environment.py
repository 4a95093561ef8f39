"""GymEnvironment: its answers step by step in each vector form, spaces, masks, wrappers, states and faults."""

import functools
import json

import gymnasium
import numpy as np
import pytest
import tensorflow as tf
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tests.rl.worlds import Body, Counter, CounterVector, Masked, Observing, Walk

from plx_core.errors import DataError
from plx_rl.environments.gym_environment import GymEnvironment
from plx_rl.environments.simulator_state import inexactness
from plx_rl.environments.spaces import ActionDecoder, ObservationEncoder, contained
from plx_rl.wrappers.clip import ClipReward
from plx_rl.wrappers.normalize_observation import NormalizeObservation
from plx_rl.wrappers.normalize_reward import NormalizeReward
from plx_rl.wrappers.time_limit import TimeLimit


def play(env, steps, seed=0):
    """Random actions; what came of them."""
    rng = np.random.default_rng(seed)
    path = []
    for _ in range(steps):
        if env.is_continuous:
            actions = rng.uniform(-1, 1, (env.num_envs, env.num_actions)).astype("f4")
        else:
            actions = rng.integers(env.num_actions, size=env.num_envs)
        step = env.step(actions)
        path.append(
            [
                step.observations,
                step.rewards,
                step.terminated,
                step.truncated,
                step.final_observations,
            ]
        )
    return path


def equal(first, second):
    for one, other in zip(first, second, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_last_observation_of_an_episode_and_the_first_of_the_next_are_both_there():
    env = GymEnvironment(Counter, num_envs=2)
    np.testing.assert_array_equal(env.reset(), [[0, 0], [0, 0]])
    for time in (1, 2):
        step = env.step(np.array([0, 1]))
        np.testing.assert_array_equal(step.observations, [[0, time]] * 2)
        assert step.final_observations is step.observations
        assert not step.ended.any()
    step = env.step(np.array([0, 1]))
    np.testing.assert_array_equal(step.observations, [[1, 0]] * 2)
    np.testing.assert_array_equal(step.final_observations, [[0, 3]] * 2)
    np.testing.assert_array_equal(step.rewards, [3, 3])
    assert step.terminated.all()
    assert not step.truncated.any()
    assert step.valid is None
    np.testing.assert_array_equal(env.step(np.array([0, 1])).final_observations, [[1, 1]] * 2)


def test_a_cut_is_not_an_end():
    env = GymEnvironment(functools.partial(Counter, cut=True), max_episode_steps=2)
    env.reset()
    env.step(np.array([0]))
    step = env.step(np.array([0]))
    assert step.truncated.all()
    assert not step.terminated.any()
    np.testing.assert_array_equal(step.final_observations, [[0, 2]])


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_no_vector_form_loses_an_observation_or_takes_a_reset_for_a_transition(mode):
    env = GymEnvironment(
        functools.partial(CounterVector, mode=mode), num_envs=2, vectorization="own"
    )
    state = env.reset()
    transitions = {0: [], 1: []}
    for _ in range(12):
        step = env.step(np.array([0, 1]))
        valid = np.ones(2, bool) if step.valid is None else step.valid
        for index in np.flatnonzero(valid):
            transitions[index].append(
                (
                    state[index].tolist(),
                    step.final_observations[index].tolist(),
                    bool(step.terminated[index]),
                )
            )
        state = step.observations
    for index, length in enumerate((2, 3)):
        expected = [
            ([episode, time], [episode, time + 1], time + 1 == length)
            for episode in range(12)
            for time in range(length)
        ]
        assert transitions[index] == expected[: len(transitions[index])]
        assert len(transitions[index]) == (
            12 if mode != AutoresetMode.NEXT_STEP else 12 - 12 // (length + 1)
        )


def test_processes_give_what_one_process_gives():
    apart, together = (
        GymEnvironment("CartPole-v1", 2, vectorization) for vectorization in ("async", "sync")
    )
    try:
        np.testing.assert_array_equal(apart.reset(seed=3), together.reset(seed=3))
        equal(play(apart, 60), play(together, 60))
        state = apart.state()
        assert not apart.inexact_because
        expected = play(apart, 40, seed=5)
        apart.restore(state)
        equal(play(apart, 40, seed=5), expected)
    finally:
        apart.close()


def test_the_environments_own_vector_form():
    env = GymEnvironment("CartPole-v1", 4, "own")
    env.reset(seed=0)
    path = play(env, 200)
    assert sum(one[2].sum() for one in path) > 10
    state = env.state()
    expected = play(env, 50, seed=1)
    env.restore(state)
    equal(play(env, 50, seed=1), expected)


@pytest.mark.parametrize(
    "env_id",
    [
        "CartPole-v1",
        "Pendulum-v1",
        "Acrobot-v1",
        "MountainCar-v0",
        "MountainCarContinuous-v0",
        "FrozenLake-v1",
    ],
)
@pytest.mark.parametrize("num_envs", [1, 3])
def test_a_state_goes_through_json_and_arrays_and_continues_exactly(env_id, num_envs):
    env = GymEnvironment(env_id, num_envs, seed=1)
    assert env.inexact_because == ""
    env.reset()
    play(env, 37)
    state = env.state()
    json.dumps(state, default=lambda array: array.tolist())
    expected = play(env, 250, seed=2)
    other = GymEnvironment(env_id, num_envs, seed=9)
    other.restore(state)
    equal(play(other, 250, seed=2), expected)
    env.restore(state)
    equal(play(env, 250, seed=2), expected)


@pytest.mark.parametrize(
    ("env_id", "library"), [("ALE/Pong-v5", "ale_py"), ("HalfCheetah-v5", "mujoco")]
)
@pytest.mark.filterwarnings("ignore")
def test_simulators_of_other_libraries_continue_exactly(env_id, library):
    pytest.importorskip(library, reason=f"the extra that brings {library} is not installed")
    env, other = (GymEnvironment(env_id, seed=seed) for seed in (1, 9))
    assert env.inexact_because == ""
    env.reset()
    play(env, 20)
    state = env.state()
    json.dumps(state, default=lambda array: array.tolist())
    expected = play(env, 40, seed=2)
    other.restore(state)
    equal(play(other, 40, seed=2), expected)


def test_hidden_state_of_many_kinds_is_captured():
    env = GymEnvironment(Walk, 2, seed=1)
    assert env.inexact_because == ""
    env.reset()
    play(env, 13)
    state = env.state()
    expected = play(env, 30, seed=2)
    other = GymEnvironment(Walk, 2, seed=9)
    other.restore(state)
    equal(play(other, 30, seed=2), expected)


def test_a_state_keeps_what_changed_alone():
    env = GymEnvironment("FrozenLake-v1", seed=0)
    env.reset()
    play(env, 3)
    names = {
        name for part in env.state()["vector"]["envs"]["0"].values() for name in part["changed"]
    }
    assert "s" in names
    assert "P" not in names


class Elsewhere(Counter):
    """Keeps its state where no look at attributes finds it."""

    memory = np.zeros(1)

    def step(self, action):
        Elsewhere.memory[0] += 1
        return (self.observe(), float(Elsewhere.memory[0]), False, False, {})


class Stubborn(Counter):
    """Holds what cannot be copied."""

    def __init__(self):
        super().__init__()
        self.handle = memoryview(b"abc")


@pytest.mark.parametrize(
    ("kind", "reason"), [(Elsewhere, "behaves differently"), (Stubborn, "memoryview")]
)
def test_what_cannot_give_its_state_says_why(kind, reason):
    assert reason in inexactness(kind)
    env = GymEnvironment(kind)
    assert reason in env.inexact_because
    env.reset()
    state = env.state()
    assert not state["exact"]
    other = GymEnvironment(kind)
    other.restore(state)
    assert other.inexact_because


def test_seeds_are_one_for_each_environment():
    env = GymEnvironment("CartPole-v1", 3, seed=5)
    first = env.reset()
    assert len({row.tobytes() for row in first}) == 3
    np.testing.assert_array_equal(
        first,
        np.stack([gymnasium.make("CartPole-v1").reset(seed=5 + index)[0] for index in range(3)]),
    )
    assert not np.array_equal(env.reset(), first)
    np.testing.assert_array_equal(env.reset(seed=5), first)


@pytest.mark.parametrize(
    ("space", "shape", "dtype", "size"),
    [
        (spaces.Box(-1, 1, (3,), np.float64), (3,), np.float32, 3),
        (spaces.Box(0, 255, (5, 4, 3), np.uint8), (5, 4, 3), np.uint8, 60),
        (spaces.Discrete(4, start=2), (4,), np.float32, 4),
        (spaces.MultiDiscrete([2, 3]), (5,), np.float32, 5),
        (spaces.MultiDiscrete([[2, 3], [1, 2]], start=[[4, 0], [-1, 9]]), (8,), np.float32, 8),
        (spaces.MultiBinary(3), (3,), np.float32, 3),
    ],
)
def test_observations_of_each_space(space, shape, dtype, size):
    env = GymEnvironment(functools.partial(Observing, space), 2, seed=0)
    observations = env.reset()
    assert observations.shape == (2, *shape)
    assert observations.dtype == dtype
    assert env.num_states == size
    for _ in range(10):
        observations = env.step(np.array([0, 1])).observations
        assert all(env.observation_space.contains(row) for row in observations)
    if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
        np.testing.assert_array_equal(
            observations.sum(-1), [1 if isinstance(space, spaces.Discrete) else space.nvec.size] * 2
        )
        numbers = GymEnvironment(functools.partial(Observing, space), 2, one_hot=False).reset()
        assert numbers.dtype == np.int64
        assert numbers.shape == (2, *space.shape)


def test_one_hot_counts_from_the_start_of_the_space():
    np.testing.assert_array_equal(
        ObservationEncoder(spaces.Discrete(3, start=5)).stack([5, 7]), [[1, 0, 0], [0, 0, 1]]
    )


def test_observations_by_name():
    space = spaces.Dict(
        {"image": spaces.Box(0, 255, (4, 4, 1), np.uint8), "goal": spaces.Discrete(3)}
    )
    env = GymEnvironment(functools.partial(Observing, space), 2, seed=0)
    observations = env.reset()
    assert {name: (part.shape, part.dtype) for name, part in observations.items()} == {
        "image": ((2, 4, 4, 1), np.uint8),
        "goal": ((2, 3), np.float32),
    }
    steps = [env.step(np.array([0, 1])) for _ in range(7)]
    assert steps[-1].final_observations["goal"].shape == (2, 3)
    assert env.num_states == 19


@pytest.mark.parametrize(
    ("space", "actions", "expected"),
    [
        (spaces.Discrete(3), np.array([2]), 2),
        (spaces.Discrete(3, start=-1), np.array([2]), 1),
        (spaces.MultiDiscrete([2, 3]), np.array([[1, 2]]), [1, 2]),
        (spaces.MultiDiscrete([2, 3], start=[5, -1]), np.array([[1, 2]]), [6, 1]),
        (
            spaces.MultiDiscrete([[2], [3]], start=[[5], [-1]]),
            np.array([[1, 2]]),
            [[6], [1]],
        ),
        (spaces.MultiBinary(2), np.array([[1, 0]]), [1, 0]),
        (
            spaces.Box(np.array([0.0, -4.0], "f4"), np.array([10.0, 4.0], "f4")),
            np.array([[0.5, -2.0]], "f4"),
            [7.5, -4.0],
        ),
        (spaces.Box(-np.inf, np.inf, (1,)), np.array([[7.0]], "f4"), [7.0]),
        (spaces.Box(-1.0, 1.0, (2, 1)), np.array([[0.25, 0.5]], "f4"), [[0.25], [0.5]]),
    ],
)
def test_actions_of_each_space(space, actions, expected):
    env = GymEnvironment(functools.partial(Observing, action_space=space), seed=0)
    env.reset()
    env.step(actions)
    action = env._vector._envs[0].actions[-1]
    np.testing.assert_allclose(action, expected)
    assert (
        isinstance(action, int)
        if isinstance(space, spaces.Discrete)
        else action.dtype == space.dtype
    )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_actions_are_converted_there_and_back_by_arrays_and_by_tensors(data):
    shape = data.draw(st.sampled_from([(), (1,), (3,), (2, 2)]))
    sizes = data.draw(arrays(np.int64, shape, elements=st.integers(1, 4)))
    start = data.draw(arrays(np.int64, shape, elements=st.integers(-9, 9)))
    low = data.draw(arrays(np.float32, shape, elements=st.floats(-100, 100, width=32)))
    span = data.draw(arrays(np.float32, shape, elements=st.floats(0, 100, width=32)))
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    low, high = low.astype(dtype), (low + span).astype(dtype)
    kinds = [
        spaces.Discrete(int(sizes.max()), start=int(start.min())),
        spaces.MultiDiscrete(np.atleast_1d(sizes), start=np.atleast_1d(start)),
        spaces.MultiBinary(shape or 3),
        spaces.Box(low, high, dtype=dtype),
    ]
    space = data.draw(st.sampled_from(kinds))
    decoder = ActionDecoder(space, scale=data.draw(st.booleans()))
    space.seed(data.draw(st.integers(0, 9)))
    raw = np.array([space.sample() for _ in range(5)], space.dtype)
    actions = decoder.encode(raw)
    assert all(_is_in(decoder.space, action) for action in np.clip(actions, -1e9, 1e9))
    decoded = np.asarray(decoder.decode(actions))
    tensor = decoder.decode_tensor(tf.constant(actions)).numpy()
    assert tensor.dtype == space.dtype
    for result in (decoded, tensor):
        assert result.shape == raw.shape
        assert contained(space, result).all()
        np.testing.assert_allclose(result, raw, rtol=1e-4, atol=1e-4)


def _is_in(space, action):
    if isinstance(space, spaces.Box):  # up to rounding
        return contained(space, action[None]).all()
    return space.contains(action.astype(space.dtype))


def test_actions_that_are_not_scaled_are_clipped():
    actions = ActionDecoder(spaces.Box(-2.0, 2.0, (1,)), scale=False)
    np.testing.assert_allclose(actions.decode(np.array([[1.5], [3.0]], "f4")), [[1.5], [2.0]])
    assert actions.space.high == 2.0


def test_masks_of_legal_actions_now_next_and_after_the_end():
    env = GymEnvironment(Masked, 2)
    env.reset()
    np.testing.assert_array_equal(env.action_masks, [[True, False, False]] * 2)
    step = env.step(np.array([0, 0]))
    np.testing.assert_array_equal(step.action_masks, [[False, True, False]] * 2)
    env.step(np.array([1, 1]))
    step = env.step(np.array([2, 2]))
    np.testing.assert_array_equal(step.action_masks, [[True, False, False]] * 2)
    np.testing.assert_array_equal(step.final_action_masks, [[True, False, False]] * 2)
    state = env.state()
    other = GymEnvironment(Masked, 2)
    other.restore(state)
    np.testing.assert_array_equal(other.action_masks, env.action_masks)


class MaskedVector(CounterVector):
    """A CounterVector in which the legal action says whether an episode has just begun."""

    def masks(self):
        return {"action_mask": np.stack([self.time == 0, self.time > 0], -1)}

    def reset(self, **options):
        return super().reset(**options)[0], self.masks()

    def step(self, actions):
        *result, infos = super().step(actions)
        if "final_obs" in infos:
            infos["final_info"] = {"action_mask": np.array([[False, True]] * self.num_envs)}
        return *result, infos | self.masks()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_masks_are_those_of_the_observations_in_each_mode(mode):
    env = GymEnvironment(functools.partial(MaskedVector, mode=mode), 2, "own")
    observations = env.reset()
    ends = 0
    for _ in range(12):
        np.testing.assert_array_equal(env.action_masks[:, 0], observations[:, 1] == 0)
        step = env.step(np.array([0, 1]))
        np.testing.assert_array_equal(step.action_masks, env.action_masks)
        np.testing.assert_array_equal(
            step.final_action_masks[:, 0], step.final_observations[:, 1] == 0
        )
        observations, ends = step.observations, ends + step.ended.sum()
    assert ends > 3


def test_facts_about_the_spaces():
    cart, pendulum = GymEnvironment("CartPole-v1"), GymEnvironment("Pendulum-v1")
    assert (cart.num_states, cart.num_actions, cart.is_continuous) == (4, 2, False)
    assert (pendulum.num_states, pendulum.num_actions, pendulum.is_continuous) == (3, 1, True)
    several = GymEnvironment(
        functools.partial(Observing, action_space=spaces.MultiDiscrete([2, 5]))
    )
    assert (several.num_actions, several.is_continuous) == (2, False)


def test_rewards_are_reported_as_they_were():
    env = GymEnvironment(Counter, 2, wrappers=[ClipReward(maximum=1.5)])
    env.reset()
    steps = [env.step(np.array([0, 0])) for _ in range(3)]
    np.testing.assert_array_equal([step.rewards[0] for step in steps], [1, 1.5, 1.5])
    np.testing.assert_array_equal([step.raw_rewards[0] for step in steps], [1, 2, 3])


def test_evaluation_normalises_as_training_does_and_learns_nothing():
    training = GymEnvironment(
        "CartPole-v1", 4, wrappers=[NormalizeObservation(), NormalizeReward()], seed=0
    )
    training.reset()
    play(training, 100)
    evaluation = GymEnvironment(
        "CartPole-v1", 4, wrappers=[NormalizeObservation(), NormalizeReward()], seed=1
    )
    evaluation.follow(training.state())
    before = json.dumps(training.state()["transforms"], default=lambda array: array.tolist())
    evaluation.reset()
    play(evaluation, 20)
    state = evaluation.state()["transforms"]["NormalizeObservation_1"]["moments"]["state"]
    np.testing.assert_array_equal(
        state["mean"],
        training.state()["transforms"]["NormalizeObservation_1"]["moments"]["state"]["mean"],
    )
    assert (
        json.dumps(training.state()["transforms"], default=lambda array: array.tolist()) == before
    )


def test_normalised_observations_continue_exactly_and_the_last_one_is_normalised_too():
    env = GymEnvironment(
        "CartPole-v1",
        2,
        wrappers=["NormalizeObservation", {"NormalizeReward": {"discount": 0.9}}],
        seed=0,
    )
    env.reset()
    play(env, 50)
    state = env.state()
    expected = play(env, 60, seed=3)
    other = GymEnvironment(
        "CartPole-v1",
        2,
        wrappers=["NormalizeObservation", {"NormalizeReward": {"discount": 0.9}}],
        seed=7,
    )
    other.restore(state)
    equal(play(other, 60, seed=3), expected)
    ends = [(one[4][one[2]], one[0][one[2]]) for one in expected if one[2].any()]
    assert ends
    assert all(np.abs(final).max() > 1.5 for final, _ in ends)


def test_a_wrapper_that_sees_all_comes_last():
    with pytest.raises(DataError, match=r"TimeLimit must come before NormalizeObservation"):
        GymEnvironment("CartPole-v1", wrappers=[NormalizeObservation(), TimeLimit(5)])
    with pytest.raises(DataError, match="function of an environment"):
        GymEnvironment("CartPole-v1", wrappers=[3])
    with pytest.raises(DataError, match="does not have"):
        GymEnvironment("CartPole-v1", vectorization="own", wrappers=[TimeLimit(5)])


def test_the_processing_network_does_to_raw_observations_what_the_environment_does():
    env = GymEnvironment(
        "Pendulum-v1",
        2,
        wrappers=["NormalizeObservation", {"ClipObservation": {"minimum": -1, "maximum": 1}}],
        seed=0,
    )
    env.reset()
    play(env, 50)
    raw = np.array([[0.1, 0.9, 3.0], [-0.5, 0.2, -7.0]], "f4")
    network = env.processing_network()
    expected = env._observe(raw, learn=False)
    np.testing.assert_allclose(network({"state": raw})["state"], expected, rtol=1e-5, atol=1e-6)
    assert GymEnvironment("CartPole-v1").processing_network() is None
    space = spaces.Dict(
        {
            "a": spaces.Discrete(3, start=1),
            "b": spaces.MultiDiscrete([2, 2]),
            "c": spaces.MultiBinary(2),
        }
    )
    mixed = GymEnvironment(functools.partial(Observing, space))
    raw = {"a": np.array([1, 3]), "b": np.array([[0, 1], [1, 1]]), "c": np.array([[0, 1], [1, 0]])}
    for name, value in mixed.processing_network()(raw).items():
        np.testing.assert_array_equal(value, mixed._vector.encoder.batch(raw)[name])


class WrongDtype(Counter):
    def observe(self):
        return super().observe().astype(np.float64)


class WrongShape(Counter):
    def observe(self):
        return super().observe()[:1]


class NoTuple(Counter):
    def reset(self, **options):
        return super().reset(**options)[0]


class OldStep(Counter):
    def step(self, action):
        observation, reward, terminated, _, info = super().step(action)
        return observation, reward, terminated, info


class NoNumber(Counter):
    def step(self, action):
        return (self.observe(), float("nan"), False, False, {})


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (WrongDtype, "reset of .*has dtype float64; observation_space has dtype float32"),
        (WrongShape, r"has shape \(1,\); observation_space has shape \(2,\)"),
        (NoTuple, r"must return \(observation, info\)"),
        (OldStep, "step of .*returned 4 values"),
        (NoNumber, "reward nan"),
    ],
)
def test_a_faulty_environment_is_explained_at_once(kind, message):
    env = GymEnvironment(kind)
    with pytest.raises(DataError, match=message):
        env.reset()
        env.step(np.array([0]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env_id": "CartPol-v1"}, "CartPole"),
        ({"env_id": "CartPole-v77"}, "there is no environment CartPole-v77"),
        ({"env_id": "some_module_of_mine:Env-v0"}, "--plugin some_module_of_mine"),
        ({"env_id": "CartPole-v1", "env_params": {"gravty": 1}}, "gravty"),
        ({"env_id": "Pendulum-v1", "vectorization": "own"}, "no vectorised version"),
        ({"env_id": lambda: 3}, "returned a int"),
        (
            {"env_id": functools.partial(Observing, spaces.Tuple([spaces.Discrete(2)]))},
            "FlattenObservation",
        ),
        (
            {
                "env_id": functools.partial(
                    Observing, spaces.Dict({"a": spaces.Dict({"b": spaces.Discrete(2)})})
                )
            },
            "nested Dict",
        ),
        ({"env_id": functools.partial(Observing, action_space=spaces.Text(3))}, "Text"),
        (
            {"env_id": "CartPole-v1", "wrappers": [gymnasium.wrappers.NormalizeObservation]},
            "gymnasium's NormalizeObservation keeps statistics that an evaluation cannot take over",
        ),
        (
            {
                "env_id": lambda **params: gymnasium.wrappers.vector.NormalizeReward(
                    gymnasium.make_vec("CartPole-v1", **params)
                ),
                "vectorization": "own",
            },
            "give NormalizeReward in wrappers instead",
        ),
        (
            {"env_id": functools.partial(Observing, action_space=spaces.Box(0, 9, (1,), np.int64))},
            "MultiDiscrete",
        ),
    ],
)
def test_what_cannot_be_made_is_explained(arguments, message):
    with pytest.raises(DataError, match=message):
        GymEnvironment(**arguments)


def test_a_module_that_the_person_imported_is_no_code_from_outside():
    gymnasium.register("Worlds-v0", entry_point=Counter)
    try:
        assert GymEnvironment(f"{Body.__module__}:Worlds-v0").num_states == 2
    finally:
        del gymnasium.registry["Worlds-v0"]
