"""Training and evaluation alternate, exports follow, and callbacks see it all."""

import json
import math
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tests.core.small_estimators import classify, feed, make_estimator

import plx_core as plx
from plx_core.callbacks.keras_adapter import as_callbacks
from plx_core.callbacks.standard import (
    EarlyStopping,
    FinalOps,
    GlobalStepWaiter,
    NanGuard,
    Profiler,
    StepCounter,
    StopAfterNEvals,
    StopAtStep,
)
from plx_core.config.sections import WarmStartConfig
from plx_core.errors import CheckpointError, ComponentError, NonFiniteLoss
from plx_core.runs.checkpoints import load
from plx_core.runs.exporters import BestExporter, FinalExporter, LatestExporter


def make_experiment(path, data, model_fn=None, run=None, **params):
    params = {"train_steps": 12, "eval_every_n_steps": 4, **params}
    return plx.Experiment(
        estimator=make_estimator(path, model_fn, **(run or {})),
        train_input_fn=feed(data),
        eval_input_fn=feed(data, num_epochs=1, shuffle=False),
        **params,
    )


def evaluated(experiment, split="eval"):
    return [
        line["step"]
        for line in experiment.estimator.run_directory.read_metrics()
        if line["split"] == split
    ]


def exported(experiment, name):
    return sorted(
        int(path.name) for path in (experiment.estimator.model_dir / "export" / name).glob("[0-9]*")
    )


def test_evaluation_at_each_multiple_and_at_the_end(tmp_path, blobs):
    experiment = make_experiment(tmp_path, blobs, train_steps=10)
    metrics, exports = experiment.train_and_evaluate()
    assert evaluated(experiment) == [4, 8, 10]
    assert metrics["global_step"] == 10
    assert exports == []


@pytest.mark.parametrize(
    ("every", "checkpoints", "steps"),
    [
        (1, {"save_checkpoints_steps": 5}, [5, 10, 12]),
        (3, {"save_checkpoints_steps": 5}, [5, 10, 12]),
        (7, {"save_checkpoints_steps": 5}, [10, 12]),
        (4, {"save_checkpoints_steps": 2}, [4, 8, 12]),
        (1, {"save_checkpoints_secs": 1e-9, "log_step_count_steps": 3}, [3, 6, 9, 12]),
        (1, {}, [12]),
        (4, {}, [4, 8, 12]),
        (None, {"save_checkpoints_steps": 5}, [12]),
        (0, {"save_checkpoints_steps": 5}, [12]),
    ],
)
def test_new_checkpoints_are_evaluated(tmp_path, blobs, every, checkpoints, steps):
    experiment = make_experiment(tmp_path, blobs, eval_every_n_steps=every, run=checkpoints)
    experiment.train_and_evaluate()
    assert evaluated(experiment) == steps


def test_the_end_of_the_data_at_a_checkpoint_is_the_last_evaluation(tmp_path, blobs):
    experiment = make_experiment(
        tmp_path,
        blobs,
        train_steps=None,
        eval_every_n_steps=1,
        run={"save_checkpoints_steps": 6},
        train_callbacks=[epochs := Epochs(stop_at=None)],
        export_strategies=[FinalExporter()],
    )
    experiment.train_input_fn = feed(blobs, num_epochs=2)
    _, exports = experiment.train_and_evaluate()
    assert evaluated(experiment) == [6, 12]
    assert [epoch for epoch, _ in epochs.seen] == [0, 1]
    assert [path.name for path in exports] == ["000000012"]


def test_turns_of_training_and_evaluation(tmp_path, blobs):
    experiment = make_experiment(
        tmp_path, blobs, train_steps_per_iteration=5, export_strategies=[LatestExporter()]
    )
    metrics, exports = experiment.continuous_train_and_evaluate()
    assert evaluated(experiment) == [5, 10, 12]
    assert metrics["global_step"] == 12
    assert [path.name for path in exports] == ["000000012"]


