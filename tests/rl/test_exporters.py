"""What is kept of the best checkpoint: its policy, and a moving picture of it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import plx_core as plx
from plx_core.cli.main import main
from plx_core.errors import ComponentError
from plx_rl.exporters import BestVideo

pytest.importorskip("PIL")
pytest.importorskip("pygame")
from PIL import Image

CONFIG = """
version: 1
project: {name: best}
environment: {seed: 1, run_config: {save_checkpoints_steps: 20}}
model: {dqn: {graph: {input_layers: state, layers: [{Dense: {units: 8}}]}}}
train:
  env: {GymEnvironment: {env_id: CartPole-v1}}
  train_steps: 60
  first_update: 10
  update_frequency: 1
eval:
  env: {GymEnvironment: {env_id: CartPole-v1, num_envs: 2}}
  eval_episodes: 2
  export_strategies:
    - BestExporter: {metric: episode_return, higher_is_better: true}
    - BestVideo: {env: {GymEnvironment: {env_id: CartPole-v1, env_params: {render_mode: rgb_array}}}}
"""


def test_the_best_policy_and_its_picture(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("best.yml").write_text(CONFIG)
    result = CliRunner().invoke(main, ["run", "best.yml"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    run = tmp_path / "runs" / "best"
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    returns = {
        line["step"]: line["metrics"]["episode_return"] for line in lines if line["split"] == "eval"
    }
    assert sorted(returns) == [20, 40, 60]
    best = max(returns, key=lambda step: (returns[step], -step))
    assert [path.name for path in (run / "export" / "best").iterdir()] == [f"{best:09d}"]
    about = json.loads((run / "videos" / "best.json").read_text())
    assert about == {"step": best, "episode_return": returns[best]}
    with Image.open(run / "videos" / "best.gif") as film:
        assert film.n_frames > 5
        assert film.size == (600, 400)


def test_an_environment_that_draws_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("best.yml").write_text(CONFIG.replace(", env_params: {render_mode: rgb_array}", ""))
    result = CliRunner().invoke(main, ["run", "best.yml"])
    assert result.exit_code == 2
    assert "set env_params: {render_mode: rgb_array}" in result.output
    assert "Traceback" not in result.output


def test_an_environment_without_render(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = "{GymEnvironment: {env_id: CartPole-v1, env_params: {render_mode: rgb_array}}}"
    assert old in CONFIG
    Path("best.yml").write_text(CONFIG.replace(old, "{CompiledEnvironment: {env_id: CartPole-v1}}"))
    result = CliRunner().invoke(main, ["run", "best.yml"])
    assert result.exit_code == 2
    assert "with a method render, which CompiledEnvironment does not have" in result.output
    assert "Traceback" not in result.output


def test_only_agents_are_recorded(tmp_path):
    estimator = plx.Estimator(lambda features, labels, mode: None, tmp_path)
    with pytest.raises(ComponentError, match="records agents; this is an Estimator"):
        BestVideo("GymEnvironment").export(estimator, None, 1, {}, is_final=True)
