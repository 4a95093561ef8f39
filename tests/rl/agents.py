"""Small agents for the tests of reinforcement learning."""

import hashlib
import json
from pathlib import Path

import numpy as np

import plx_core as plx
from plx_core.config.sections import EnvironmentConfig, RunConfig
from plx_core.runs.checkpoints import load

GRAPH = {"layers": [{"Dense": {"units": 8, "activation": "tanh"}}]}
LINEAR = {"layers": []}


def model_fn(model, **params):
    """A model_fn of one of plx_rl's models, by its name."""
    params = {"graph": GRAPH, **params}

    def make(features, labels, mode):
        return plx.Component.of("models", {model: {**params, "mode": mode}}).build()(
            features, labels
        )

    return make


def make_agent(path, model, memory=None, seed=5, trackers=(), run=None, environment=None, **params):
    """An agent that saves at the end alone, and writes no TensorBoard events."""
    run_config = RunConfig(
        **{
            "save_summary_steps": None,
            "log_step_count_steps": None,
            "save_checkpoints_secs": 1e9,
            **(run or {}),
        }
    )
    config = EnvironmentConfig(seed=seed, run_config=run_config, **(environment or {}))
    return plx.Agent(model_fn(model, **params), memory, path, config, trackers=trackers)


def fingerprint(agent):
    """A hash of each part of the newest checkpoint: weights and optimizer, memory, environments, random states, counters."""
    return {name: _hash(part) for name, part in load(agent.latest_checkpoint()).items()}


def _hash(value):
    digest = hashlib.sha256()
    _feed(digest, "", value)
    return digest.hexdigest()[:16]


def _feed(digest, path, value):
    if isinstance(value, dict):
        for name in sorted(value):
            _feed(digest, f"{path}/{name}", value[name])
    elif isinstance(value, list):
        for index, part in enumerate(value):
            _feed(digest, f"{path}/{index}", part)
    elif isinstance(value, np.ndarray):
        digest.update(f"{path}{value.dtype}{value.shape}".encode() + value.tobytes())
    else:
        digest.update(f"{path}{json.dumps(value)}".encode())


class Returns(plx.Callback):
    """Notes what came of each episode."""

    def __init__(self):
        self.episodes = []

    def on_episode(self, run, episode):
        self.episodes.append(
            [episode[name] for name in ("global_episode", "global_timestep", "return", "length")]
        )


class Rows(plx.Tracker):
    """Keeps what it is given."""

    def __init__(self):
        self.rows = []

    def log(self, step, split, metrics):
        self.rows.append((step, split, dict(metrics)))


RESUMED = {
    "dqn": (
        "dqn",
        {"Memory": {"size": 64, "batch_size": 8}},
        {"tau": 0.5, "target_update_frequency": 3, "exploration": "Decay"},
        "CartPole-v1",
    ),
    "ddqn": (
        "ddqn",
        {"PrioritizedMemory": {"size": 64, "batch_size": 8, "n_step": 3}},
        {"dueling": True, "exploration": "Decay"},
        "CartPole-v1",
    ),
    "naf": (
        "naf",
        {"Memory": {"size": 64, "batch_size": 8}},
        {"exploration": "OrnsteinUhlenbeck"},
        "Pendulum-v1",
    ),
    "vpg": (
        "vpg",
        {"BatchMemory": {"batch_size": 32}},
        {"value_minibatch_size": 16},
        "CartPole-v1",
    ),
    "trpo": (
        "trpo",
        {"BatchMemory": {"batch_size": 32}},
        {"value_minibatch_size": 16},
        "CartPole-v1",
    ),
    "a2c": ("a2c", {"BatchMemory": {"batch_size": 20}}, {}, "CartPole-v1"),
    "ppo": (
        "ppo",
        {"BatchMemory": {"batch_size": 32}},
        {"epochs": 2, "minibatch_size": 16},
        "Pendulum-v1",
    ),
}
"""Each algorithm by name: its model, memory, parameters and environment, for runs that are stopped and gone on with."""
TIMESTEPS = 402


def train_resumed(name, num_envs, path):
    """Train one of RESUMED up to TIMESTEPS, from wherever the run directory is; the agent, and what came of its episodes."""
    model, memory, params, env_id = RESUMED[name]
    wrappers = ["NormalizeObservation", "NormalizeReward"] if name == "ppo" else []
    env = {
        "GymEnvironment": {
            "env_id": env_id,
            "num_envs": num_envs,
            "wrappers": wrappers,
            "max_episode_steps": 37,
        }
    }
    run = {
        "log_step_count_steps": 7,
        "save_checkpoints_steps": 2 if "BatchMemory" in memory else 5,
        "keep_checkpoint_max": None,
    }
    agent, returns = make_agent(path, model, memory, run=run, **params), Returns()
    agent.train(env, 20, 4, max_timesteps=TIMESTEPS, callbacks=[returns])
    return agent, returns.episodes


def finish(folder):
    """Train each run in a folder of runs `NAME-NUM_ENVS` to its end; what is then to be compared, as JSON on standard output."""
    found = {}
    for path in sorted(Path(folder).iterdir()):
        name, num_envs = path.name.split("-")
        agent, episodes = train_resumed(name, int(num_envs), path)
        found[path.name] = [fingerprint(agent), episodes]
    print(json.dumps(found))