def test_a_predicate_ends_the_turns(tmp_path, blobs):
    seen = []

    def goes_on(metrics):
        seen.append(metrics and metrics["global_step"])
        return metrics is None or metrics["global_step"] < 8

    experiment = make_experiment(
        tmp_path,
        blobs,
        train_steps=None,
        train_steps_per_iteration=4,
        export_strategies=[FinalExporter()],
    )
    _, exports = experiment.continuous_train_and_evaluate(goes_on)
    assert seen == [None, 4, 8]
    assert evaluated(experiment) == [4, 8]
    assert [path.name for path in exports] == ["000000008"]
    assert experiment.continuous_train_and_evaluate(lambda metrics: False) == ({}, [])
    for method in ("continuous_train_and_evaluate", "continuous_eval"):
        with pytest.raises(ValueError, match="'never' cannot be called"):
            getattr(experiment, method)(continuous_eval_predicate_fn="never")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"estimator": "lenet"}, "estimator takes a plx_core.Estimator, and got str"),
        ({"export_strategies": 3}, "takes an Exporter or a list of them, and got int"),
    ],
)
def test_what_is_no_estimator_or_exporter_is_a_value_error(tmp_path, params, message):
    params = {"estimator": make_estimator(tmp_path), **params}
    with pytest.raises(ValueError, match=message):
        plx.Experiment(**params)


def test_evaluation_once_at_the_end_of_the_data(tmp_path, blobs):
    experiment = make_experiment(tmp_path, blobs, train_steps=None, eval_every_n_steps=None)
    experiment.train_input_fn = feed(blobs, num_epochs=2)
    experiment.train_and_evaluate()
    assert evaluated(experiment) == [12]  # 96 examples twice, 16 at a time


def test_the_same_again_evaluates_and_exports_nothing_twice(tmp_path, blobs):
    make_experiment(tmp_path, blobs, export_strategies=[LatestExporter()]).train_and_evaluate()
    again = make_experiment(tmp_path, blobs, export_strategies=[LatestExporter()])
    written = {path: path.stat().st_mtime_ns for path in tmp_path.glob("export/latest/*")}
    again.train_and_evaluate()
    assert evaluated(again) == [4, 8, 12]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("export/latest/*")} == written


def test_a_crash_between_checkpoint_evaluation_and_export_loses_nothing(tmp_path, blobs):
    experiment = make_experiment(tmp_path, blobs)
    experiment.estimator.train(
        experiment.train_input_fn, max_steps=4
    )  # killed before the evaluation
    again = make_experiment(tmp_path, blobs, train_steps=8)
    again.train_and_evaluate()  # killed before the export
    assert evaluated(again) == [4, 8]
    last = make_experiment(tmp_path, blobs, export_strategies=[LatestExporter()])
    last.train_and_evaluate()
    assert evaluated(last) == [4, 8, 12]
    assert exported(last, "latest") == [8, 12]


def test_test_does_one_step_of_everything(tmp_path, blobs):
    experiment = make_experiment(tmp_path, blobs, export_strategies=[FinalExporter()])
    metrics = experiment.test()
    assert metrics["global_step"] == 1
    assert exported(experiment, "final") == [1]


def test_strategies_and_hooks_can_be_changed(tmp_path, blobs):
    first = LatestExporter()
    experiment = make_experiment(tmp_path, blobs, export_strategies=first)
    assert experiment.reset_export_strategies([BestExporter()]) == [first]
    experiment.extend_train_hooks([StopAtStep(last_step=5)])
    experiment.extend_eval_hooks([{"StopAfterNEvals": {"num_evals": 3}}])
    experiment.train_and_evaluate()
    assert evaluated(experiment) == [4, 5]
    assert isinstance(experiment.eval_callbacks[0], StopAfterNEvals)


