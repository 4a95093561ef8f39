"""An agent that was stopped, at any time and in any way, ends as one that was not: the same bits in weights, memory and random states."""

import json
import logging
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests import forking

from plx_core.experiments.from_config import create_experiment
from plx_core.runs.checkpoints import Checkpoints, load, step_of
from plx_rl.environments.gym_environment import GymEnvironment
from plx_rl.memories.batch_memory import BatchMemory

from .agents import RESUMED, TIMESTEPS, Returns, fingerprint, make_agent, train_resumed
from .worlds import Counter

CASES = [(name, num_envs) for name in RESUMED for num_envs in (1, 4)]


def plain_metrics(agent):
    """The lines of metrics.jsonl without the times."""
    return [
        (line["step"], line["split"], line["metrics"])
        for line in agent.run_directory.read_metrics()
    ]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """Each algorithm twice: trained without a stop, and from what a kill half way leaves behind, by another process."""
    whole, stopped = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("stopped")
    first, stops = {}, {}
    for name, num_envs in CASES:
        run = f"{name}-{num_envs}"
        agent, episodes = train_resumed(name, num_envs, whole / run)
        first[run] = (fingerprint(agent), episodes, plain_metrics(agent))
        shutil.copytree(whole / run, stopped / run)
        paths = Checkpoints(stopped / run / "checkpoints").paths()
        for path in paths[len(paths) // 2 + 1 :]:
            shutil.rmtree(path)
        stops[run] = load(paths[len(paths) // 2])["counters"]
    code = f"from rl.agents import finish; finish({str(stopped)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return first, stops, json.loads(done.stdout.splitlines()[-1]), stopped


@pytest.mark.slow
@pytest.mark.parametrize(("name", "num_envs"), CASES)
def test_another_process_goes_on_bit_for_bit(resumed, name, num_envs):
    first, stops, second, stopped = resumed
    run = f"{name}-{num_envs}"
    expected, episodes, metrics = first[run]
    assert 100 < stops[run]["timestep"] < TIMESTEPS - 100
    found, later = second[run]
    assert found == expected
    assert later == [episode for episode in episodes if episode[1] > stops[run]["timestep"]] != []
    agent = make_agent(stopped / run, name)
    assert plain_metrics(agent) == metrics


@pytest.mark.parametrize(
    "memory",
    [
        {"Memory": {"size": 64, "batch_size": 8}},
        {"PrioritizedMemory": {"size": 64, "batch_size": 8}},
    ],
)
def test_a_stop_within_a_block_of_updates_loses_none_of_them(tmp_path, memory):
    def train(path, goals):
        for goal in goals:
            agent = make_agent(path, "dqn", memory)
            agent.train(
                {"GymEnvironment": {"env_id": "CartPole-v1", "num_envs": 4}},
                20,
                2,
                max_steps=goal,
                updates_per_block=3,
            )
            assert agent.global_step == goal
        found = fingerprint(agent)
        del found[
            "means"
        ]  # a mean over three updates, or over one and two, is not the same to the last bit
        return found

    assert train(tmp_path / "parts", [1, 8, 9, 26]) == train(tmp_path / "whole", [26])


RANDOM = {
    "layers": [
        {"Dense": {"units": 8}},
        "BatchNormalization",
        {"Dropout": {"rate": 0.3}},
        {"GaussianNoise": {"stddev": 0.1}},
    ]
}
SMALL = {"Memory": {"size": 64, "batch_size": 8}}
PARTS = {
    "random layers": ("dqn", SMALL, {"graph": RANDOM}, "CartPole-v1"),
    "Boltzmann": ("dqn", SMALL, {"exploration": "Boltzmann"}, "CartPole-v1"),
    "RandomDecay": ("dqn", SMALL, {"exploration": "RandomDecay"}, "CartPole-v1"),
    "Gaussian": ("naf", SMALL, {"exploration": "Gaussian"}, "Pendulum-v1"),
    "files": (
        "ddqn",
        {"PrioritizedMemory": {"size": 64, "batch_size": 8, "n_step": 3, "path": "store"}},
        {},
        "CartPole-v1",
    ),
    "schedules": (
        "ppo",
        {"BatchMemory": {"batch_size": 16}},
        {
            "minibatch_size": 8,
            "target_kl": 0.01,
            "clip_range": {"PolynomialDecay": {"initial_learning_rate": 0.2, "decay_steps": 100}},
        },
        "CartPole-v1",
    ),
}


@pytest.mark.parametrize("name", PARTS)
def test_whatever_is_random_or_scheduled_goes_on(tmp_path, monkeypatch, name):
    model, memory, params, env_id = PARTS[name]
    found = []
    for goals in ([120], [30, 47, 120]):
        path = tmp_path / str(len(goals))
        path.mkdir()
        monkeypatch.chdir(path)  # where a memory in files has its folder
        for goal in goals:
            agent = make_agent(path / "run", model, memory, **params)
            agent.train(
                {"GymEnvironment": {"env_id": env_id, "num_envs": 2, "max_episode_steps": 17}},
                20,
                4,
                max_timesteps=goal,
            )
        found.append(fingerprint(agent))
    assert found[0] == found[1]


def test_a_run_that_failed_before_its_first_checkpoint_begins_anew(tmp_path):
    class Crash(Returns):
        def on_episode(self, run, episode):
            super().on_episode(run, episode)
            if len(self.episodes) == 2:
                raise RuntimeError("crash")

    env = GymEnvironment("CartPole-v1", num_envs=2, seed=3)
    agent, returns = (
        make_agent(tmp_path / "crashed", "dqn", {"Memory": {"size": 64, "batch_size": 8}}),
        Returns(),
    )
    with pytest.raises(RuntimeError):
        agent.train(env, 20, 4, max_timesteps=200, callbacks=[Crash()])
    agent.train(env, 20, 4, max_timesteps=200, callbacks=[returns])
    whole, expected = (
        make_agent(tmp_path / "whole", "dqn", {"Memory": {"size": 64, "batch_size": 8}}),
        Returns(),
    )
    whole.train(
        GymEnvironment("CartPole-v1", num_envs=2, seed=3),
        20,
        4,
        max_timesteps=200,
        callbacks=[expected],
    )
    assert fingerprint(agent) == fingerprint(whole)
    assert returns.episodes == expected.episodes


def test_calls_of_train_in_one_process_go_on_as_one(tmp_path):
    env = GymEnvironment("CartPole-v1", num_envs=2, seed=3)
    parts = make_agent(tmp_path / "parts", "dqn", {"Memory": {"size": 64, "batch_size": 8}})
    for goal in (10, 31, 90):  # no update has been made at the first of these
        parts.train(env, 20, 4, max_timesteps=goal)
    whole = make_agent(tmp_path / "whole", "dqn", {"Memory": {"size": 64, "batch_size": 8}})
    whole.train(GymEnvironment("CartPole-v1", num_envs=2, seed=3), 20, 4, max_timesteps=90)
    assert fingerprint(parts) == fingerprint(whole)


class Opaque(Counter):
    """Holds what cannot be copied."""

    def __init__(self, length=50):
        super().__init__(length)
        self.handle = memoryview(b"abc")


class Elsewhere(Opaque):
    """An Opaque whose observations are not those of an Opaque."""

    def observe(self):
        return super().observe() + np.array([100.0, 0.0], np.float32)


@pytest.mark.parametrize("num_envs", [1, 2])
def test_environments_without_a_state_begin_new_episodes_and_the_run_says_so(
    tmp_path, caplog, num_envs
):
    memory = {"Memory": {"size": 200, "batch_size": 8, "n_step": 3}}
    make_agent(tmp_path, "dqn", memory).train(
        GymEnvironment(Opaque, num_envs), 20, 4, max_timesteps=12
    )
    assert "start new episodes" not in caplog.text
    again, returns = make_agent(tmp_path, "dqn", memory), Returns()
    with caplog.at_level(logging.WARNING):
        again.train(
            GymEnvironment(Elsewhere, num_envs), 20, 4, max_episodes=num_envs, callbacks=[returns]
        )
    assert "the environments start new episodes: their state cannot be restored" in caplog.text
    assert [episode[3] for episode in returns.episodes] == [
        50
    ] * num_envs  # the first was interrupted, and is not counted
    rows = [again.memory.get_by_index(index) for index in range(len(again.memory))]
    assert {row["state"][0] >= 100 for row in rows} == {True, False}
    for row in rows:
        assert (row["next_state"] - row["state"]).tolist() == [0.0, row["steps"]]


def test_a_batch_is_not_joined_over_a_reset(tmp_path):
    memory = {"BatchMemory": {"batch_size": 32}}
    make_agent(tmp_path, "ppo", memory, minibatch_size=16).train(
        GymEnvironment(Opaque, 2), max_timesteps=12
    )
    again = make_agent(tmp_path, "ppo", memory, minibatch_size=16)
    again.train(GymEnvironment(Elsewhere, 2), max_timesteps=30)
    rows = [again.memory.get_by_index(index) for index in range(len(again.memory))]
    assert [bool(row["truncated"]) for row in rows] == [index in (10, 11) for index in range(30)]
    assert not any(row["terminated"] for row in rows)


def test_an_interrupted_batch_knows_where_after_a_restore():
    memory = BatchMemory(batch_size=12)

    def step(memory, number):
        ones = np.ones(3, np.float32)
        memory.step(
            state=ones * number,
            action=np.zeros(3, int),
            reward=ones,
            next_state=ones * number,
            terminated=ones < 0,
            truncated=ones < 0,
        )

    memory.interrupt()  # of an empty one nothing is cut
    for number in range(2):
        step(memory, number)
    again = BatchMemory(batch_size=12)
    again.restore(memory.state())
    again.interrupt()
    for number in (2, 3):
        step(again, number)
    assert again.sample()["truncated"][0].tolist() == [False] * 3 + [True] * 3 + [False] * 6


CONFIG = {
    "version": 1,
    "project": {"name": "stopped"},
    "environment": {
        "seed": 3,
        "run_config": {
            "save_checkpoints_steps": 40,
            "save_summary_steps": None,
            "log_step_count_steps": 50,
        },
    },
    "model": {"ddqn": {"graph": {"layers": [{"Dense": {"units": 32, "activation": "relu"}}]}}},
    "agent": {"memory": {"PrioritizedMemory": {"size": 1000, "batch_size": 32}}},
    "train": {
        "env": {"GymEnvironment": {"env_id": "CartPole-v1", "num_envs": 4}},
        "train_timesteps": 6000,
        "first_update": 100,
        "update_frequency": 8,
    },
}


def wait_for_checkpoint(run, is_over, after=-1, seconds=60):
    """Wait until there is a checkpoint later than the step `after`."""
    until = time.monotonic() + seconds
    while not is_over() and time.monotonic() < until:
        latest = Checkpoints(run / "checkpoints").latest()
        if latest is not None and step_of(latest) > after:
            break
        time.sleep(0.01)
    assert not is_over()


@pytest.mark.slow
def test_sigterm_and_kill_9_of_the_command_change_no_bit(tmp_path):
    file, run = tmp_path / "stopped.yml", tmp_path / "run"
    file.write_text(yaml.safe_dump(CONFIG))
    command = ["train", str(file), "--output-dir", str(run)]
    process = subprocess.Popen(
        [sys.executable, "-m", "plx_core", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for_checkpoint(run, lambda: process.poll() is not None)
    process.terminate()
    assert process.wait(60) == 143
    stopped_at = step_of(Checkpoints(run / "checkpoints").latest())
    fork = forking.start(*command)
    wait_for_checkpoint(run, lambda: not fork.is_alive(), stopped_at)
    fork.kill()
    fork.join()
    killed_at = step_of(Checkpoints(run / "checkpoints").latest())
    assert 0 < stopped_at < killed_at < 700
    forking.finish(*command)
    experiment = create_experiment(file, tmp_path / "whole")
    experiment.train()
    files = [
        Checkpoints(path / "checkpoints").latest() / "state.safetensors"
        for path in (run, tmp_path / "whole")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()
