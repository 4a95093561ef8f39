"""Each wrapper by hand, and against naive twins."""

import functools
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rl.agents import make_agent
from tests.rl.worlds import Counter, Observing, Screen

from plx_core.errors import DataError
from plx_core.reinforcement.episodes import Episodes
from plx_rl.environments.gym_environment import GymEnvironment
from plx_rl.memories.memory import Memory
from plx_rl.wrappers.atari import EpisodicLife, FireReset, FrameSkip, NoopReset
from plx_rl.wrappers.clip import ClipObservation, ClipReward
from plx_rl.wrappers.flatten_observation import FlattenObservation
from plx_rl.wrappers.frame_stack import FrameStack
from plx_rl.wrappers.grey_scale import GreyScale
from plx_rl.wrappers.images import area_weights, resize
from plx_rl.wrappers.moments import Moments
from plx_rl.wrappers.normalize_reward import NormalizeReward
from plx_rl.wrappers.record_video import RecordVideo
from plx_rl.wrappers.resize import Resize
from plx_rl.wrappers.scale_reward import ScaleReward
from plx_rl.wrappers.time_limit import TimeLimit


def test_scaled_rewards_and_returns_that_are_not():
    env = GymEnvironment("CartPole-v1", wrappers=[ScaleReward(0.25)])
    env.reset(seed=0)
    step = env.step(np.array([0]))
    assert (step.rewards, step.raw_rewards) == (0.25, 1.0)


def test_frame_stack_repeats_the_first_frame_and_keeps_the_newest_last():
    env = FrameStack(3)(Counter(length=5))
    assert env.observation_space.shape == (6,)
    np.testing.assert_array_equal(env.reset()[0], [0, 0] * 3)
    np.testing.assert_array_equal(env.step(0)[0], [0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(env.step(0)[0], [0, 0, 0, 1, 0, 2])
    np.testing.assert_array_equal(env.reset()[0], [1, 0] * 3)


def test_stacked_frames_are_part_of_an_exact_state():
    env, other = (
        GymEnvironment("MountainCar-v0", 2, wrappers=[FrameStack(3)], seed=seed) for seed in (1, 2)
    )
    assert env.inexact_because == ""
    env.reset()
    env.step(np.array([0, 2]))
    other.restore(env.state())
    for _ in range(4):
        step, twin = env.step(np.array([2, 0])), other.step(np.array([2, 0]))
        np.testing.assert_array_equal(step.observations, twin.observations)


def test_a_memory_of_frames_takes_what_the_wrapper_stacks():
    env = GymEnvironment(functools.partial(Screen, (4, 4, 1)), 2, wrappers=[FrameStack(3)], seed=0)
    memories = [Memory(40, 4, frames=frames, seed=1) for frames in (1, 3)]
    state = env.reset()
    for _ in range(30):
        step = env.step(np.array([0, 1]))
        for memory in memories:
            memory.step(
                state=state, action=np.array([0, 1]), reward=step.rewards, terminated=step.terminated, truncated=step.truncated,
                next_state=step.final_observations,
            )  # fmt: skip
        state = step.observations
    whole, once = (memory.sample(5) for memory in memories)
    np.testing.assert_array_equal(whole["state"], once["state"])
    np.testing.assert_array_equal(whole["next_state"], once["next_state"])
    assert len(memories[1]) == 40


def test_grey_scale_and_resize_of_images_alone_or_by_name():
    env = Resize(3, 2)(GreyScale()(Screen()))
    assert env.observation_space == spaces.Box(0, 255, (3, 2, 1), np.uint8)
    np.testing.assert_array_equal(env.reset()[0], np.full((3, 2, 1), 10))
    space = spaces.Dict(
        {"image": spaces.Box(0, 255, (6, 4, 3), np.uint8), "speed": spaces.Box(-1, 1, (2,))}
    )
    env = Resize(3, 2)(GreyScale()(Observing(space)))
    observation = env.reset(seed=0)[0]
    assert {name: part.shape for name, part in observation.items()} == {
        "image": (3, 2, 1),
        "speed": (2,),
    }
    assert env.observation_space.contains(observation)


def test_colours_by_their_brightness():
    from plx_rl.wrappers.images import grey

    np.testing.assert_array_equal(
        grey(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]], np.uint8))[0, :, 0],
        [76, 150, 29, 9],
    )


