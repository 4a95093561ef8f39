"""A run that was stopped, at any step and in any way, ends with the weights of one that was not."""

import pytest
from tests.core.small_estimators import feed, fingerprint, make_estimator

import plx_core as plx
from plx_core.data.arrays import ArrayPipeline
from plx_core.runs.checkpoints import Checkpoints, load

STEPS = 24


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, blobs):
    estimator = make_estimator(tmp_path_factory.mktemp("whole") / "run", log_step_count_steps=5)
    return fingerprint(
        estimator.train(feed(blobs), max_steps=STEPS)
    ), estimator.run_directory.read_metrics()


def only_metrics(lines):
    return [(line["step"], line["split"], line["metrics"]) for line in lines]


@pytest.mark.parametrize(
    "stop", [1, 6, 7, 13, 23]
)  # 6 batches are an epoch; 23 lies between two logs
def test_another_process_goes_on_bit_for_bit(tmp_path, blobs, uninterrupted, stop):
    make_estimator(tmp_path, log_step_count_steps=5).train(feed(blobs), max_steps=stop)
    again = make_estimator(tmp_path, log_step_count_steps=5)
    again.train(feed(blobs), max_steps=STEPS)
    assert fingerprint(again) == uninterrupted[0]


def test_many_stops_are_as_good_as_none(tmp_path, blobs, uninterrupted):
    for goal in (3, 4, 11, 12, STEPS):
        make_estimator(tmp_path).train(feed(blobs), max_steps=goal)
    state = load(Checkpoints(tmp_path / "checkpoints").latest())
    assert (state["global_step"], state["input"]["batch"]) == (STEPS, STEPS)
    assert fingerprint(make_estimator(tmp_path))[:2] == uninterrupted[0][:2]


def test_metrics_after_a_crash_are_those_of_a_run_without_one(tmp_path, blobs, uninterrupted):
    class Crash(plx.Callback):
        every_n_steps = 17

        def on_steps(self, run, step, metrics):
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError):
        make_estimator(tmp_path, log_step_count_steps=5, save_checkpoints_steps=10).train(
            feed(blobs), max_steps=STEPS, callbacks=[Crash()]
        )
    again = make_estimator(tmp_path, log_step_count_steps=5, save_checkpoints_steps=10)
    assert [line["step"] for line in again.run_directory.read_metrics()] == [5, 10, 15]
    again.train(feed(blobs), max_steps=STEPS)
    assert only_metrics(again.run_directory.read_metrics()) == only_metrics(uninterrupted[1])
    assert fingerprint(again) == uninterrupted[0]


def test_random_layers_of_a_pipeline_resume_too(tmp_path, blobs):
    processors = {
        "x": {
            "input_layers": ["x"],
            "layers": [{"GaussianNoise": {"stddev": 0.5}}, {"Dropout": {"rate": 0.4}}],
        }
    }

    def input_fn(mode, seed):
        return ArrayPipeline(
            {"x": blobs[0]}, blobs[1], 16, mode=mode, seed=seed, feature_processors=processors
        )

    whole = make_estimator(tmp_path / "whole").train(input_fn, max_steps=9)
    for goal in (4, 9):
        parts = make_estimator(tmp_path / "parts").train(input_fn, max_steps=goal)
    assert fingerprint(parts) == fingerprint(whole)


def test_a_run_that_evaluates_in_between_learns_the_same(tmp_path, blobs, uninterrupted):
    experiment = plx.Experiment(
        estimator=make_estimator(tmp_path),
        train_input_fn=feed(blobs),
        eval_input_fn=feed(blobs, num_epochs=1),
        train_steps=STEPS,
        eval_every_n_steps=5,
    )
    experiment.train_and_evaluate()
    weights, optimizer = (
        load(experiment.estimator.latest_checkpoint())["program"][name]
        for name in ("variables", "optimizer")
    )
    whole = make_estimator(tmp_path / "whole").train(feed(blobs), max_steps=STEPS)
    program = load(whole.latest_checkpoint())["program"]
    for found, expected in ((weights, program["variables"]), (optimizer, program["optimizer"])):
        assert {name: value.tobytes() for name, value in found.items()} == {
            name: value.tobytes() for name, value in expected.items()
        }
    assert [line["step"] for line in experiment.estimator.run_directory.read_metrics()] == [
        5,
        10,
        15,
        20,
        24,
    ]


def test_other_data_in_the_same_process_starts_at_its_beginning(tmp_path, blobs):
    estimator = make_estimator(tmp_path)
    estimator.train(feed(blobs), steps=4)
    estimator.train(feed(blobs, seed=99), steps=2)
    assert fingerprint(estimator)[:2] == (6, 2)
