"""Environments that fail, alone or in processes of their own: what is said, and what is saved."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tests.rl.agents import make_agent

from plx_core.cli.main import main
from plx_core.errors import DataError, EnvironmentFailed
from plx_core.runs.checkpoints import load
from plx_rl.environments import processes
from plx_rl.environments.gym_environment import GymEnvironment

PLUGIN = '''
"""A corridor that breaks at a step, registered as the documentation says."""
import os
from pathlib import Path

import gymnasium
import numpy as np


class Corridor(gymnasium.Env):
    def __init__(self, breaks_at=0):
        self.observation_space = gymnasium.spaces.Box(0.0, 100.0, (1,), np.float32)
        self.action_space = gymnasium.spaces.Discrete(2, start=3)
        self.breaks_at = breaks_at
        self.place = self.steps = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 0
        return np.array([0.0], np.float32), {}

    def step(self, action):
        self.steps += 1
        if self.steps == self.breaks_at and not Path("repaired").exists():
            return 1 / 0
        self.place += 1
        return np.array([self.place], np.float32), 1.0, self.place == 5, False, {}


class Doubled(gymnasium.RewardWrapper):
    def reward(self, reward):
        return 2.0 * reward


if "BreakingCorridor-v0" not in gymnasium.registry:
    gymnasium.register("BreakingCorridor-v0", entry_point=Corridor)


from plx_core import hookimpl


@hookimpl
def provide_wrappers():
    return {"Doubled": double}


def double():
    """Double the rewards."""
    return Doubled
'''
CONFIG = """
version: 1
project: {name: corridor}
environment: {seed: 1}
plugins: [my_corridor.py]
model: {dqn: {graph: {input_layers: state, layers: [{Dense: {units: 4}}]}}}
agent: {memory: {Memory: {size: 100, batch_size: 4}}}
train:
  env:
    GymEnvironment:
      env_id: BreakingCorridor-v0
      num_envs: 2
      vectorization: KIND
      env_params: {breaks_at: STEP}
      wrappers: [Doubled]
  train_timesteps: 40
  first_update: 8
  update_frequency: 4
eval: {env: {GymEnvironment: {env_id: BreakingCorridor-v0, vectorization: KIND}}, eval_episodes: 1}
"""


def run(kind, step, *words):
    Path("my_corridor.py").write_text(PLUGIN)
    Path("a.yml").write_text(CONFIG.replace("KIND", kind).replace("STEP", str(step)))
    words = [*(words or ["run"]), "a.yml", "--plugin", "my_corridor.py"]
    return CliRunner().invoke(main, words)


def test_processes_load_the_plugins_of_the_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("async", 0)
    assert result.exit_code == 0, result.output
    lines = [
        json.loads(line) for line in Path("runs/corridor/metrics.jsonl").read_text().splitlines()
    ]
    returns = {line["split"]: line["metrics"]["episode_return"] for line in lines}
    assert returns == {"train": 10.0, "eval": 5.0}


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_error_names_environment_step_and_action_after_a_checkpoint(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    result = run(kind, 12)
    assert result.exit_code == 1, result.output
    text = " ".join(result.output.split())
    assert "environment 0 (<" in text or (kind == "async" and "environment 1 (<" in text)
    assert "Corridor" in text
    assert "failed when it took step 12, action " in text
    assert "ZeroDivisionError: division by zero (my_corridor.py:25); training is saved" in text
    assert "Traceback" not in result.output
    checkpoints = sorted(Path("runs/corridor/checkpoints").glob("0*"))
    state = load(checkpoints[-1])
    assert state["counters"]["timestep"] == 22  # eleven steps of two environments
    assert f"saved up to timestep 22 in runs/corridor/checkpoints/{checkpoints[-1].name}" in text
    assert int(text.split("action ")[1].split(":")[0]) in (3, 4)
    assert not state["environment"]["exact"]
    Path("repaired").touch()
    result = run(kind, 12)
    assert result.exit_code == 0, result.output
    state = load(max(Path("runs/corridor/checkpoints").glob("0*")))
    assert state["counters"]["timestep"] == 40
    assert state["environment"]["exact"]  # the environments have been reset since


def pids(env):
    return [process.pid for process in env._vector._async_envs.processes]


@pytest.fixture
def apart():
    env = GymEnvironment("CartPole-v1", 3, "async", seed=1)
    env.reset()
    yield env
    env.close()


def test_a_process_that_was_killed_is_named(apart):
    os.kill(pids(apart)[1], signal.SIGKILL)
    with pytest.raises(
        EnvironmentFailed, match=r"process of environment 1 has ended \(killed by signal 9\)$"
    ):
        for _ in range(2):
            apart.step(np.zeros(3, int))
    assert not apart.state()["exact"]
    with pytest.raises(EnvironmentFailed, match="processes of the environments have ended"):
        apart.reset()


def test_a_process_that_was_stopped_is_named(apart, monkeypatch):
    monkeypatch.setattr(processes, "POLL_SECS", 0.05)
    monkeypatch.setattr(processes, "STOPPED_SECS", 0.3)
    assert processes.STOPPED_SECS < 30
    os.kill(pids(apart)[2], signal.SIGSTOP)
    with pytest.raises(EnvironmentFailed, match=r"environment 2 \(pid \d+\) has been stopped"):
        apart.step(np.zeros(3, int))
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids(apart))


def test_a_process_that_goes_on_in_time_is_waited_for(apart, monkeypatch):
    monkeypatch.setattr(processes, "POLL_SECS", 0.05)
    stopped = pids(apart)[2]
    os.kill(stopped, signal.SIGSTOP)
    looks = []

    def look(pid):
        looks.append(pid)
        if len(looks) == 4:
            os.kill(stopped, signal.SIGCONT)
        return pid == stopped

    monkeypatch.setattr(processes, "_is_stopped", look)
    assert apart.step(np.zeros(3, int)).rewards.tolist() == [1.0, 1.0, 1.0]
    assert len(looks) >= 4


def test_a_killed_process_ends_training_after_a_checkpoint(tmp_path, apart):
    agent = make_agent(tmp_path, "dqn", {"Memory": {"size": 100, "batch_size": 4}})
    agent.train(apart, 8, 4, max_timesteps=12)
    os.kill(pids(apart)[0], signal.SIGKILL)
    with pytest.raises(
        EnvironmentFailed, match=r"environment 0 has ended .* saved up to timestep 1[25] in "
    ):
        agent.train(apart, 8, 4, max_timesteps=60)
    other = make_agent(tmp_path, "dqn", {"Memory": {"size": 100, "batch_size": 4}})
    other.train(GymEnvironment("CartPole-v1", 3), 8, 4, max_timesteps=30)
    assert other.global_timestep == 30


def test_what_cannot_be_created_is_said_once(capfd):
    with pytest.raises(DataError, match="CartPole-v1 does not take env_params"):
        GymEnvironment("CartPole-v1", 2, "async", env_params={"nothing": 1})
    parent = os.getpid()

    def only_here():
        import gymnasium

        if os.getpid() != parent:
            raise OSError("no display")
        return gymnasium.make("CartPole-v1")

    with pytest.raises(EnvironmentFailed, match="ended while it created it; the reason is above"):
        GymEnvironment(only_here, 2, "async")
    # The other process may be ended before it says the same.
    reported = re.findall(
        r"environment [01] cannot be created: OSError: no display", capfd.readouterr().err
    )
    assert 1 <= len(reported) <= 2
