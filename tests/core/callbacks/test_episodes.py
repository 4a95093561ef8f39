"""Callbacks that follow episodes, fed by hand."""

import logging

import pytest

from plx_core.callbacks import episodes as episode_hooks
from plx_core.callbacks.episodes import (
    EpisodeCheckpointSaver,
    EpisodeCounter,
    EpisodeLogging,
    EpisodeSummarySaver,
    StopAtEpisode,
)


class Run:
    """What the callbacks ask of an agent."""

    def __init__(self):
        self.lines = []
        self.saves = 0
        self.run_directory = self

    def append_metrics(self, step, split, metrics):
        self.lines.append((step, split, dict(metrics)))

    def save_checkpoint(self):
        self.saves += 1


def play(callback, episodes, first=1):
    run = Run()
    for number in range(first, first + episodes):
        callback.on_episode(
            run,
            {
                "return": 10.0 * number,
                "length": 5,
                "global_episode": number,
                "global_timestep": 5 * number,
                "global_step": number,
            },
        )
        if callback.stop_training:
            return run, number
    return run, None


@pytest.fixture
def clock(monkeypatch):
    """A clock that is one second later each time it is read."""
    ticks = iter(range(1_000))
    monkeypatch.setattr(episode_hooks.time, "perf_counter", lambda: float(next(ticks)))


@pytest.mark.parametrize(
    ("settings", "first", "last"), [({"last_episode": 7}, 1, 7), ({"num_episodes": 3}, 5, 7)]
)
def test_training_stops_at_an_episode(settings, first, last):
    callback = StopAtEpisode(**settings)
    assert play(callback, 100, first)[1] == last


def test_a_resumed_run_stops_where_it_would_have():
    callback, after = StopAtEpisode(num_episodes=10), StopAtEpisode(num_episodes=10)
    play(callback, 4)
    after.restore(callback.state())
    assert play(after, 100, first=5)[1] == 10


def test_a_line_every_two_episodes(caplog):
    caplog.set_level(logging.INFO, "plx_core.callbacks.episodes")
    play(EpisodeLogging(every_n_episodes=2), 5)
    assert [record.getMessage() for record in caplog.records] == [
        "episode 2  return 20  length 5  global_timestep 10  global_step 2",
        "episode 4  return 40  length 5  global_timestep 20  global_step 4",
    ]


def test_the_rate_of_episodes(clock):
    run, _ = play(EpisodeCounter(every_n_episodes=2), 6)
    assert run.lines == [
        (4, "rate", {"episodes_per_second": 1.0, "global_episode": 4}),
        (6, "rate", {"episodes_per_second": 1.0, "global_episode": 6}),
    ]


def test_summaries_by_the_clock(clock):
    run, _ = play(EpisodeSummarySaver(every_secs=3.0, split="played"), 7)
    assert [(step, split) for step, split, _ in run.lines] == [(3, "played"), (6, "played")]
    assert run.lines[0][2]["return"] == 30.0


def test_checkpoints():
    assert play(EpisodeCheckpointSaver(every_n_episodes=3), 10)[0].saves == 3


@pytest.mark.parametrize("settings", [{}, {"every_n_episodes": 1, "every_secs": 1.0}])
def test_one_of_two_ways_to_say_when(settings):
    with pytest.raises(ValueError, match="either"):
        EpisodeLogging(**settings)