def test_continuous_eval_sees_each_checkpoint_once(tmp_path, blobs):
    make_experiment(tmp_path, blobs, run={"save_checkpoints_steps": 3}).train()
    watcher = make_experiment(tmp_path, blobs, continuous_eval_throttle_secs=0.0, eval_steps=3)
    assert watcher.continuous_eval(delay_secs=0.0)["global_step"] == 12
    assert evaluated(watcher) == [3, 6, 9, 12]
    metrics = watcher.continuous_eval_on_train_data(
        throttle_delay_secs=0.0,
        continuous_eval_predicate_fn=lambda metrics: not metrics or metrics["global_step"] < 6,
    )
    assert metrics["global_step"] == 6
    assert evaluated(watcher, "eval_train") == [3, 6]


WRITER = """
import sys
sys.path.insert(0, {root!r})
import numpy as np
from tests.core.small_estimators import feed, make_estimator
rng = np.random.default_rng(3)
labels = np.arange(96) % 2
data = ((rng.normal(size=(96, 4)) + labels[:, None] * 1.5).astype("float32"), labels)
make_estimator({path!r}, save_checkpoints_steps=2, keep_checkpoint_max=None).train(feed(data), max_steps=100)
"""


@pytest.mark.slow
def test_another_process_evaluates_a_live_run(tmp_path, blobs):
    program = WRITER.format(root=str(Path(__file__).resolve().parents[3]), path=str(tmp_path))
    writer = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)
    watcher = make_experiment(tmp_path, blobs, train_steps=100, continuous_eval_throttle_secs=0.0)
    watcher.continuous_eval()
    assert writer.wait(60) == 0, writer.stderr.read()
    writer.stderr.close()
    assert evaluated(watcher) == list(
        range(2, 101, 2)
    )  # 50 checkpoints, each once, none half-written


def test_the_best_exporter_keeps_the_best(tmp_path, blobs):
    values = {4: 0.5, 8: 0.2, 12: 0.3, 16: 0.1}
    experiment = make_experiment(tmp_path, blobs)
    best, latest = BestExporter(exports_to_keep=1), LatestExporter(exports_to_keep=2)
    for step, value in values.items():
        experiment.estimator.train(experiment.train_input_fn, max_steps=step)
        for exporter in (best, latest):
            exporter.export(
                experiment.estimator,
                experiment.eval_input_fn,
                step,
                {"loss": value},
                is_final=False,
            )
        if step == 12:
            assert exported(experiment, "best") == [8]
    assert exported(experiment, "best") == [16]
    assert exported(experiment, "latest") == [12, 16]
    with pytest.raises(ComponentError, match="there is no metric called los; did you mean loss"):
        BestExporter(metric="los", higher_is_better=False).export(
            experiment.estimator, experiment.eval_input_fn, 16, {"loss": 1.0}, is_final=False
        )


def test_a_saved_model_takes_features_as_they_lie_in_the_data(tmp_path, blobs):
    from plx_core.data.arrays import ArrayPipeline

    x, y = blobs
    processors = {
        "x": {"input_layers": "x", "layers": [{"Rescaling": {"scale": 0.5, "offset": 1.0}}]}
    }

    def input_fn(mode, seed):
        processed = {name: plx.Graph(**graph) for name, graph in processors.items()}
        return ArrayPipeline(
            {"x": x},
            y,
            16,
            num_epochs=1,
            shuffle=False,
            feature_processors=processed,
            mode=mode,
            seed=seed,
        )

    estimator = make_estimator(tmp_path / "run").train(input_fn, max_steps=3)
    predictions = np.stack([row["logits"] for row in estimator.predict(input_fn)])
    loaded = tf.saved_model.load(str(estimator.export(tmp_path / "saved", input_fn)))
    served = loaded.signatures["serving_default"](x=tf.constant(x))
    np.testing.assert_allclose(served["logits"], predictions, rtol=1e-5, atol=1e-6)
    assert set(served) == {"logits", "probabilities", "classes"}
    network = keras.models.load_model(
        estimator.export(tmp_path / "keras", input_fn, format="keras") / "model.keras"
    )
    np.testing.assert_allclose(network({"x": x}), predictions, rtol=1e-5, atol=1e-6)


