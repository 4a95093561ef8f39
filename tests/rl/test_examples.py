"""The examples of agents run; the one that is also written in Python gives the same numbers."""

import pytest
from tests.examples_run import EXAMPLES, plx, run_file, run_script

TIMESTEPS_AND_UPDATES = {
    "a2c_cartpole": (200, 5),
    "dqn_acrobot": (160, 36),
    "dqn_cartpole": (1100, 128),
    "dqn_mountain_car": (1040, 24),
    "dueling_ddqn_cartpole": (1100, 64),
    "naf_pendulum": (1050, 51),
    "ppo_cartpole": (256, 20),
    "ppo_pendulum": (4096, 640),
    "trpo_cartpole": (1024, 1),
    "vpg_cartpole": (2048, 1),
}
"""The first updates of each example: as few timesteps as bring one, and how many come."""
NEED_AN_EXTRA = {
    "dqn_pong": (
        "ale_py",
        ("train.train_timesteps=60", "train.first_update=40", "agent.memory.Memory.size=100"),
    ),
    "ppo_half_cheetah": ("mujoco", ("train.train_timesteps=2048", "model.ppo.epochs=1")),
}


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", TIMESTEPS_AND_UPDATES)
def test_an_agent_makes_its_first_updates(name):
    timesteps, updates = TIMESTEPS_AND_UPDATES[name]
    line = run_file(name, f"train.train_timesteps={timesteps}", "eval.eval_episodes=2")
    assert line["step"] == updates
    assert "episode_return" in line["metrics"]
    if (EXAMPLES / f"{name}.py").exists():
        metrics = run_script(name, f"python/{name}", timesteps, 2)
        assert metrics == line["metrics"] | {"global_step": updates}


@pytest.mark.parametrize("name", NEED_AN_EXTRA)
@pytest.mark.filterwarnings("ignore")
def test_examples_that_need_an_extra(name, tmp_path):
    library, settings = NEED_AN_EXTRA[name]
    pytest.importorskip(library, reason=f"the extra that brings {library} is not installed")
    plx("train", EXAMPLES / f"{name}.yml", *(w for item in settings for w in ("--set", item)))
    assert list((tmp_path / "runs" / name).rglob("metrics.jsonl"))


def test_learning_from_the_demonstrations_of_another_example():
    plx("train", EXAMPLES / "ppo_cartpole.yml", "--set", "train.train_timesteps=256")
    plx("record", EXAMPLES / "ppo_cartpole.yml", "--to", "data/cartpole_expert.npz")
    line = run_file(
        "dqfd_cartpole",
        *("train.train_timesteps=64", "train.pretrain_steps=5", "eval.eval_episodes=2"),
    )
    assert line["step"] >= 5


def test_no_example_of_an_agent_is_missing_here():
    agents = {path.stem for path in EXAMPLES.glob("*.yml") if "\nagent:" in path.read_text()}
    assert agents == TIMESTEPS_AND_UPDATES.keys() | NEED_AN_EXTRA.keys() | {"dqfd_cartpole"}
