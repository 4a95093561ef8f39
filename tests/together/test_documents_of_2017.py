"""Programs from polyaxon-lib's documents; their imports and environments are others, and they end sooner."""

import logging

import numpy as np
import pytest

import plx_core as plx
from plx_core.errors import ComponentError

pytest.importorskip("plx_layers")
pytest.importorskip("plx_rl")

LINEAR = """
X = np.linspace(-1, 1, 100)
y = 2 * X + np.random.randn(*X.shape) * 0.33

# Test a data set
X_val = np.linspace(1, 1.5, 10)
y_val = 2 * X_val + np.random.randn(*X_val.shape) * 0.33


def graph_fn(mode, inputs):
    return plx.layers.SingleUnit(mode)(inputs['X'])


def model_fn(features, labels, mode):
    model = plx.models.Regressor(
        mode, graph_fn=graph_fn, loss_config=plx.configs.LossConfig(module='mean_squared_error'),
        optimizer_config=plx.configs.OptimizerConfig(module='sgd', learning_rate=0.009),
        eval_metrics_config=[],
        summaries='all', name='regressor')
    return model(features, labels)


estimator = plx.estimators.Estimator(model_fn=model_fn, model_dir="polyaxon_logs/linear")

estimator.train(input_fn=numpy_input_fn(
    {'X': X}, y, shuffle=False, num_epochs=30, batch_size=len(X)))
"""
INTRODUCTION = """
def graph_fn(mode, inputs):
    x = plx.layers.FullyConnected(mode, n_units=128)(inputs)
    x = plx.layers.FullyConnected(mode, n_units=64)(inputs)
    return plx.layers.FullyConnected(mode, n_units=8)(inputs)

def model_fn(features, labels, mode):
    loss = plx.configs.LossConfig(module='mean_squared_error')
    optimizer = plx.configs.OptimizerConfig(module='SGD')
    model = plx.models.Regressor(
    mode=mode, name='my_regressor', graph_fn=graph_fn,
    loss_config=loss, optimizer_config=optimizer)

    return model(features=features, labels=labels)

train_input_fn = numpy_input_fn(x['train'], y['train'], shuffle=True)
eval_input_fn = numpy_input_fn(x['eval'], y['eval'], shuffle=False)
estimator = plx.estimators.Estimator(model_fn=model_fn)
xp = plx.experiments.Experiment(estimator=estimator,
                                train_input_fn=train_input_fn,
                                eval_input_fn=eval_input_fn)
xp.train()
"""
REGRESSION = """
def graph_fn(mode, features):
    x = features['x']
    for i in range(NUM_LAYERS):
        x = plx.layers.LSTM(units=NUM_RNN_UNITS, return_sequences=i + 1 < NUM_LAYERS)(x)
    return plx.layers.Dense(units=1)(x)

def model_fn(features, labels, mode):
    return plx.models.Regressor(
        mode=mode,
        graph_fn=graph_fn,
        loss=plx.configs.MeanSquaredErrorConfig(),
        optimizer=plx.configs.AdagradConfig(learning_rate=0.1),
        metrics=[
            plx.configs.RootMeanSquaredErrorConfig(),
            plx.configs.MeanAbsoluteErrorConfig()
        ]
    )(features=features, labels=labels)

xp = plx.experiments.Experiment(
        estimator=plx.estimators.Estimator(model_fn=model_fn, model_dir=output_dir),
        train_input_fn=plx.processing.numpy_input_fn(
            x={'x': x['train']}, y=y['train'], batch_size=64, num_epochs=None, shuffle=False),
        eval_input_fn=plx.processing.numpy_input_fn(
            x={'x': x['train']}, y=y['train'], batch_size=32, num_epochs=None, shuffle=False),
        train_steps=train_steps,
        eval_steps=10)
result = xp.continuous_train_and_evaluate()
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def ran(program, **names):
    names = {"plx": plx, "np": np, "numpy_input_fn": plx.inputs.numpy_input_fn, **names}
    exec(program, names)
    return names


def test_a_simple_linear_regression():
    names = ran(LINEAR)
    assert names["estimator"].global_step == 30
    evaluation = plx.inputs.numpy_input_fn(
        {"X": names["X_val"]}, names["y_val"], shuffle=False, batch_size=10
    )
    assert np.isfinite(names["estimator"].evaluate(evaluation)["loss"])


def rows(shape):
    return {"train": np.ones(shape, "float32"), "eval": np.ones(shape, "float32")}


def test_features_without_a_name_are_one_tensor_and_a_run_needs_no_folder(caplog):
    with caplog.at_level(logging.WARNING, "plx_core"):
        first = ran(INTRODUCTION, x=rows((6, 3)), y=rows((6, 8)))
        second = ran(INTRODUCTION, x=rows((6, 3)), y=rows((6, 8)))
    folders = {names["estimator"].model_dir for names in (first, second)}
    assert len(folders) == 2
    for folder in folders:
        assert any(str(folder) in message for message in caplog.messages)
    metrics = first["xp"].evaluate()
    assert metrics["global_step"] == 1
    predictions = list(first["estimator"].predict(first["eval_input_fn"]))
    assert len(predictions) == 6
    exported = first["estimator"].export("export", first["eval_input_fn"])
    assert exported.is_dir()


def test_a_named_feature_stays_a_mapping():
    def model_fn(features, labels, mode):
        return plx.models.Regressor(
            mode, lambda mode, features: plx.layers.Dense(1)(features["features"])
        )(features, labels)

    x = np.ones((4, 2), "float32")
    data = plx.inputs.numpy_input_fn({"features": x}, x[:, :1], shuffle=False)
    assert plx.Estimator(model_fn, "run").train(data).global_step == 1


def test_a_regression_problem_in_turns():
    x = {"train": np.ones((128, 5, 2), "float32")}
    y = {"train": np.ones((128, 1), "float32")}
    names = ran(
        REGRESSION, NUM_LAYERS=2, NUM_RNN_UNITS=2, x=x, y=y, output_dir="run", train_steps=120
    )
    metrics, exports = names["result"]
    assert exports == []
    assert metrics["global_step"] == 120
    lines = names["xp"].estimator.run_directory.read_metrics()
    assert [line["step"] for line in lines if line["split"] == "eval"] == [100, 120]
    assert {"loss", "root_mean_squared_error", "mean_absolute_error"} <= metrics.keys()


def test_a_schedule_by_its_name():
    def experiment_fn(output_dir):
        names = ran(
            REGRESSION.replace("result = xp.continuous_train_and_evaluate()", ""),
            NUM_LAYERS=1,
            NUM_RNN_UNITS=1,
            x={"train": np.ones((8, 5, 2), "float32")},
            y={"train": np.ones((8, 1), "float32")},
            output_dir=output_dir,
            train_steps=2,
        )
        return names["xp"]

    metrics, _ = plx.experiments.run_experiment(
        experiment_fn=experiment_fn, output_dir="run", schedule="continuous_train_and_eval"
    )
    assert metrics["global_step"] == 2
    with pytest.raises(ValueError, match="an experiment has no method serve"):
        plx.experiments.run_experiment(experiment_fn, "run", "serve")


def test_a_model_function_gets_the_config_the_folder_and_the_params():
    seen = {}

    def model_fn(features, labels, mode, params, config, model_dir):
        seen.update(params=params, config=config, model_dir=model_dir)
        return plx.models.Regressor(mode, lambda mode, inputs: plx.layers.Dense(1)(inputs))(
            features, labels
        )

    x = np.ones((4, 2), "float32")
    config = plx.configs.RunConfig().replace(save_summary_steps=None, seed=3)
    estimator = plx.estimators.Estimator(model_fn, "run", config, {"units": 2})
    estimator.train(plx.inputs.numpy_input_fn(x, x[:, :1], shuffle=False))
    assert seen == {"params": {"units": 2}, "config": config, "model_dir": "run"}
    with pytest.raises(ValueError, match="params for the model_fn, which has no argument params"):
        plx.estimators.Estimator(lambda features, labels: None, "run", params={"units": 2})


def test_models_and_experiments_of_agents_by_position():
    env = plx.envs.GymEnvironment("CartPole-v1")

    def graph_fn(mode, inputs):
        return plx.layers.Dense(4)(inputs["state"])

    def model_fn(features, labels, mode):
        return plx.models.BaseQModel(mode, graph_fn, env.num_states, env.num_actions)(
            features, labels
        )

    agent = plx.estimators.Agent(model_fn, plx.rl.memories.Memory(size=6000, batch_size=4))
    experiment = plx.experiments.RLExperiment(agent, env, train_steps=2, first_update=8)
    experiment.train()
    assert agent.global_step == 2
    for wrong in ("agent", plx.Estimator(lambda features, labels: None)):
        with pytest.raises(ValueError, match="agent takes a plx_core.Agent, and got"):
            plx.experiments.RLExperiment(wrong, env)


@pytest.mark.parametrize("exploration", [{}, {"exploration": None}, {"exploration_config": None}])
def test_no_exploration_is_greedy(exploration):
    env = plx.envs.GymEnvironment("CartPole-v1", 4)

    def model_fn(observations, action_space, mode):
        return plx.models.DQNModel(
            mode, lambda mode, inputs: plx.layers.Dense(4)(inputs["state"]), **exploration
        )(observations, action_space)

    spec = plx.Agent(model_fn, "Memory").build("train", env)
    observations = env.reset(seed=1)
    greedy = spec.policy.greedy(observations)
    for _ in range(20):
        np.testing.assert_array_equal(spec.policy.act(observations, 0), greedy)


@pytest.mark.parametrize("dueling", [None, False])
def test_a_network_that_is_not_dueling(dueling):
    model = plx.models.DQNModel(
        "train", lambda mode, inputs: inputs["state"], 4, 2, dueling=dueling
    )
    env = plx.envs.GymEnvironment("CartPole-v1")
    spec = plx.Agent(lambda observations, action_space: model(observations), "Memory").build(
        "train", env
    )
    assert [tuple(weight.shape) for weight in spec.network.weights] == [(4, 2), (2,)]


def test_layers_are_named_as_keras_names_their_outputs():
    layers = [
        {"Flatten": {"name": "flat"}},
        {"Dense": {"units": 3, "inbound_nodes": [["flat", 0, 0]]}},
    ]
    graph = plx.Graph(layers, input_layers=[["image", 0, 0]], output_layers=[("dense", 0, 0)])
    assert graph("train", {"image": np.ones((2, 4, 4, 1), "float32")}).shape == (2, 3)
    with pytest.raises(ComponentError, match=r"or \[name, 0, 0\] for its only output; got"):
        plx.Graph(layers, input_layers=[["image", 1, 0]])


class Column:
    """What `pandas_input_fn` uses of a pandas series."""

    def __init__(self, values, index=None):
        self.values = np.asarray(values)
        self.index = np.arange(len(self.values)) if index is None else index

    def __array__(self, dtype=None, copy=None):
        return self.values


class Frame(dict):
    """What `pandas_input_fn` uses of a pandas data frame."""

    @property
    def columns(self):
        return list(self)

    @property
    def index(self):
        return next(iter(self.values())).index


def test_the_columns_of_a_data_frame_are_features():
    frame = Frame(a=Column([1.0, 2.0, 3.0]), b=Column([4, 5, 6]))
    input_fn = plx.processing.pandas_input_fn(frame, Column([0, 1, 0]), batch_size=2, shuffle=False)
    batches = list(input_fn().dataset().as_numpy_iterator())
    assert [batch["a"].tolist() for batch, _ in batches] == [[1.0, 2.0], [3.0]]
    assert [batch["b"].tolist() for batch, _ in batches] == [[4, 5], [6]]
    assert [labels.tolist() for _, labels in batches] == [[0, 1], [0]]
    with pytest.raises(ValueError, match="x and y have other rows"):
        plx.inputs.pandas_input_fn(frame, Column([0, 1, 0], np.array([1, 2, 3])), shuffle=False)
    with pytest.raises(ValueError, match="shuffle must be"):
        plx.inputs.pandas_input_fn(frame)
