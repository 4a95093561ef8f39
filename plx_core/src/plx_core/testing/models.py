"""The check of models: a short run, predictions, and the same run stopped and resumed."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np

from plx_core.annotations import EnvironmentLike, ModelLike
from plx_core.components.component import make, parameter_names
from plx_core.config.sections import RunConfig
from plx_core.data.arrays import ArrayPipeline
from plx_core.engine.trainer import Trainer
from plx_core.models.spec import EstimatorSpec
from plx_core.reinforcement.agent import Agent
from plx_core.reinforcement.agent_spec import AgentSpec
from plx_core.supervised.estimator import Estimator
from plx_core.testing.failures import CannotTry, CheckFailed, expecting, require
from plx_core.testing.isolation import no_global_randomness, own_settings
from plx_core.testing.keras_objects import AVOID_ZERO
from plx_core.testing.part import Params, Part, part_of
from plx_core.testing.values import same
from plx_core.types import Array, Features, Labels, Tensor

EXAMPLES = 16
BATCH = 8
STEPS = 4
TIMESTEPS = 96
AGENT_BATCH = 16
UPDATE_FREQUENCY = 8
CONFIG = RunConfig(save_summary_steps=None, log_step_count_steps=None)
PREDICT_REMEDY = "return tensors by name from predict_fn, with one row for each example"


def check_model(
    model: ModelLike,
    params: Params | None = None,
    *,
    features: Features | None = None,
    labels: Labels = None,
    env: EnvironmentLike | None = None,
) -> None:
    """Check a model in short runs: training, evaluation, predictions, and an exact resume.

    A model that takes a graph and was given none gets one of two dense layers.

    Args:
        model: a class, a function that returns one, or a name.
        params: its parameters.
        features: arrays by name with one row for each example; random numbers in eight columns by
            default.
        labels: an array, or arrays by name; three classes, then numbers, are tried by default.
        env: the environment to run an agent's model in; required for such a model.

    Raises:
        CheckFailed: at the first failure.
    """
    part = part_of("models", model, params)
    with own_settings():
        if env is not None:
            _check_agent(part, env)
            return
        if features is None:
            features = {"x": np.random.default_rng(1).normal(size=(EXAMPLES, 8)).astype("float32")}
        arrays = {name: np.asarray(value) for name, value in features.items()}
        _check_estimator(part, arrays, labels)


def _check_estimator(part: Part, features: dict[str, Array], labels: Labels) -> None:
    count = len(next(iter(features.values())))
    numbers = np.linspace(-1, 1, count, dtype="float32")[:, None]
    choices = [(labels, 1)] if labels is not None else [(np.arange(count) % 3, 3), (numbers, 1)]
    failures = []
    for choice, units in choices:
        model_fn = _model_fn(part, units)
        with tempfile.TemporaryDirectory() as folder:
            try:
                _train(part.about, model_fn, Path(folder), features, choice, STEPS)
            except CheckFailed as failure:
                failures.append(failure)
                continue
        _check_runs(part.about, model_fn, features, choice)
        return
    if labels is not None:
        raise failures[0]
    raise CannotTry(
        f"{part.about} could not be trained on the check's own labels; give features and labels, "
        f"or env for an agent's model. {failures[0].came}"
    )


def _model_fn(part: Part, units: int) -> Callable[..., EstimatorSpec]:
    """Return a model function for the part, with a graph if it takes one and was given none."""
    has_graph = {"graph", "graph_fn"} & part.component.params.keys()
    if "graph_fn" in parameter_names(part.factory) and not has_graph:
        part = part.varied(graph_fn=_graph_fn(units))

    def model_fn(features: Features, labels: Labels, mode: str) -> EstimatorSpec:
        spec: EstimatorSpec = part.build(mode=mode)(features, labels)
        return spec

    return model_fn


def _graph_fn(units: int) -> Callable[[str, Features | Tensor], Tensor]:
    def graph_fn(mode: str, features: Features | Tensor) -> Tensor:
        if isinstance(features, Mapping):
            inputs = [keras.layers.Flatten()(feature) for feature in features.values()]
        else:
            inputs = [features]
        joined = inputs[0] if len(inputs) == 1 else keras.layers.Concatenate()(inputs)
        hidden = keras.layers.Dense(8, activation="tanh", name="hidden")(joined)
        return keras.layers.Dense(units, name="outputs")(hidden)

    return graph_fn


def _train(
    about: str,
    model_fn: Callable[..., EstimatorSpec],
    folder: Path,
    features: dict[str, Array],
    labels: Labels,
    steps: int,
) -> Estimator:
    estimator = Estimator(model_fn, folder, CONFIG, trackers=[])
    pipeline = ArrayPipeline(features, labels, BATCH, shuffle=True, seed=1)
    with expecting(
        about,
        f"trained it to step {steps}",
        "a checkpoint",
        "fix the specification that __call__ returns",
    ):
        return estimator.train(pipeline, max_steps=steps)


def _check_runs(
    about: str,
    model_fn: Callable[..., EstimatorSpec],
    features: dict[str, Array],
    labels: Labels,
) -> None:
    pipeline = ArrayPipeline(features, labels, BATCH, num_epochs=1)
    with tempfile.TemporaryDirectory() as folder:
        whole = _train(about, model_fn, Path(folder, "whole"), features, labels, STEPS)
        with expecting(
            about,
            "evaluated it",
            "metrics",
            "accept in loss_fn and update_metrics what the pipeline yields",
        ):
            metrics = whole.evaluate(pipeline)
        require(
            math.isfinite(metrics.get("loss", 0.0)),
            about,
            "evaluated it",
            f"a loss of {metrics.get('loss')}",
            "a finite loss",
            AVOID_ZERO,
        )
        with expecting(about, "predicted", "a mapping for each example", PREDICT_REMEDY):
            rows = list(whole.predict(pipeline))
        require(
            len(rows) == len(next(iter(features.values()))) and rows[0],
            about,
            "predicted",
            f"{len(rows)} predictions",
            "one for each example",
            PREDICT_REMEDY,
        )
        _train(about, model_fn, Path(folder, "parts"), features, labels, STEPS // 2)
        resumed = _train(about, model_fn, Path(folder, "parts"), features, labels, STEPS)
        _require_same_weights(about, whole, resumed)


def _check_agent(part: Part, env: EnvironmentLike) -> None:
    with tempfile.TemporaryDirectory() as folder:
        whole = _train_agent(part, env, Path(folder, "whole"), TIMESTEPS)
        require(
            whole.global_step > 0,
            part.about,
            f"trained it for {TIMESTEPS} actions",
            "no update",
            "updates",
            "update the weights with each batch in the specification's learner",
        )
        with expecting(
            part.about,
            "evaluated it",
            "the return of an episode",
            "return an action for each environment from the policy's greedy()",
        ):
            metrics = whole.evaluate(env, episodes=1)
        require(
            math.isfinite(metrics["episode_return"]),
            part.about,
            "evaluated it",
            metrics,
            "a finite return",
            "check the environment",
        )
        _check_greedy(part.about, whole, env)
        _train_agent(part, env, Path(folder, "parts"), TIMESTEPS // 2)
        resumed = _train_agent(part, env, Path(folder, "parts"), TIMESTEPS)
        _require_same_weights(part.about, whole, resumed)


def _train_agent(part: Part, env: EnvironmentLike, folder: Path, timesteps: int) -> Agent:
    model_fn = _model_fn(part, 8)
    agent = Agent(model_fn, None, folder, CONFIG, trackers=[])
    with expecting(
        part.about,
        f"trained it to {timesteps} actions",
        "a checkpoint",
        "fix the specification that __call__ returns",
    ):
        environment = make("environments", env, seed=1, mode="train")
        try:
            spec = agent.build("train", environment)
            require(
                isinstance(spec, AgentSpec),
                part.about,
                "called it with an environment's spaces",
                type(spec).__name__,
                "an AgentSpec",
                "omit env when you check a model for supervised learning",
            )
            memory = {spec.memory: {"batch_size": AGENT_BATCH}}
            agent = Agent(model_fn, memory, folder, CONFIG, trackers=[])
            return agent.train(
                environment,
                first_update=AGENT_BATCH,
                update_frequency=UPDATE_FREQUENCY,
                max_timesteps=timesteps,
            )
        finally:
            environment.close()


def _check_greedy(about: str, agent: Agent, env: EnvironmentLike) -> None:
    environment, policy = agent.restored(env)
    try:
        observations = environment.reset(seed=3)
        did = "asked its policy for greedy actions twice"
        with no_global_randomness(about, did):
            first, second = (
                np.array(policy.greedy(observations, environment.action_masks)) for _ in range(2)
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
        environment.close()


def _require_same_weights(about: str, whole: Trainer, resumed: Trainer) -> None:
    different = [
        name
        for name in whole.get_variable_names()
        if not same(whole.get_variable_value(name), resumed.get_variable_value(name))
    ]
    require(
        not different,
        about,
        "trained it in one run, and in a run that was stopped and resumed with new objects",
        f"other weights in {', '.join(different[:5])}",
        "the same weights, bit for bit",
        "keep all that changes in variables or in state(), and draw only from seeded generators",
    )