def test_resize_by_hand():
    image = np.array([[0, 10, 20], [30, 40, 50]], np.uint8)
    np.testing.assert_array_equal(resize(image, 1, 3), [[15, 25, 35]])
    np.testing.assert_array_equal(resize(image, 2, 1), [[10], [40]])
    np.testing.assert_array_equal(
        resize(image, 2, 2),
        [[np.rint(10 / 3), np.rint(50 / 3)], [np.rint(100 / 3), np.rint(140 / 3)]],
    )
    np.testing.assert_array_equal(resize(image, 4, 3), np.repeat(image, 2, axis=0))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_area_weights_share_out_every_pixel(size, new_size):
    weights = area_weights(size, new_size)
    assert weights.shape == (new_size, size)
    np.testing.assert_allclose(weights.sum(axis=1), np.ones(new_size), rtol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=0), np.full(size, new_size / size), rtol=1e-4)


def test_what_an_image_wrapper_cannot_change_it_refuses():
    for wrapper in (GreyScale(), Resize()):
        with pytest.raises(DataError, match="cannot change"):
            wrapper(Counter())
    with pytest.raises(DataError, match="GreyScale cannot change Dict"):
        GreyScale()(Observing(spaces.Dict({"a": spaces.Box(-1, 1, (2,))})))


def test_flatten_observation():
    env = GymEnvironment(
        functools.partial(Observing, spaces.Tuple([spaces.Discrete(3), spaces.Box(-1, 1, (2,))])),
        wrappers=[FlattenObservation()],
    )
    assert env.reset().shape == (1, 5)


def test_time_limit_cuts():
    env = GymEnvironment(Counter, wrappers=[TimeLimit(2)])
    env.reset()
    env.step(np.array([0]))
    step = env.step(np.array([0]))
    assert step.truncated.all()
    assert not step.terminated.any()


def test_frame_skip_adds_rewards_up_and_shows_the_brighter_of_the_last_two():
    env = FrameSkip(4)(Screen())
    env.reset()
    observation, reward, terminated, _, _ = env.step(2)
    assert (observation.max(), reward, terminated) == (14, 4.0, False)
    env.step(2)
    assert env.unwrapped.actions == [2] * 8
    assert env.step(2)[1:3] == (1.0, True)


def test_noop_reset_does_nothing_a_random_number_of_times():
    env = NoopReset(5)(Screen(length=99))
    counts = []
    for seed in range(40):
        env.unwrapped.actions.clear()
        env.reset(seed=seed)
        assert set(env.unwrapped.actions) == {0}
        counts.append(len(env.unwrapped.actions))
    assert set(counts) == {1, 2, 3, 4, 5}


def test_fire_reset_fires():
    env = FireReset()(Screen())
    assert env.reset()[0].max() == 11
    assert env.unwrapped.actions == [1]


def test_a_lost_life_ends_an_episode_but_not_the_game():
    env = EpisodicLife()(Screen(length=9))
    env.reset()
    ends = [env.step(2)[2] for _ in range(3)]
    assert ends == [False, False, True]
    assert env.unwrapped.games == 1
    env.reset()
    assert env.unwrapped.games == 1
    while env.unwrapped.time < 9:
        env.step(2)
    env.reset()
    assert env.unwrapped.games == 2


def test_returns_are_of_games_and_not_of_lives(monkeypatch):
    """A game has three lives; the learner sees it end three times."""
    monkeypatch.syspath_prepend(Path(__file__).parents[3])  # for the processes of the environments
    together, apart = (
        GymEnvironment(Screen, 2, vectorization, wrappers=[EpisodicLife()])
        for vectorization in ("sync", "async")
    )
    tally, lives, told = Episodes(2), 0, []
    together.reset()
    apart.reset()
    try:
        for _ in range(21):
            step, same = (env.step(np.array([2, 2])) for env in (together, apart))
            told += tally.add(step)
            lives += step.ended.sum()
            np.testing.assert_array_equal(same.ended, step.ended)
            np.testing.assert_array_equal(same.completed, step.completed)
    finally:
        apart.close()
    # Of the nine steps of a game, two are the no-operations that open the second and third life.
    assert [episode["return"] for episode in told] == [7.0] * 6
    assert lives == 18
    assert tally.ended == 6


def test_an_evaluation_plays_whole_games(tmp_path):
    agent = make_agent(tmp_path, "dqn", {"Memory": {"size": 50, "batch_size": 4}})
    env = GymEnvironment(functools.partial(Screen, (2,)), wrappers=[EpisodicLife()])
    agent.train(env, 8, 4, max_timesteps=21)
    assert agent.global_episode == 3
    metrics = agent.evaluate(env, 2)
    assert (metrics["episodes"], metrics["episode_return"]) == (2, 7.0)


