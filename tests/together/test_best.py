"""The best checkpoint is kept, and is what is evaluated, predicted and exported with; the last one is only where training ended."""

import json

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import plx_core as plx
from plx_core.cli.main import main
from plx_core.engine.evaluation_program import EvaluationProgram
from plx_core.plugins.registry import snake_case
from plx_core.runs.checkpoints import Checkpoints
from plx_core.runs.metrics import HIGHER_IS_BETTER, LOWER_IS_BETTER, criterion_of
from plx_core.runs.run_directory import RunDirectory

pytest.importorskip("plx_pipelines")

TABLE = {"data_files": "t.csv", "features": {"x": ["a", "b"]}, "labels": "y", "batch_size": 4}
CONFIG = {
    "version": 1,
    "project": {"name": "best"},
    "environment": {"run_config": {"keep_checkpoint_max": 1, "save_summary_steps": None}},
    "model": {"Regressor": {"graph": {"layers": [{"Dense": {"units": 1}}]}}},
    "train": {"train_steps": 40, "data_pipeline": {"TablePipeline": TABLE}},
    "eval": {
        "eval_every_n_steps": 4,
        "export_strategies": ["FinalExporter", "LatestExporter"],
        "data_pipeline": {"TablePipeline": {**TABLE, "num_epochs": 1}},
    },
}
LOSSES = [0.5, 0.2, 0.4, 0.3, 0.6, 0.1, 0.7, 0.7, 0.7, 0.7]
"""Of the evaluations at 4, 8, 12, … steps; the best comes after early stopping."""
STOPPING = {"callbacks": [{"EarlyStopping": {"patience": 3}}]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rows = "".join(f"{x},{x},{2 * x}\n" for x in np.linspace(0, 1, 8))
    (tmp_path / "t.csv").write_text("a,b,y\n" + rows)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLX_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def plx_command(*arguments, code=0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == code, result.output
    return result


def write(**changes):
    config = json.loads(json.dumps(CONFIG))
    for section, values in changes.items():
        config[section] = {**config.get(section, {}), **values}
    with open("best.yml", "w") as file:
        yaml.safe_dump(config, file)


def run_with_losses(monkeypatch, losses=LOSSES):
    """`plx run`, whose evaluations have these losses; they really take place."""
    left, evaluate = iter(losses), EvaluationProgram.evaluate
    with monkeypatch.context() as patch:
        patch.setattr(
            EvaluationProgram,
            "evaluate",
            lambda *arguments: {**evaluate(*arguments), "loss": next(left)},
        )
        return plx_command("run", "best.yml")


def kept():
    return [int(path.name) for path in Checkpoints("runs/best/checkpoints").paths()]


def predicted(*arguments):
    return plx_command("predict", "best.yml", *arguments).stdout


@pytest.mark.parametrize("how", ["stopping", "keep_best"])
def test_the_best_is_the_result_and_the_last_is_where_training_ended(folder, monkeypatch, how):
    if how == "stopping":
        write(train=STOPPING)
        best, last = 8, 20
    else:
        write(keep_best={"metric": "loss"})
        best, last = 24, 40
    result = run_with_losses(monkeypatch)
    assert f"evaluation at step {best} (the latest checkpoint is of step {last})" in result.stdout
    assert kept() == [best, last], "one is kept besides the best"
    paths = {step: f"runs/best/checkpoints/{step:09d}" for step in (best, last)}
    predictions = {step: predicted("--checkpoint", path) for step, path in paths.items()}
    assert predictions[best] != predictions[last]
    assert predicted() == predicted("--checkpoint", "best") == predictions[best]
    assert predicted("--checkpoint", "latest") == predictions[last]
    assert f"evaluation at step {best}" in plx_command("evaluate", "best.yml").stdout
    newest = plx_command("evaluate", "best.yml", "--checkpoint", "latest").stdout
    assert f"evaluation at step {last}\n" in newest
    assert plx_command("export", "best.yml").stdout == f"runs/best/export/{best:09d}\n"
    exports = {
        name: [int(path.name) for path in (folder / f"runs/best/export/{name}").iterdir()]
        for name in ("final", "latest")
    }
    assert exports["final"] == [best]
    assert max(exports["latest"]) == last


def test_the_same_command_again_has_the_same_result(folder, monkeypatch):
    write(train=STOPPING)
    first = run_with_losses(monkeypatch).stdout
    assert plx_command("run", "best.yml").stdout == first


def test_evaluations_on_the_way_are_printed(folder, monkeypatch):
    write(train=STOPPING)
    lines = [line for line in run_with_losses(monkeypatch).stderr.splitlines() if "eval" in line]
    assert lines == [
        f"evaluation at step {step}  loss {loss:.4g}"
        for step, loss in zip(range(4, 21, 4), LOSSES, strict=False)
    ]


def test_early_stopping_says_what_it_restores(folder, monkeypatch, caplog):
    write(train=STOPPING)
    with caplog.at_level("INFO"):
        run_with_losses(monkeypatch)
    assert "loss has not improved on 0.2 for 3 evaluations; stopping at step 20" in caplog.text
    assert (
        "the result is the checkpoint of step 8, the best by loss (0.2); training ended at step 20"
        in caplog.text
    )


def test_without_restoring_the_last_is_the_result(folder, monkeypatch):
    write(train={"callbacks": [{"EarlyStopping": {"patience": 3, "restore_best": False}}]})
    assert "evaluation at step 20\n" in run_with_losses(monkeypatch).stdout
    assert kept() == [20]
    result = plx_command("evaluate", "best.yml", "--checkpoint", "best", code=2)
    assert "nothing says which checkpoint is the best; give keep_best" in result.stderr


def test_a_run_that_has_only_been_trained_has_a_latest(folder):
    write(keep_best={"metric": "loss"})
    plx_command("train", "best.yml", "--set", "train.train_steps=4")
    result = plx_command("export", "best.yml", "--checkpoint", "best", code=1)
    assert "no checkpoint in runs/best/checkpoints has been evaluated" in result.stderr
    assert "evaluation at step 4\n" in plx_command("evaluate", "best.yml").stdout


def test_a_best_checkpoint_that_is_torn_gives_way_to_the_next(folder, monkeypatch):
    write(keep_best={"metric": "loss"}, environment={"run_config": {"keep_checkpoint_max": None}})
    run_with_losses(monkeypatch)
    (folder / "runs/best/checkpoints/000000024/state.safetensors").write_bytes(b"torn")
    assert "evaluation at step 8 (" in plx_command("evaluate", "best.yml").stdout


def test_a_metric_that_is_not_there_is_an_error_before_training(folder):
    write(keep_best={"metric": "recall"})
    result = plx_command("run", "best.yml", code=2)
    assert "keep_best.metric: there is no metric called recall" in result.stderr
    assert kept() == []


@pytest.mark.parametrize("place", ["keep_best", "callback", "exporter"])
def test_a_direction_that_cannot_be_known_is_asked_for_at_its_place(folder, place):
    part = {"metric": "gain"}
    if place == "keep_best":
        write(keep_best=part)
        path = "keep_best.metric"
    elif place == "callback":
        write(train={"callbacks": [{"EarlyStopping": part}]})
        path = "train.callbacks[0].EarlyStopping"
    else:
        write(eval={"export_strategies": [{"BestExporter": part}]})
        path = "eval.export_strategies[0].BestExporter"
    result = plx_command("check", "best.yml", code=2)
    assert "whether higher values of gain are better is not known" in result.stderr
    assert f" {path}: " in result.stderr
    assert result.stderr.startswith("best.yml:")


def test_the_directions_of_metrics_are_keras_s():
    keras = pytest.importorskip("keras")
    directions = {}
    for cls in vars(keras.metrics).values():
        for arguments in ((), (2,), (0.5,), (2, [0])):
            if isinstance(cls, type):
                try:
                    metric = cls(*arguments)
                except (AttributeError, TypeError, ValueError):
                    continue
                directions.setdefault(snake_case(cls.__name__), getattr(metric, "_direction", None))
    directions |= {"logcosh": directions.pop("log_cosh_error")}
    directions |= {"fbeta_score": directions.pop("f_beta_score")}
    known = {name for name, direction in directions.items() if direction is not None}
    assert known <= HIGHER_IS_BETTER | LOWER_IS_BETTER
    for name in known:
        assert criterion_of(name, None).higher_is_better == (directions[name] == "up"), name
    assert criterion_of("digit/accuracy", None).higher_is_better
    assert criterion_of("precision/3", None).higher_is_better
    assert not criterion_of("mean_squared_error_1", None).higher_is_better
    assert not criterion_of("accuracy", False).higher_is_better


def test_an_agent_keeps_its_best_too(tmp_path):
    pytest.importorskip("plx_rl")
    env = {"GymEnvironment": {"env_id": "CartPole-v1"}}
    config = {
        "version": 1,
        "environment": {"run_config": {"keep_checkpoint_max": 1}},
        "model": {"DQNModel": {"graph": {"layers": [{"Dense": {"units": 4}}]}}},
        "agent": {"memory": {"Memory": {"size": 64, "batch_size": 8}}},
        "train": {"env": env, "train_steps": 12, "first_update": 16, "update_frequency": 2},
        "eval": {"env": env, "eval_episodes": 1, "eval_every_n_steps": 4},
        "keep_best": {"metric": "episode_return"},
    }
    experiment = plx.create_experiment(config, tmp_path)
    returns, evaluate = iter([9.0, 12.0, 10.0]), type(experiment.agent)._evaluate
    experiment.agent._evaluate = lambda *arguments: {
        **evaluate(experiment.agent, *arguments),
        "episode_return": next(returns),
    }
    metrics, _ = experiment.train_and_evaluate()
    assert (metrics["global_step"], metrics["episode_return"]) == (8, 12.0)
    assert [int(path.name) for path in Checkpoints(tmp_path / "checkpoints").paths()] == [8, 12]
    assert experiment.choose_checkpoint().name == "000000008"
    assert len(RunDirectory(tmp_path).evaluations()) == 3
