"""Every callback of the core in a supervised and in a reinforcement-learning experiment."""

import json
import re

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import plx_core as plx
from plx_core.cli.main import main
from plx_core.errors import ComponentError, ConfigError
from plx_core.experiments.dry_run import build

pytest.importorskip("plx_rl")
pytest.importorskip("plx_pipelines")

TABLE = {"data_files": "t.csv", "features": {"x": ["a", "b"]}, "labels": "y", "batch_size": 4}
SUPERVISED = {
    "version": 1,
    "model": {"Regressor": {"graph": {"layers": [{"Dense": {"units": 1}}]}}},
    "train": {
        "train_steps": 12,
        "data_pipeline": {"TablePipeline": TABLE},
    },
    "eval": {
        "eval_every_n_steps": 4,
        "data_pipeline": {"TablePipeline": {**TABLE, "num_epochs": 1}},
    },
}
AGENT = {
    "version": 1,
    "model": {"DQNModel": {"graph": {"layers": [{"Dense": {"units": 4}}]}}},
    "agent": {"memory": {"Memory": {"size": 64, "batch_size": 8}}},
    "train": {
        "env": {"GymEnvironment": {"env_id": "CartPole-v1"}},
        "train_steps": 12,
        "first_update": 16,
        "update_frequency": 2,
    },
    "eval": {
        "eval_every_n_steps": 4,
        "env": {"GymEnvironment": {"env_id": "CartPole-v1"}},
        "eval_episodes": 1,
    },
}
EXPERIMENTS = {"supervised": SUPERVISED, "agent": AGENT}

