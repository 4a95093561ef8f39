"""Each example of an agent is written twice, as a file and in Python: both learn the same, action for action."""

import importlib.util
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from plx_core.cli.main import main

EXAMPLES = Path(__file__).parents[2] / "examples"


def run_file(name, timesteps):
    sets = (f"train.train_timesteps={timesteps}", "eval.eval_episodes=2")
    arguments = [argument for item in sets for argument in ("--set", item)]
    result = CliRunner().invoke(
        main, ["run", str(EXAMPLES / f"{name}.yml"), *arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    lines = [
        json.loads(line) for line in Path("runs", name, "metrics.jsonl").read_text().splitlines()
    ]
    return [line for line in lines if line["split"] == "eval"][-1]


def run_script(name, *args):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(f"python/{name}", *args)


@pytest.mark.parametrize(
    ("name", "timesteps", "updates"),
    [
        ("a2c_cartpole", 200, 5),
        ("dqn_acrobot", 160, 36),
        ("dqn_cartpole", 1100, 128),
        ("dqn_mountain_car", 1040, 24),
        ("dueling_ddqn_cartpole", 1100, 64),
        ("naf_pendulum", 1050, 51),
        ("ppo_cartpole", 256, 20),
        ("ppo_pendulum", 4096, 640),
        ("trpo_cartpole", 1024, 1),
        ("vpg_cartpole", 2048, 1),
    ],
)
def test_a_file_and_its_twin(name, timesteps, updates, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    of_file, of_script = run_file(name, timesteps), run_script(name, timesteps, 2)
    assert of_file["step"] == of_script["global_step"] == updates
    assert of_file["metrics"] == {
        metric: value for metric, value in of_script.items() if metric != "global_step"
    }


@pytest.mark.parametrize(
    ("name", "library", "sets"),
    [
        (
            "dqn_pong",
            "ale_py",
            ("train.train_timesteps=60", "train.first_update=40", "agent.memory.Memory.size=100"),
        ),
        ("ppo_half_cheetah", "mujoco", ("train.train_timesteps=2048", "model.ppo.epochs=1")),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_examples_that_need_an_extra(name, library, sets, tmp_path, monkeypatch):
    pytest.importorskip(library, reason=f"the extra that brings {library} is not installed")
    monkeypatch.chdir(tmp_path)
    arguments = [argument for item in sets for argument in ("--set", item)]
    result = CliRunner().invoke(
        main, ["train", str(EXAMPLES / f"{name}.yml"), *arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    assert list((tmp_path / "runs" / name).rglob("metrics.jsonl"))
