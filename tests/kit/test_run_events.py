"""Plug-ins are told of runs of estimators and of agents; one that raises is reported and harms none."""

import logging
from types import ModuleType

import numpy as np
import pytest

import plx_core as plx
from plx_core.callbacks.plugin_events import RunEvents
from plx_core.data.arrays import ArrayPipeline
from plx_core.errors import NonFiniteLoss
from plx_core.hookspecs import EVENTS, hookimpl
from plx_core.models.spec import EstimatorSpec
from plx_core.plugins.discovery import Plugin, Plugins

pytest.importorskip("gymnasium")


def listening(name="listener", failing=()):
    """Plug-ins of one module that notes what it is told, and its notes."""
    notes, module = [], ModuleType(name)

    def listener(event, arguments):
        def told(*values):
            notes.append((event, dict(zip(arguments, values, strict=True))))
            if event in failing:
                raise OSError("the network is down")

        namespace = {"told": told}
        exec(f"def {event}({', '.join(arguments)}): return told({', '.join(arguments)})", namespace)
        return hookimpl(namespace[event])

    arguments = {
        "run_resolved": ("config",), "run_started": ("run", "step"), "block_ended": ("step",), "checkpoint_saved": ("step", "path"),
        "evaluated": ("split", "metrics"), "episode_ended": ("episode",), "run_failed": ("error",), "run_finished": ("step",),
    }  # fmt: skip
    for event in EVENTS:
        setattr(module, event, listener(event, arguments[event]))
    plugins = Plugins()
    plugins.add(Plugin(name, name), module)
    assert plugins.broken == []
    return plugins, notes


def model_fn(features, labels, mode):
    import keras

    network = keras.Model(features, keras.layers.Dense(1)(features["x"]))
    return EstimatorSpec(
        mode=mode,
        network=network,
        optimizer=keras.optimizers.SGD(0.01),
        loss_fn=lambda features, labels, outputs: keras.ops.mean((outputs - labels) ** 2),
    )


def data(value=1.0, num_epochs=None):
    return ArrayPipeline(
        {"x": np.full((8, 1), value, "float32")}, np.ones((8, 1), "float32"), 4, num_epochs
    )


def estimator(path, plugins):
    made = plx.Estimator(
        model_fn,
        path,
        plx.RunConfig(save_checkpoints_steps=4, save_summary_steps=None),
        trackers=[],
    )
    made.plugins = plugins
    return made


def test_an_estimator_tells_of_its_run(tmp_path):
    plugins, notes = listening()
    run = estimator(tmp_path, plugins)
    run.train(data(), max_steps=8)
    run.evaluate(data(num_epochs=1), name="held_out")
    events = [event for event, _ in notes if event != "block_ended"]
    assert events == [
        "run_started",
        "checkpoint_saved",
        "checkpoint_saved",
        "run_finished",
        "evaluated",
    ]
    told = dict(notes)
    assert told["run_started"] == {"run": run, "step": 0}
    assert told["checkpoint_saved"] == {"step": 8, "path": str(run.latest_checkpoint())}
    assert told["evaluated"]["split"] == "eval_held_out"
    assert told["evaluated"]["metrics"]["loss"] >= 0
    assert told["block_ended"] == told["run_finished"] == {"step": 8}


def test_a_run_that_fails_says_why(tmp_path):
    plugins, notes = listening()
    with pytest.raises(NonFiniteLoss):
        estimator(tmp_path, plugins).train(data(float("nan")), max_steps=8)
    assert [event for event, _ in notes][-1] == "run_failed"
    assert isinstance(notes[-1][1]["error"], NonFiniteLoss)
    assert "run_finished" not in dict(notes)


def test_an_agent_tells_of_its_episodes(tmp_path):
    plugins, notes = listening()
    agent = plx.Agent(
        lambda features, labels, mode: plx.models.DQNModel(mode, graph=plx.Graph([{"Dense": {"units": 4}}]))(features, labels),
        {"Memory": {"size": 64, "batch_size": 8}}, tmp_path, trackers=[],
    )  # fmt: skip
    agent.plugins = plugins
    env = {"GymEnvironment": {"env_id": "CartPole-v1"}}
    agent.train(env, first_update=16, update_frequency=8, timesteps=80)
    agent.evaluate(env, episodes=1)
    told = dict(notes)
    assert {
        "run_started",
        "episode_ended",
        "checkpoint_saved",
        "run_finished",
        "evaluated",
    } <= told.keys()
    assert told["episode_ended"]["episode"]["length"] > 0
    assert told["evaluated"]["split"] == "eval"


def test_a_plugin_that_raises_is_reported_once_and_the_run_goes_on(tmp_path, caplog):
    plugins, notes = listening(failing=("run_started",))
    with caplog.at_level(logging.WARNING, "plx_core.callbacks.plugin_events"):
        run = estimator(tmp_path, plugins).train(data(), max_steps=4)
    assert run.global_step == 4
    assert [event for event, _ in notes] == ["run_started"]
    assert [record.getMessage() for record in caplog.records] == [
        "plug-in listener: run_started failed: OSError: the network is down; it is told no more of this run"
    ]


def test_a_config_tells_of_itself(tmp_path, monkeypatch):
    (tmp_path / "watching.py").write_text(
        "from plx_core import hookimpl\n\nSEEN = []\n\n\n@hookimpl\ndef run_resolved(run, config):\n    SEEN.append(config['train']['train_steps'])\n"
    )
    (tmp_path / "a.yml").write_text(
        "version: 1\nmodel: {regressor: {graph: {layers: [Dense: {units: 1}]}}}\ntrain: {train_steps: 7, data_pipeline: {TablePipeline: {data_files: a.yml}}}\n"
    )
    import sys

    from plx_core.config.check import check_config
    from plx_core.config.load import Permissions
    from plx_core.experiments.from_config import create_experiment

    monkeypatch.chdir(tmp_path)
    checked = check_config("a.yml", (), Permissions((), ("watching.py",)))
    create_experiment(checked, tmp_path / "run", given="")
    create_experiment(checked, tmp_path / "other", given="", keep=False)
    assert sys.modules["watching"].SEEN == [7]


def test_where_nobody_listens_a_run_knows_nothing_of_it(tmp_path):
    run = estimator(tmp_path, Plugins())
    callbacks = []
    with run.announced(callbacks):
        assert callbacks == []
    assert not RunEvents(Plugins()).has_listeners


def test_every_event_is_documented():
    from plx_core import hookspecs

    for event in EVENTS:
        assert getattr(hookspecs, event).__doc__