def test_early_stopping_counts_evaluations_over_restarts(tmp_path):
    def see(hook, values):
        for value in values:
            hook.on_evaluate(None, 0, {"loss": value})
        return hook

    hook = see(EarlyStopping(patience=2, min_delta=0.1), [1.0, 0.5, 0.45])
    assert not hook.stop_training
    again = EarlyStopping(patience=2, min_delta=0.1)
    again.restore(json.loads(json.dumps(hook.state())))
    assert see(again, [0.46]).stop_training
    best = see(EarlyStopping(metric="loss", higher_is_better=True, patience=0), [0.1, 0.2])
    assert not best.stop_training
    assert see(best, [0.15]).stop_training


@pytest.mark.parametrize("patience", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "losses", [[5, 3, 4, 4, 4, 4], [3, math.nan, 2, 2, 1, 5, 5, 5, 5], [1] * 6]
)
def test_patience_means_what_it_means_to_keras(patience, losses):
    """Both stop after the same evaluation, but for a first loss that is not finite."""

    def stopped_at(tell, has_stopped):
        for number, loss in enumerate(losses):
            tell(number, loss)
            if has_stopped():
                return number
        return None

    theirs = keras.callbacks.EarlyStopping(monitor="loss", patience=patience, mode="min")
    model = keras.Sequential()
    theirs.set_model(model)
    theirs.on_train_begin()
    ours = EarlyStopping(patience=patience)
    assert stopped_at(
        lambda number, loss: ours.on_evaluate(None, number, {"loss": loss}),
        lambda: ours.stop_training,
    ) == stopped_at(
        lambda number, loss: theirs.on_epoch_end(number, {"loss": loss}),
        lambda: getattr(model, "stop_training", False),
    )


def test_a_first_loss_that_is_not_a_number_is_not_the_best():
    hook = EarlyStopping(patience=2)
    for loss in (math.nan, 0.5, 0.4, 0.3):
        hook.on_evaluate(None, 0, {"loss": loss})
    assert not hook.stop_training


def test_the_rate_falls_on_a_plateau(tmp_path, blobs):
    experiment = make_experiment(
        tmp_path,
        blobs,
        train_callbacks=[{"ReduceLROnPlateau": {"factor": 0.5, "patience": 0, "min_delta": 100.0}}],
    )
    experiment.train_and_evaluate()
    assert experiment.estimator.learning_rate == pytest.approx(
        0.01 / 4
    )  # the first evaluation is the best, the two after it are not


def test_early_stopping_ends_a_run(tmp_path, blobs):
    experiment = make_experiment(
        tmp_path,
        blobs,
        train_steps=40,
        train_callbacks=[EarlyStopping(patience=0, min_delta=100.0)],
    )
    experiment.train_and_evaluate()
    assert evaluated(experiment) == [4, 8]
    again = make_experiment(
        tmp_path,
        blobs,
        train_steps=40,
        train_callbacks=[EarlyStopping(patience=0, min_delta=100.0)],
    )
    again.train_and_evaluate()
    assert evaluated(again) == [4, 8]


def test_hooks_of_2017(tmp_path, blobs):
    seen = []
    ops = FinalOps(lambda run, step: seen.append(step) or step * 2)
    estimator = make_estimator(tmp_path)
    estimator.train(
        feed(blobs),
        max_steps=20,
        callbacks=[
            StopAtStep(num_steps=7),
            StepCounter(3),
            {"StepCheckpointSaverHook": {"save_steps": 5}},
            ops,
        ],
    )
    assert estimator.global_step == 7
    assert [path.name for path in estimator.checkpoints.paths()] == ["000000005", "000000007"]
    assert (seen, ops.result) == ([7], 14)
    rates = [line for line in estimator.run_directory.read_metrics() if line["split"] == "rate"]
    assert [line["step"] for line in rates] == [6]
    with pytest.raises(ValueError, match="takes either"):
        StopAtStep()


def test_a_guard_watches_any_metric():
    guard = NanGuard("accuracy")
    guard.on_steps(None, 1, {"accuracy": 1.0})
    with pytest.raises(NonFiniteLoss, match="accuracy is nan at step 2"):
        guard.on_steps(None, 2, {"accuracy": math.nan})
    gentle = NanGuard("accuracy", fail=False)
    gentle.on_steps(None, 2, {"accuracy": math.inf})
    assert gentle.stop_training