@pytest.mark.parametrize(
    ("wrapper", "meanings", "message"),
    [
        (FireReset(), ["NOOP", "UP"], r"FireReset takes action 1 for FIRE, .*\['NOOP', 'UP'\]"),
        (FireReset(), ["NOOP"], "FireReset takes action 1 for FIRE"),
        (NoopReset(), ["FIRE", "NOOP"], "NoopReset takes action 0 for NOOP"),
        (EpisodicLife(), ["FIRE"], "EpisodicLife takes action 0 for NOOP"),
        (FireReset(), None, "does not tell its actions: leave FireReset out"),
    ],
)
def test_actions_that_mean_something_else_are_not_taken(wrapper, meanings, message):
    env = Counter()
    if meanings is not None:
        env.get_action_meanings = lambda: meanings
    with pytest.raises(DataError, match=message):
        wrapper(env)


def test_frames_are_not_skipped_twice():
    pytest.importorskip("ale_py")
    with pytest.raises(DataError, match=r"and ALE/Pong-v5 itself 4 times; set .*frameskip: 1"):
        GymEnvironment("ALE/Pong-v5", wrappers=[FrameSkip(4)])
    with pytest.raises(DataError, match="FireReset takes action 1 for FIRE"):
        GymEnvironment("ALE/Freeway-v5", wrappers=[FireReset()])
    env = GymEnvironment("ALE/Pong-v5", wrappers=[FrameSkip(4)], env_params={"frameskip": 1})
    assert env.observation_space.shape == (210, 160, 3)


def test_bounds_in_the_wrong_order_are_refused():
    for kind in (ClipReward, ClipObservation):
        with pytest.raises(ValueError, match="below"):
            kind(1.0, 0.0)


def test_clipped_observations_are_those_of_their_space():
    env = GymEnvironment(Counter, wrappers=[ClipObservation(-1.0, 1.0)])
    env.reset()
    for _ in range(2):
        step = env.step(np.array([0]))
    np.testing.assert_array_equal(step.observations, [[0, 1]])
    assert env.observation_space.high.max() == 1.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(0, 2**31))
def test_moments_of_batches_are_those_of_all(counts, seed):
    rng = np.random.default_rng(seed)
    batches = [rng.normal(3.0, 2.0, size=(count, 2)) for count in counts]
    moments = Moments()
    for batch in batches:
        moments.update(batch)
    everything = np.concatenate(batches)
    np.testing.assert_allclose(moments.mean, everything.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(moments.variance, everything.var(axis=0), rtol=1e-7, atol=1e-12)
    assert moments.count == len(everything)


def test_normalised_rewards_divide_by_the_deviation_of_discounted_sums():
    transform = NormalizeReward(discount=0.5, epsilon=1e-12, clip=100.0)
    ended = np.array([False, True])
    transform.reward(np.array([2.0, 4.0]), ended, learn=True)
    actual = transform.reward(np.array([1.0, 1.0]), ended, learn=True)
    sums = np.array([2.0, 4.0, 2.0 * 0.5 + 1.0, 1.0])
    np.testing.assert_allclose(actual, 1.0 / sums.std(), rtol=1e-6)
    before = transform.state()["moments"]["count"]
    transform.reward(np.array([1.0, 1.0]), ended, learn=False)
    assert transform.state()["moments"]["count"] == before


def test_videos_are_of_the_first_environment_and_every_so_many_episodes(tmp_path):
    pytest.importorskip("pygame")
    from PIL import Image

    env = GymEnvironment(
        "CartPole-v1",
        2,
        wrappers=[TimeLimit(4), RecordVideo(str(tmp_path), every_n_episodes=2)],
        seed=0,
    )
    env.reset()
    for _ in range(13):
        env.step(np.array([0, 1]))
    assert env.inexact_because == ""
    env.close()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["episode-000000.gif", "episode-000002.gif"]
    with Image.open(tmp_path / names[0]) as video:
        durations = [video.seek(frame) or video.info["duration"] for frame in range(video.n_frames)]
        assert sum(durations) == 5 * 20
        assert video.size == (600, 400)


def test_pictures_are_needed_for_a_video(tmp_path):
    with pytest.raises(DataError, match="rgb_array"):
        GymEnvironment(Counter, wrappers=[RecordVideo(str(tmp_path))])
