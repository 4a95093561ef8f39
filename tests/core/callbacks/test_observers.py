"""Observers of plug-ins are told of every run; one that raises is reported and harms none."""

import logging
import sys
from types import ModuleType

import numpy as np
import pytest

import plx_core as plx
from plx_core.callbacks.observers import Observers
from plx_core.config.check import check_config
from plx_core.config.load import Permissions
from plx_core.data.arrays import ArrayPipeline
from plx_core.errors import NonFiniteLoss
from plx_core.experiments.from_config import create_experiment
from plx_core.hookspecs import hookimpl
from plx_core.models.spec import EstimatorSpec
from plx_core.plugins.discovery import Plugin, Plugins

pytest.importorskip("gymnasium")


EVENTS = (
    "on_config",
    "on_run_begin",
    "on_block",
    "on_log",
    "on_checkpoint",
    "on_evaluate",
    "on_episode",
    "on_run_end",
    "on_failure",
)


def observing(failing=()):
    """Return plug-ins with one observer, and the list of the events that it is told of."""
    notes = []

    class Watcher(plx.Callback):
        def __getattribute__(self, name):
            if name not in EVENTS:
                return super().__getattribute__(name)

            def note(*args):
                notes.append((name, args))
                if name in failing:
                    raise OSError("the network is down")

            return note

    module = ModuleType("listener")
    module.provide_run_observers = hookimpl(lambda: {"Watcher": Watcher})
    plugins = Plugins()
    plugins.add(Plugin("listener", "listener"), module)
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
    plugins, notes = observing()
    run = estimator(tmp_path, plugins)
    run.train(data(), max_steps=8)
    run.evaluate(data(num_epochs=1), name="held_out")
    events = [event for event, _ in notes if event != "on_block"]
    assert events == [
        "on_run_begin",
        "on_checkpoint",
        "on_log",
        "on_checkpoint",
        "on_run_end",
        "on_evaluate",
    ]
    last = dict(notes)
    assert last["on_run_begin"] == (run, 0)
    assert last["on_checkpoint"] == (run, 8, str(run.latest_checkpoint()))
    assert last["on_evaluate"][3] == "eval_held_out"
    assert last["on_evaluate"][2]["loss"] >= 0
    assert last["on_block"] == last["on_run_end"] == (run, 8)


def test_a_run_that_fails_says_why(tmp_path):
    plugins, notes = observing()
    with pytest.raises(NonFiniteLoss):
        estimator(tmp_path, plugins).train(data(float("nan")), max_steps=8)
    assert notes[-1][0] == "on_failure"
    assert isinstance(notes[-1][1][1], NonFiniteLoss)
    assert "on_run_end" not in dict(notes)


def test_an_agent_tells_of_its_episodes(tmp_path):
    plugins, notes = observing()

    def model_fn(observations, action_space, mode):
        graph = plx.Graph([{"Dense": {"units": 4}}])
        return plx.models.DQNModel(mode, graph=graph)(observations, action_space)

    agent = plx.Agent(model_fn, {"Memory": {"size": 64, "batch_size": 8}}, tmp_path, trackers=[])
    agent.plugins = plugins
    env = {"GymEnvironment": {"env_id": "CartPole-v1"}}
    agent.train(env, first_update=16, update_frequency=8, timesteps=80)
    agent.evaluate(env, episodes=1)
    last = dict(notes)
    assert set(EVENTS) - last.keys() == {"on_config", "on_failure"}
    assert last["on_episode"][1]["length"] > 0
    assert last["on_evaluate"][3] == "eval"


def test_an_observer_that_raises_is_reported_once_and_the_run_continues(tmp_path, caplog):
    plugins, notes = observing(failing=("on_run_begin",))
    with caplog.at_level(logging.WARNING, "plx_core.callbacks.observers"):
        run = estimator(tmp_path, plugins).train(data(), max_steps=4)
    assert run.global_step == 4
    assert [event for event, _ in notes] == ["on_run_begin"]
    reports = [r for r in caplog.records if r.name == "plx_core.callbacks.observers"]
    assert [report.getMessage() for report in reports] == [
        "observer Watcher of plug-in listener: on_run_begin failed: OSError: the network is down; "
        "it gets no further events of this run"
    ]


def test_an_observer_that_cannot_be_created_is_reported(caplog):
    module = ModuleType("listener")
    module.provide_run_observers = hookimpl(lambda: {"Absent": "no_such_module:Watcher"})
    plugins = Plugins()
    plugins.add(Plugin("listener", "listener"), module)
    with caplog.at_level(logging.WARNING, "plx_core.callbacks.observers"):
        assert not Observers(plugins)
    assert "observer Absent of plug-in listener: creation failed" in caplog.text


def test_a_config_is_announced(tmp_path, monkeypatch):
    (tmp_path / "watching.py").write_text(
        "import plx_core as plx\n\nSEEN = []\n\n\nclass Watcher(plx.Callback):\n"
        "    def on_config(self, run, config):\n"
        "        SEEN.append(config['train']['train_steps'])\n\n\n"
        "@plx.hookimpl\ndef provide_run_observers():\n    return {'Watcher': Watcher}\n"
    )
    (tmp_path / "a.yml").write_text(
        "version: 1\nmodel: {regressor: {graph: {layers: [Dense: {units: 1}]}}}\n"
        "train: {train_steps: 7, data_pipeline: {TablePipeline: {data_files: a.yml}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    checked = check_config("a.yml", (), Permissions((), ("watching.py",)))
    create_experiment(checked, tmp_path / "run", text="")
    create_experiment(checked, tmp_path / "other", text="", keep=False)
    assert sys.modules["watching"].SEEN == [7]


def test_a_run_without_observers_calls_none(tmp_path):
    run = estimator(tmp_path, Plugins())
    callbacks = []
    with run.observed(callbacks):
        assert callbacks == []


def test_each_event_of_a_callback_but_steps_reaches_observers():
    """A new event of `Callback` must be forwarded too."""
    events = {name for name in vars(plx.Callback) if name.startswith("on_")}
    assert events - {"on_steps"} == {name for name in vars(Observers) if name.startswith("on_")}
    assert events - {"on_steps"} == set(EVENTS)
