"""The check of models: a few steps of a run, predictions, and the same run stopped and resumed."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from plx_core.components.component import make, parameter_names
from plx_core.config.sections import RunConfig
from plx_core.data.arrays import ArrayPipeline
from plx_core.models.spec import EstimatorSpec
from plx_core.reinforcement.agent import Agent
from plx_core.reinforcement.agent_spec import AgentSpec
from plx_core.supervised.estimator import Estimator
from plx_core.testing.failures import CannotTry, CheckFailed, expecting, require
from plx_core.testing.making import Part, no_global_randomness, own_settings, part_of, same

EXAMPLES, BATCH, STEPS = 16, 8, 4
TIMESTEPS, AGENT_BATCH = 96, 16
QUIET = RunConfig(save_summary_steps=None, log_step_count_steps=None)


def check_model(
    model: Any,
    params: Mapping[str, Any] | None = None,
    *,
    features: Mapping[str, Any] | None = None,
    labels: Any = None,
    env: Any = None,
) -> None:
    """Check a model by running it: training, evaluation, predictions, and that a run resumes exactly.

    A model that takes a graph and is given none gets one of two small layers.

    Args:
        model: a class, a function that makes one, or a name.
        params: its parameters.
        features: arrays by name, one row an example; random numbers of eight columns when left out.
        labels: an array, or arrays by name; indices of three classes, then numbers, are tried when left out.
        env: the environment in which an agent's model is run; needed for such a model.

    Raises:
        CheckFailed: at the first thing that is wrong.
    """
    part = part_of("models", model, params)
    with own_settings():
        if env is not None:
            _check_agent(part, env)
            return
        features = (
            {"x": np.random.default_rng(1).normal(size=(EXAMPLES, 8)).astype("float32")}
            if features is None
            else dict(features)
        )
        _check_estimator(
            part, {name: np.asarray(value) for name, value in features.items()}, labels
        )


def _check_estimator(part: Part, features: dict[str, np.ndarray], labels: Any) -> None:
    count = len(next(iter(features.values())))
    numbers = np.linspace(-1, 1, count, dtype="float32")[:, None]
    kinds = [(labels, 1)] if labels is not None else [(np.arange(count) % 3, 3), (numbers, 1)]
    failures = []
    for given, units in kinds:
        model_fn = _model_fn(part, units)
        with tempfile.TemporaryDirectory() as folder:
            try:
                _train(part.about, model_fn, Path(folder), features, given, STEPS)
            except CheckFailed as failed:
                failures.append(failed)
                continue
        _check_runs(part.about, model_fn, features, given)
        return
    if labels is None:
        needs = "give features and labels, or env for an agent's model"
        raise CannotTry(
            f"{part.about} could not be trained on made-up labels; {needs}. {failures[0].came}"
        )
    raise failures[0]


def _model_fn(part: Part, units: int) -> Callable[..., EstimatorSpec]:
    """A model function for the part, with a graph of its own where it takes one and was given none."""
    names = parameter_names(part.factory)
    has_graph = {"graph", "graph_fn"} & part.component.params.keys()
    chosen = (
        part.varied(graph_fn=_graph_fn(units)) if "graph_fn" in names and not has_graph else part
    )

    def model_fn(features: Any, labels: Any, mode: str) -> EstimatorSpec:
        spec: EstimatorSpec = chosen.build(mode=mode)(features, labels)
        return spec

    return model_fn


def _graph_fn(units: int) -> Callable[[str, Any], Any]:
    def graph_fn(mode: str, features: Any) -> Any:
        parts = (
            [keras.layers.Flatten()(feature) for feature in features.values()]
            if isinstance(features, Mapping)
            else [features]
        )
        hidden = parts[0] if len(parts) == 1 else keras.layers.Concatenate()(parts)
        return keras.layers.Dense(units, name="outputs")(
            keras.layers.Dense(8, activation="tanh", name="hidden")(hidden)
        )

    return graph_fn


def _train(
    about: str, model_fn: Any, folder: Path, features: Any, labels: Any, steps: int
) -> Estimator:
    estimator = Estimator(model_fn, folder, QUIET, trackers=[])
    with expecting(
        about,
        f"trained it to step {steps}",
        "a checkpoint",
        "mend the specification that __call__ returns",
    ):
        return estimator.train(
            ArrayPipeline(features, labels, BATCH, shuffle=True, seed=1), max_steps=steps
        )


def _check_runs(about: str, model_fn: Any, features: Any, labels: Any) -> None:
    pipeline = ArrayPipeline(features, labels, BATCH, num_epochs=1)
    with tempfile.TemporaryDirectory() as folder:
        whole = _train(about, model_fn, Path(folder, "whole"), features, labels, STEPS)
        with expecting(
            about,
            "evaluated it",
            "metrics",
            "let loss_fn and update_metrics take what the pipeline yields",
        ):
            metrics = whole.evaluate(pipeline)
        wrong = {
            name: value
            for name, value in metrics.items()
            if name == "loss" and not math.isfinite(value)
        }
        require(
            not wrong,
            about,
            "evaluated it",
            wrong,
            "a finite loss",
            "keep logarithms and divisions away from 0",
        )
        with expecting(
            about,
            "predicted",
            "a mapping for each example",
            "let predict_fn return tensors by name, a row an example",
        ):
            rows = list(whole.predict(pipeline))
        require(
            len(rows) == len(next(iter(features.values()))) and rows[0],
            about,
            "predicted",
            f"{len(rows)} predictions",
            "one for each example",
            "let predict_fn return tensors by name, a row an example",
        )
        _train(about, model_fn, Path(folder, "parts"), features, labels, STEPS // 2)
        resumed = _train(about, model_fn, Path(folder, "parts"), features, labels, STEPS)
        _require_same_weights(about, whole, resumed)


def _check_agent(part: Part, env: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = _train_agent(part, env, Path(folder, "whole"), TIMESTEPS)
        require(
            whole.global_step > 0,
            part.about,
            f"trained it for {TIMESTEPS} actions",
            "no update",
            "updates",
            "let the specification's learner make an update of each batch",
        )
        with expecting(
            part.about,
            "evaluated it",
            "the return of an episode",
            "let the policy's greedy() give an action for each environment",
        ):
            found = whole.evaluate(env, episodes=1)
        require(
            math.isfinite(found["episode_return"]),
            part.about,
            "evaluated it",
            found,
            "a finite return",
            "look at the environment",
        )
        _check_greedy(part.about, whole, env)
        _train_agent(part, env, Path(folder, "parts"), TIMESTEPS // 2)
        _require_same_weights(
            part.about, whole, _train_agent(part, env, Path(folder, "parts"), TIMESTEPS)
        )


def _train_agent(part: Part, env: Any, folder: Path, timesteps: int) -> Agent:
    agent = Agent(_model_fn(part, 8), None, folder, QUIET, trackers=[])
    with expecting(
        part.about,
        f"trained it to {timesteps} actions",
        "a checkpoint",
        "mend the specification that __call__ returns",
    ):
        made = make("environments", env, seed=1, mode="train")
        try:
            spec = agent.build("train", made)
            require(
                isinstance(spec, AgentSpec),
                part.about,
                "called it with an environment's spaces",
                type(spec).__name__,
                "an AgentSpec",
                "give no env to the check of a model for supervised learning",
            )
            agent = Agent(
                _model_fn(part, 8),
                {spec.memory: {"batch_size": AGENT_BATCH}},
                folder,
                QUIET,
                trackers=[],
            )
            return agent.train(
                made, first_update=AGENT_BATCH, update_frequency=8, max_timesteps=timesteps
            )
        finally:
            made.close()


def _check_greedy(about: str, agent: Agent, env: Any) -> None:
    made, policy = agent.restored(env)
    try:
        observations = made.reset(seed=3)
        did = "asked its policy for the greedy actions twice"
        with no_global_randomness(about, did):
            first, second = (
                np.array(policy.greedy(observations, made.action_masks)) for _ in range(2)
            )
        require(
            same(first, second),
            about,
            did,
            f"{first} and {second}",
            "the same actions",
            "explore in act(), never in greedy()",
        )
    finally:
        made.close()


def _require_same_weights(about: str, whole: Any, resumed: Any) -> None:
    different = [
        name
        for name in whole.get_variable_names()
        if not same(whole.get_variable_value(name), resumed.get_variable_value(name))
    ]
    require(
        not different,
        about,
        "trained it in one go, and in two with a new process's objects for the second",
        f"other weights in {', '.join(different[:5])}",
        "the same weights, to the bit",
        "keep all that changes in variables, or in state(), and draw at random from seeds alone",
    )
