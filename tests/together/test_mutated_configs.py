"""Configs with random mistakes are answered by a message with a place, never by a traceback.

300 mutated configs are checked, and a few of those that are accepted are run for three steps. The environment variable
PLX_TEST_MUTATIONS sets another number: `make mutations` checks 5,000 and runs 100 of the accepted ones.
"""

import copy
import os
import random
import re
import warnings

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from plx_core.cli.main import main

pytest.importorskip("plx_layers")
pytest.importorskip("plx_rl")
pytest.importorskip("plx_pipelines")
pytest.importorskip("pyarrow", reason="a table is read with pyarrow")

COUNT = int(os.environ.get("PLX_TEST_MUTATIONS", "300"))
PARTS = 20
"""The mutations are divided into so many tests."""

CLASSIFIER = """\
version: 1
project: {name: mutated, tags: [a]}
settings: {logging: {level: ERROR}, trackers: [CSV]}
environment:
  seed: 3
  run_config: {save_checkpoints_steps: 2, log_step_count_steps: 1, keep_checkpoint_max: 2}
model:
  classifier:
    loss: {SoftmaxCrossEntropy: {label_smoothing: 0.1}}
    optimizer: {Adam: {learning_rate: 0.01, beta_1: 0.8, clipnorm: 1.0}}
    metrics: [Accuracy, {TopKCategoricalAccuracy: {k: 2}}]
    one_hot_encode: true
    n_classes: 3
    summaries: [loss, gradients]
    clip_gradients: 1.0
    graph:
      input_layers: x
      layers:
        - Dense: {units: 4, activation: relu, kernel_initializer: {VarianceScaling: {scale: 2.0, mode: fan_in}}, kernel_regularizer: {L2: {l2: 0.01}}}
        - BatchNormalization: {momentum: 0.9, name: norm}
        - Dropout: {rate: 0.5}
        - Dense: {units: 4, name: other, inbound_nodes: norm}
        - Concatenate: {axis: -1, inbound_nodes: [norm, other]}
        - Dense: {units: 3}
train:
  train_steps: 3
  callbacks: [{EarlyStopping: {metric: accuracy, patience: 2}}, {StepLogging: {every_n_steps: 2}}]
  data_pipeline: &data
    TablePipeline: {data_files: t.csv, features: {x: [a, b]}, labels: c, batch_size: 4, shuffle: true}
eval:
  eval_steps: 2
  eval_every_n_steps: 2
  export_strategies: [{BestExporter: {metric: loss}}]
  data_pipeline: *data
"""
IMAGES = """\
model:
  regressor:
    loss: {Huber: {delta: 0.5}}
    optimizer: {SGD: {learning_rate: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: 10}}, momentum: 0.9}}
    metrics: [MeanAbsoluteError]
    graph:
      input_layers: x
      layers:
        - Reshape: {target_shape: [2, 2, 1]}
        - Conv2D: {filters: 2, kernel_size: [2, 1], strides: 1, padding: same, data_format: channels_last}
        - MaxPooling2D: {pool_size: 2}
        - LayerNormalization: {axis: -1}
        - Flatten
        - SubGraph: {layers: [Dense: {units: 2}, Activation: {activation: tanh}], name: twice}
        - Shared: {layer: twice}
        - Dense: {units: 1}
train:
  train_steps: 3
  data_pipeline:
    TablePipeline: {data_files: [t.csv], features: {x: [a, b, d, e]}, labels: b, batch_size: 3, num_epochs: 5}
"""
HEADS = """\
model:
  multi_head:
    graph:
      input_layers: x
      layers:
        - LSTM: {units: 2, dropout: 0.1}
        - Dense: {units: 3, name: c}
        - Dense: {units: 1, name: b, inbound_nodes: c}
      output_layers: [c, b]
    heads:
      c: {Classifier: {loss: SparseCategoricalCrossentropy, metrics: [SparseCategoricalAccuracy]}}
      b: {Regressor: {loss: MeanSquaredError}}
    loss_weights: {b: 0.5}
train:
  train_steps: 3
  data_pipeline:
    TablePipeline:
      data_files: t.csv
      features: {x: [a, d]}
      labels: [c, b]
      batch_size: 4
      feature_processors: {x: {layers: [Reshape: {target_shape: [2, 1]}]}}
"""
AGENT = """\
environment: {seed: 1}
model:
  ddqn:
    graph: {input_layers: state, layers: [Dense: {units: 4, activation: tanh}]}
    optimizer: {RMSprop: {learning_rate: 0.001}}
    discount: 0.9
    dueling: mean
    target_update_frequency: 2
    exploration: {Decay: {exploration_rate: 1.0, min_exploration_rate: 0.1, decay_steps: 10}}
agent:
  memory: {PrioritizedMemory: {size: 64, batch_size: 4}}
train:
  env: {GymEnvironment: {env_id: CartPole-v1, num_envs: 2, wrappers: [{TimeLimit: {max_steps: 20}}]}}
  train_steps: 3
  train_timesteps: 100
  first_update: 8
  update_frequency: 4
eval:
  env: {GymEnvironment: {env_id: CartPole-v1}}
  eval_episodes: 1
"""
BASES = [yaml.safe_load(text) for text in (CLASSIFIER, IMAGES, HEADS, AGENT)]
VALUES = [
    None, True, False, -1, 0, 1, 2, 5, 70, 0.5, -0.5, 1e-30, 1e308, float("nan"), float("inf"), 2**32, 2**63,
    "", " ", "x", "é", "null", "1e3", "../x", "a/b", "${env:HOME}", "${", "[", "\0", "\x1b[31m", "x" * 300, "(", "*",
    "float16", "string", "relu", "Dense", "Adam", "Huber", "L2", "plx_layers/Dense", "nowhere/Dense", "t.csv", "c",
    [], [[]], [None], [1, 2], [-1], ["a"], {}, {"a": 1}, {"Dense": {"units": 2}}, {"Dense": None}, {"Adam": {}},
    {"relu": {}}, {"Zeros": {}}, {None: 1}, [{"Dense": {"units": 3}}] * 2,
]  # fmt: skip