BOTH = {
    "CheckpointSaver": {"save_steps": 4},
    "EarlyStopping": {"metric": "METRIC", "patience": 0},
    "GlobalStepWaiter": {"wait_until_step": 0},
    "NanGuard": {"every_n_steps": 4},
    "Profiler": {"start_step": 4, "num_steps": 4},
    "ReduceLROnPlateau": {"metric": "METRIC", "patience": 0, "min_delta": 1e9},
    "StepCounter": {"every_n_steps": 4},
    "StepLogging": {"every_n_steps": 4},
    "StopAfterNEvals": {"num_evals": 2},
    "StopAtStep": {"last_step": 8},
    "SummarySaver": {"save_steps": 4},
}
AGENTS_ONLY = {
    "EpisodeCheckpointSaver": {"every_n_episodes": 1},
    "EpisodeCounter": {"every_n_episodes": 1},
    "EpisodeLogging": {"every_n_episodes": 1},
    "EpisodeSummarySaver": {"every_n_episodes": 1},
    "StopAtEpisode": {"last_episode": 2},
}
METRIC = {"supervised": "loss", "agent": "episode_return"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rows = "".join(f"{x},{x},{2 * x}\n" for x in np.linspace(0, 1, 8))
    (tmp_path / "t.csv").write_text("a,b,y\n" + rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config_with(kind, callback, section="train"):
    name, params = callback
    params = {key: METRIC[kind] if value == "METRIC" else value for key, value in params.items()}
    config = json.loads(json.dumps(EXPERIMENTS[kind]))
    config[section]["callbacks"] = [{name: params}]
    return config


def test_the_matrix_has_every_callback_of_the_core():
    from plx_core.plugin import provide_callbacks

    assert set(provide_callbacks()) == {
        *BOTH,
        *AGENTS_ONLY,
        "FinalOps",
    }  # FinalOps takes a function


@pytest.mark.parametrize(
    "callback", [*BOTH.items(), *AGENTS_ONLY.items()], ids=lambda pair: pair[0]
)
def test_an_agent_runs_with_each_of_them(folder, callback):
    checked = plx.check_config(config_with("agent", callback))
    build(checked)
    plx.create_experiment(checked, folder / "run").train_and_evaluate()


@pytest.mark.parametrize("callback", BOTH.items(), ids=lambda pair: pair[0])
def test_an_estimator_runs_with_each_of_them(folder, callback):
    checked = plx.check_config(config_with("supervised", callback))
    build(checked)
    plx.create_experiment(checked, folder / "run").train_and_evaluate()


@pytest.mark.parametrize("callback", AGENTS_ONLY.items(), ids=lambda pair: pair[0])
def test_an_estimator_refuses_those_of_episodes(folder, callback):
    checked = plx.check_config(config_with("supervised", callback))
    with pytest.raises(
        ConfigError, match=f"train.callbacks.0..{callback[0]}.*an estimator has none"
    ):
        build(checked)


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_the_learning_rate_is_lowered(folder, kind):
    callback = ("ReduceLROnPlateau", {"metric": "METRIC", "patience": 0, "min_delta": 1e9})
    experiment = plx.create_experiment(config_with(kind, callback), folder / "run")
    experiment.train_and_evaluate()
    assert experiment.trainer.learning_rate == pytest.approx(1e-3 * 0.1**2)


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_a_learning_rate_that_follows_a_schedule_cannot_be_lowered(folder, kind):
    config = config_with(kind, ("ReduceLROnPlateau", {"metric": "METRIC"}))
    (model,) = config["model"].values()
    schedule = {"ExponentialDecay": dict(initial_learning_rate=0.1, decay_rate=0.5, decay_steps=2)}
    model["optimizer"] = {"Adam": {"learning_rate": schedule}}
    with pytest.raises(ConfigError, match="follows a schedule"):
        build(plx.check_config(config))


REFUSING = '''
import plx_core as plx
from plx_core.errors import ComponentError


class Refusing(plx.Callback):
    """Fits nothing."""

    def check(self, spec):
        raise ComponentError("it fits nothing")


@plx.hookimpl
def provide_callbacks():
    return {"Refusing": Refusing}
'''


@pytest.mark.parametrize("kind", EXPERIMENTS)
@pytest.mark.parametrize("section", ["train", "eval"])
def test_a_callback_that_does_not_fit_is_refused_with_its_place(folder, kind, section):
    (folder / "refusing.py").write_text(REFUSING)
    (folder / "a.yml").write_text(
        yaml.safe_dump(config_with(kind, ("Refusing", {}), section), sort_keys=False)
    )
    for command in (["check", "a.yml"], ["run", "a.yml", "--output-dir", "run"]):
        result = CliRunner().invoke(main, [*command, "--plugin", "refusing.py"])
        assert result.exit_code == 2, result.output
        assert f"{section}.callbacks[0].Refusing: it fits nothing" in result.output
    assert not (folder / "run" / "checkpoints").exists()


def test_an_agent_in_python_asks_its_callbacks_too(tmp_path):
    class Refusing(plx.Callback):
        def check(self, spec):
            assert spec.is_agent
            raise ComponentError("it fits nothing")

    def model_fn(observations, action_space, mode):
        graph = plx.Graph([{"Dense": {"units": 4}}])
        return plx.models.DQNModel(mode, graph=graph)(observations, action_space)

    agent = plx.Agent(model_fn, {"Memory": {"size": 64, "batch_size": 8}}, tmp_path)
    with pytest.raises(ComponentError, match="it fits nothing"):
        agent.train(
            {"GymEnvironment": {"env_id": "CartPole-v1"}},
            16,
            4,
            timesteps=50,
            callbacks=[Refusing()],
        )
    assert agent.latest_checkpoint() is None


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_an_unknown_prediction_is_named(folder, kind):
    config = json.loads(json.dumps(EXPERIMENTS[kind]))
    (folder / "a.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    assert CliRunner().invoke(main, ["train", "a.yml", "--output-dir", "run"]).exit_code == 0
    result = CliRunner().invoke(
        main, ["predict", "a.yml", "--output-dir", "run", "--keys", "acton"]
    )
    assert result.exit_code in (1, 2)
    assert "there is no prediction called acton" in result.output
    assert not isinstance(result.exception, KeyError)


class Everything(plx.Tracker):
    """A tracker that takes all there is."""

    seen: list

    def __init__(self):
        self.seen = []

    def log(self, step, split, metrics):
        self.seen.append(("metrics", sorted(metrics)))

    def log_images(self, step, split, images):
        self.seen.append(("images", {tag: value.ndim for tag, value in images.items()}))

    def log_histograms(self, step, split, values):
        self.seen.append(("histograms", sorted(values)))


def test_pictures_and_histograms_reach_every_tracker(tmp_path):
    tracker = Everything()
    config = plx.RunConfig(save_summary_steps=2, log_step_count_steps=None)

    def model_fn(features, labels, mode):
        graph = plx.Graph(["Flatten", {"Dense": {"units": 2}}])
        return plx.models.Classifier(mode, graph=graph, summaries="all")(features, labels)

    images = np.random.default_rng(0).random((8, 4, 4, 1), "float32")
    data = plx.numpy_input_fn(
        images, np.arange(8) % 2, batch_size=4, num_epochs=None, shuffle=False
    )
    plx.Estimator(model_fn, tmp_path, config, trackers=[tracker]).train(data, max_steps=2)
    kinds = dict(tracker.seen)
    assert list(kinds["images"].values()) == [4]
    assert any(tag.startswith("variables/") for tag in kinds["histograms"])
    assert any(tag.startswith("gradients/") for tag in [*kinds["histograms"], *kinds["metrics"]])


def test_an_on_policy_model_may_have_a_memory_of_its_own(tmp_path):
    from plx_rl.memories.batch_memory import BatchMemory

    class Rollouts(BatchMemory):
        """Not called BatchMemory."""

    def model_fn(observations, action_space, mode):
        graph = plx.Graph([{"Dense": {"units": 4}}])
        return plx.models.PPOModel(mode, graph=graph)(observations, action_space)

    agent = plx.Agent(model_fn, Rollouts(batch_size=64), tmp_path)
    agent.train({"GymEnvironment": {"env_id": "CartPole-v1"}}, timesteps=128)
    assert agent.global_step > 0


FAILING = '''
import plx_core as plx


class Failing(plx.Callback):
    """Fails in one event."""

    every_n_steps = 4

    def __init__(self, event: str):
        setattr(self, event, lambda *args: 1 / 0)


@plx.hookimpl
def provide_callbacks():
    return {"Failing": Failing}
'''


@pytest.mark.parametrize(
    ("event", "step"),
    [
        ("on_run_begin", 0),
        ("on_block", r"\d+"),
        ("on_steps", 4),
        ("on_checkpoint", 100),
        ("state", 100),
        ("on_evaluate", 100),
        ("on_episode", r"\d+"),
        ("on_run_end", 100),
    ],
)
def test_a_callback_that_fails_is_named_with_the_event_and_the_step(folder, event, step):
    (folder / "failing.py").write_text(FAILING)
    config = config_with("agent", ("Failing", {"event": event}))
    config["environment"] = {"steps_per_call": 4}
    config["train"]["train_steps"] = config["eval"]["eval_every_n_steps"] = 100
    (folder / "a.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    result = CliRunner().invoke(main, ["run", "a.yml", "--plugin", "failing.py"])
    assert result.exit_code == 1, result.exception
    assert re.search(
        rf"^callback Failing: {event} at step {step} failed: ZeroDivisionError: division by zero",
        result.output,
        re.MULTILINE,
    ), result.output


@pytest.mark.parametrize("kind", EXPERIMENTS)
@pytest.mark.parametrize("callback", ["EarlyStopping", "ReduceLROnPlateau"])
def test_a_metric_that_evaluations_have_not_is_found_by_check(folder, kind, callback):
    config = config_with(kind, (callback, {"metric": "episode_retrn", "higher_is_better": True}))
    exporter = {"BestExporter": {"metric": "losss", "higher_is_better": False}}
    config["eval"]["export_strategies"] = [exporter]
    (folder / "a.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    result = CliRunner().invoke(main, ["check", "a.yml"])
    assert result.exit_code == 2, result.exception
    assert f"train.callbacks[0].{callback}: there is no metric called episode_retrn" in (
        result.output
    )
    del config["train"]["callbacks"]
    (folder / "a.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    result = CliRunner().invoke(main, ["check", "a.yml"])
    assert "export_strategies[0].BestExporter: there is no metric called losss" in result.output
    del config["eval"]["export_strategies"]
    config["keep_best"] = {"metric": "los", "higher_is_better": False}
    (folder / "a.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    result = CliRunner().invoke(main, ["check", "a.yml"])
    assert "keep_best.metric: there is no metric called los" in result.output


def test_an_exporter_writes_nowhere_else(folder):
    config = json.loads(json.dumps(SUPERVISED))
    config["eval"]["export_strategies"] = [{"BestExporter": {"name": "../../elsewhere"}}]
    with pytest.raises(ConfigError, match="BestExporter.name: expected a name without slashes"):
        plx.check_config(config)


@pytest.mark.parametrize(
    ("section", "command", "message"),
    [
        ("train", "run", "a.yml:5:3 train: there is nothing to train on: train.data_pipeline"),
        ("train", "train", "a.yml:5:3 train: there is nothing to train on: train.data_pipeline"),
        ("eval", "evaluate", "a.yml:1:1 eval: there is nothing to evaluate on: eval.data_pipeline"),
        ("eval", "predict", "a.yml:1:1 eval: there is nothing to evaluate on: eval.data_pipeline"),
    ],
)
def test_a_section_that_a_command_needs_is_missing(folder, section, command, message):
    model = "version: 1\nmodel:\n  Regressor: {graph: {layers: [Dense: {units: 1}]}}\n"
    train = "train:\n  train_steps: 3\n"
    if section == "eval":
        train += f"  data_pipeline: {{TablePipeline: {json.dumps(TABLE)}}}\n"
    else:
        train += f"eval:\n  data_pipeline: {{TablePipeline: {json.dumps(TABLE)}}}\n"
    (folder / "a.yml").write_text(model + train)
    result = CliRunner().invoke(main, [command, "a.yml"])
    assert result.exit_code == 2, result.exception
    assert result.output.startswith(message), result.output