def test_a_waiter_waits_for_another_run(tmp_path, blobs):
    other = make_estimator(tmp_path / "other").train(feed(blobs), max_steps=5)
    waiter = GlobalStepWaiter(5, run_dir=str(other.model_dir), poll_secs=0.01)
    assert (
        make_estimator(tmp_path / "run")
        .train(feed(blobs), max_steps=1, callbacks=[waiter])
        .global_step
        == 1
    )


def test_the_profiler_leaves_a_trace(tmp_path, blobs):
    make_estimator(tmp_path).train(
        feed(blobs), max_steps=12, callbacks=[Profiler(start_step=4, num_steps=4)]
    )
    assert list(tmp_path.glob("profile/**/*.xplane.pb"))


class Epochs(keras.callbacks.Callback):
    def __init__(self, stop_at=1):
        super().__init__()
        self.seen, self.best, self.stop_at = [], 0.0, stop_at

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, round(logs["val_loss"], 6)))
        self.best = logs["loss"]
        if epoch == self.stop_at:
            self.model.stop_training = True


class Batches(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None): ...


def test_a_keras_callback_takes_an_evaluation_for_an_epoch(tmp_path, blobs):
    epochs = Epochs()
    experiment = make_experiment(tmp_path, blobs, train_steps=40, train_callbacks=[epochs])
    experiment.train_and_evaluate()
    assert [epoch for epoch, _ in epochs.seen] == [0, 1]
    assert evaluated(experiment) == [4, 8]


def test_keras_s_early_stopping_counts_over_evaluations_and_restarts(tmp_path, blobs):
    def stopping():
        return keras.callbacks.EarlyStopping(monitor="loss", patience=3, min_delta=100.0)

    make_experiment(tmp_path, blobs, train_callbacks=[stopping()]).train_and_evaluate()
    for _ in range(2):
        again = make_experiment(tmp_path, blobs, train_steps=40, train_callbacks=[stopping()])
        again.train_and_evaluate()
        assert evaluated(again) == [4, 8, 12, 16]


@pytest.mark.parametrize(
    "callback",
    [
        Batches(),
        keras.callbacks.EarlyStopping(restore_best_weights=True),
        keras.callbacks.BackupAndRestore("x"),
        keras.callbacks.ModelCheckpoint("x.keras"),
        keras.callbacks.SwapEMAWeights(),
        object(),
    ],
)
def test_callbacks_that_cannot_work_are_refused_with_a_reason(callback):
    with pytest.raises(
        ComponentError,
        match=r"single batches|not needed|best checkpoint the result|expected a plx_core.Callback",
    ):
        as_callbacks([callback])


def test_warm_start_takes_the_weights_that_are_named(tmp_path, blobs):
    first = make_estimator(tmp_path / "first").train(feed(blobs), max_steps=9)
    source = WarmStartConfig(path=str(first.model_dir), variables="dense/.*")
    second = plx.Estimator(classify(), tmp_path / "second", warm_start_from=source)
    fresh = make_estimator(tmp_path / "fresh", seed=0)
    for estimator in (second, fresh):
        estimator.train(feed(blobs), steps=1, callbacks=[StopAtStep(last_step=1)])
    learnt, begun, drawn = (
        load(estimator.latest_checkpoint())["program"]["variables"]
        for estimator in (first, second, fresh)
    )
    assert (
        np.abs(begun["dense/kernel"] - learnt["dense/kernel"]).max() < 0.02
    )  # one step of Adam away
    assert np.abs(begun["dense_1/kernel"] - drawn["dense_1/kernel"]).max() < 0.02
    with pytest.raises(CheckpointError, match="no variable matches nothing"):
        plx.Estimator(
            classify(),
            tmp_path / "third",
            warm_start_from=WarmStartConfig(path=str(first.model_dir), variables="nothing"),
        ).train(feed(blobs), 1)