def spots(tree):
    """Yield the container and the key of every value."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        yield tree, key
        if isinstance(value, (dict, list)):
            yield from spots(value)


def change_gently(tree, rng):
    """Change a number or a list so that the types stay right."""
    places = [
        (holder, key)
        for holder, key in spots(tree)
        if isinstance(holder[key], (int, float, list)) and holder[key] != []
    ]
    holder, key = rng.choice(places)
    value = holder[key]
    if isinstance(value, bool):
        holder[key] = not value
    elif isinstance(value, int):
        holder[key] = rng.choice([0, 1, 2, 3, 4, 7, 30, 2**31, -1, -2])
    elif isinstance(value, float):
        holder[key] = rng.choice([0.0, 1.0, -1.0, 0.3, 1e-12, 1e30, 2.5, 7])
    elif rng.random() < 0.3:
        rng.shuffle(value)
    elif rng.random() < 0.5:
        del value[rng.randrange(len(value))]
    else:
        value.insert(rng.randrange(len(value)), copy.deepcopy(rng.choice(value)))


def mutate(tree, rng):
    """Change a tree in one place."""
    if rng.random() < 0.5:
        change_gently(tree, rng)
        return
    places = list(spots(tree))
    holder, key = rng.choice(places)
    other, other_key = rng.choice(places)
    value = holder[key]
    kind = rng.randrange(10)
    if kind == 0:
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        del holder[key]
        text = str(key)
        spot = rng.randrange(len(text) + 1)
        holder[text[:spot] + rng.choice("aé_.1") + text[spot + 1 :]] = value
    elif kind == 2:
        holder[key] = copy.deepcopy(other[other_key])
    elif kind == 3:
        holder[key], other[other_key] = (
            copy.deepcopy(other[other_key]),
            copy.deepcopy(value),
        )
    elif kind == 4:
        holder[key] = [value]
    elif kind == 5:
        holder[key] = {rng.choice(["a", "Dense", str(key)]): value}
    elif kind == 6 and isinstance(other, dict):
        other[key if isinstance(key, str) else "x"] = copy.deepcopy(value)
    elif kind == 7 and isinstance(value, list):
        value.append(copy.deepcopy(rng.choice(value or VALUES)))
        rng.shuffle(value)
    else:
        holder[key] = copy.deepcopy(rng.choice(VALUES))


def mutated(seed):
    rng = random.Random(seed)
    tree = copy.deepcopy(BASES[seed % len(BASES)])
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if any(isinstance(holder[key], (int, float)) for holder, key in spots(tree)):
            mutate(tree, rng)
    return yaml.dump(tree, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = "".join(f"{a:.3f},{b:.3f},{i % 3},{a * b:.3f},{i}\n" for i, (a, b) in enumerate(rng.normal(size=(12, 2))))  # fmt: skip
    (tmp_path / "t.csv").write_text("a,b,c,d,e\n" + rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def plx(*words):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CliRunner().invoke(main, words)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_configs(folder, part):
    to_run = max(1, COUNT // 50 // PARTS)
    failures = []
    for seed in range(part, COUNT, PARTS):
        (folder / "m.yml").write_text(mutated(seed))
        result = plx("check", "m.yml")
        is_message = isinstance(result.exception, (SystemExit, type(None)))
        is_placed = re.match(r"m\.yml(:\d+:\d+)?[ :]", result.output) is not None
        if not is_message or result.exit_code not in (0, 2) or not is_placed or "\x1b" in result.output:  # fmt: skip
            failures.append((seed, result.exit_code, result.exception, result.output[:500]))
        elif result.exit_code == 0 and "warning" not in result.output and to_run:
            to_run -= 1
            goals = ("--set", "train.train_steps=3") if seed % 4 != 3 else ()
            run = plx("train", "m.yml", "--output-dir", f"run{seed}", *goals)
            if not isinstance(run.exception, (SystemExit, type(None))):
                failures.append((seed, "train", run.exception, run.output[:500]))
    assert failures == [], "\n\n".join(map(str, failures))


@pytest.mark.parametrize("base", range(len(BASES)))
def test_the_configs_that_are_mutated_are_correct(folder, base):
    (folder / "m.yml").write_text(yaml.safe_dump(BASES[base], sort_keys=False))
    result = plx("check", "m.yml")
    assert result.exit_code == 0, result.output
