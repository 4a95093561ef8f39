"""The loop of an agent: what it counts, when it learns, how it is evaluated, and what it tells of it."""

import itertools
import json
import math

import gymnasium
import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.data.arrays import numpy_input_fn
from plx_core.errors import CheckpointError, ComponentError, DataError, NonFiniteLoss
from plx_core.runs.checkpoints import load
from plx_core.state import Modes
from plx_rl.environments.compiled_environment import CompiledEnvironment
from plx_rl.environments.gym_environment import GymEnvironment
from plx_rl.learners.actor_critic_learner import ActorCriticLearner
from plx_rl.learners.replay_learner import ReplayLearner
from plx_rl.policies.network_policies import StochasticPolicy

from .agents import RESUMED, Returns, Rows, fingerprint, make_agent
from .worlds import Counter, Observing, Probes

MEMORY = {"Memory": {"size": 200, "batch_size": 8}}
BATCH = {"BatchMemory": {"batch_size": 16}}
HAS_NORMALIZATION = {
    "layers": [
        {"Dense": {"units": 8}},
        "BatchNormalization",
        {"Activation": {"activation": "relu"}},
    ]
}


def dqn(path, memory=MEMORY, **params):
    return make_agent(path, "dqn", memory, **params)


def cart_pole(num_envs=1, **params):
    return GymEnvironment("CartPole-v1", num_envs, seed=3, **params)


def saved(agent, step=None):
    path = (
        agent.latest_checkpoint()
        if step is None
        else agent.latest_checkpoint().parent / f"{step:09d}"
    )
    return load(path)


# What is counted


def test_updates_actions_and_episodes_are_counted_apart(tmp_path):
    agent, returns = dqn(tmp_path), Returns()
    agent.train(cart_pole(), 20, 4, max_timesteps=103, callbacks=[returns])
    assert agent.global_timestep == 103
    assert agent.global_step == len(range(20, 104, 4))
    assert agent.global_episode == len(returns.episodes) == returns.episodes[-1][0]
    lengths = [episode[3] for episode in returns.episodes]
    assert [episode[1] for episode in returns.episodes] == np.cumsum(lengths).tolist()
    assert [episode[2] for episode in returns.episodes] == lengths  # CartPole pays 1 a step


def test_how_many_more_and_how_many_in_all(tmp_path):
    agent, env = dqn(tmp_path), cart_pole()
    agent.train(env, 20, 4, steps=3).train(env, 20, 4, steps=3)
    assert (agent.global_step, agent.global_timestep) == (6, 40)
    agent.train(env, 20, 4, max_steps=6)
    assert agent.global_timestep == 40
    agent.train(env, 20, 4, max_steps=7)
    assert (agent.global_step, agent.global_timestep) == (7, 44)
    agent.train(env, 20, 4, timesteps=5).train(env, 20, 4, max_timesteps=60)
    assert agent.global_timestep == 60
    before = agent.global_episode
    agent.train(env, 20, 4, episodes=2).train(env, 20, 4, episodes=1)
    assert agent.global_episode == before + 3
    agent.train(env, 20, 4, max_episodes=before + 4)
    assert agent.global_episode == before + 4


@pytest.mark.parametrize("name", ["steps", "episodes", "timesteps"])
def test_how_many_more_or_in_all_but_not_both(tmp_path, name):
    with pytest.raises(ComponentError, match=f"give either {name} .* or max_{name} "):
        dqn(tmp_path).train(cart_pole(), **{name: 3, f"max_{name}": 4})


def test_the_environments_share_the_updates(tmp_path):
    """However many environments there are, as many updates come of as many actions."""
    for num_envs in (1, 4):
        agent = dqn(tmp_path / str(num_envs), run={"log_step_count_steps": 10})
        agent.train(cart_pole(num_envs), 20, 6, max_timesteps=120, updates_per_block=2)
        assert agent.global_step == 2 * len([count for count in range(20, 121) if count % 6 == 0])
        last = agent.run_directory.read_metrics()[-1]["metrics"]
        assert last["replay_ratio"] == agent.global_step / 120
        assert last["global_timestep"] == 120


def test_no_update_comes_before_the_first(tmp_path):
    agent, env = dqn(tmp_path), cart_pole(4)
    assert agent.train(env, 50, 4, max_timesteps=48).global_step == 0
    assert agent.train(env, 50, 4, max_timesteps=52).global_step == 1


def test_models_that_learn_from_the_latest_update_when_the_batch_is_full(tmp_path):
    agent = make_agent(tmp_path, "a2c", BATCH)
    agent.train(cart_pole(4), 1000, 1000, max_timesteps=16 * 5 + 12)
    assert (agent.global_step, agent.global_timestep, len(agent.memory)) == (5, 92, 12)


def test_a_batch_has_the_environments_in_turn(tmp_path):
    agent = make_agent(tmp_path, "a2c", BATCH)
    agent.train(GymEnvironment(lambda: Counter(50), 2), max_timesteps=6)
    assert [agent.memory.get_by_index(index)["state"][1] for index in range(6)] == [
        0,
        0,
        1,
        1,
        2,
        2,
    ]


# Evaluation


class Uneven(gymnasium.Env):
    """Episodes are one step long where the first seed was even, and nine where it was odd; each pays 1 a step for the action 1."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    length = 9

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.length = self.length if seed is None else 9 if seed % 2 else 1
        self.time = 0
        return np.ones(1, np.float32), {}

    def step(self, action):
        self.time += 1
        return np.ones(1, np.float32), float(action), self.time == self.length, False, {}


def test_short_episodes_are_not_preferred(tmp_path):
    agent = dqn(tmp_path).train(GymEnvironment(Uneven, 2), 20, max_timesteps=2)
    metrics = agent.evaluate(GymEnvironment(Uneven, 2), 10)
    assert (metrics["episodes"], metrics["episode_length"]) == (10, 5.0)
    assert agent.evaluate(GymEnvironment(Uneven, 2), 5)["episode_length"] == pytest.approx(
        (3 * 1 + 2 * 9) / 5
    )
    assert agent.evaluate(GymEnvironment(Uneven, 4), 2)["episode_length"] == 5.0


def test_evaluation_explores_nothing_and_begins_with_the_same_seeds(tmp_path):
    agent = dqn(tmp_path, exploration="Random").train(cart_pole(), 20, 4, max_timesteps=60)
    first = agent.evaluate(GymEnvironment("CartPole-v1", 2), 6)
    assert agent.evaluate(GymEnvironment("CartPole-v1", 2), 6) == first
    assert agent.evaluate(GymEnvironment("CartPole-v1", 2, seed=99), 6) == first
    greedy = [step["action"] for step in agent.play(GymEnvironment("CartPole-v1"))]
    assert agent.run_episode(GymEnvironment("CartPole-v1"))["episode_length"] == len(greedy)
    assert agent.run_episode(GymEnvironment("CartPole-v1"), seed=10_000)["episode_return"] == len(
        greedy
    )


def test_evaluations_are_kept(tmp_path):
    class Heard(plx.Callback):
        def on_evaluate(self, run, step, metrics, split):
            self.found = split, step, dict(metrics)

    heard, tracker = Heard(), Rows()
    agent = dqn(tmp_path, trackers=[tracker]).train(cart_pole(), 20, 4, max_timesteps=60)
    metrics = agent.evaluate(cart_pole(), 3, [heard], name="again")
    assert metrics.pop("global_step") == agent.global_step
    assert heard.found == ("eval_again", agent.global_step, metrics)
    assert (
        metrics["episode_return_min"] <= metrics["episode_return"] <= metrics["episode_return_max"]
    )
    assert tracker.rows == [(agent.global_step, "eval_again", metrics)]
    assert [line["split"] for line in agent.run_directory.read_metrics()] == ["eval_again"]


def test_an_older_checkpoint_can_be_evaluated(tmp_path):
    agent = dqn(
        tmp_path,
        run={"save_checkpoints_steps": 1, "keep_checkpoint_max": None},
        optimizer={"Adam": {"learning_rate": 0.3}},
    )
    agent.train(cart_pole(), 20, 1, max_steps=30)
    paths = agent.checkpoints.paths()
    found = [
        agent.evaluate(cart_pole(), 4, checkpoint_path=path)
        for path in (paths[0], paths[-1], paths[0])
    ]
    assert found[0] == found[2] != found[1]
    with pytest.raises(CheckpointError, match="train first"):
        dqn(tmp_path / "none").evaluate(cart_pole(), 1)


@pytest.mark.parametrize("num_envs", [1, 2])
def test_evaluating_in_the_environment_of_training_disturbs_nothing(tmp_path, num_envs):
    wrappers = ["NormalizeObservation", "NormalizeReward"]
    found = []
    for evaluations in (0, 2):
        agent, env, returns = (
            dqn(tmp_path / str(evaluations)),
            cart_pole(num_envs, wrappers=wrappers),
            Returns(),
        )
        for goal in (40, 90, 150):
            agent.train(env, 20, 4, max_timesteps=goal, callbacks=[returns])
            for _ in range(evaluations):
                agent.evaluate(env, 3)
        found.append((fingerprint(agent), returns.episodes))
    assert found[0] == found[1]


# What is told


class Told(plx.Callback):
    """Notes what is called."""

    def __init__(self, every_n_steps=None, stop_after=None):
        self.every_n_steps, self.stop_after = every_n_steps, stop_after
        self.steps, self.saved, self.logged, self.episodes, self.runs = [], [], [], [], []

    def on_run_begin(self, run, step):
        self.runs.append(step)

    def on_steps(self, run, step, metrics):
        self.steps.append(step)
        self.metrics = dict(metrics)

    def on_checkpoint(self, run, step, path):
        self.saved.append(step)

    def on_log(self, run, step, metrics):
        self.logged.append(step)

    def on_episode(self, run, episode):
        self.episodes.append(dict(episode))
        self.stop_training = len(self.episodes) == self.stop_after

    def on_run_end(self, run, step):
        self.runs.append(step)


def test_callbacks_are_told_at_their_steps(tmp_path):
    told = Told(every_n_steps=7)
    agent = dqn(tmp_path, run={"log_step_count_steps": 10, "save_checkpoints_steps": 12})
    agent.train(cart_pole(), 20, 2, max_steps=30, callbacks=[told])
    assert (told.steps, told.logged, told.saved, told.runs) == (
        [7, 14, 21, 28],
        [10, 20, 30],
        [12, 24, 30],
        [0, 30],
    )
    assert {
        "loss",
        "value",
        "exploration_rate",
        "learning_rate",
        "replay_ratio",
        "global_timestep",
        "global_episode",
    } <= told.metrics.keys()
    assert [line["step"] for line in agent.run_directory.read_metrics()] == [10, 20, 30]


def test_a_block_of_updates_that_passes_a_multiple_is_told_of_once(tmp_path):
    told = Told(every_n_steps=7)
    dqn(tmp_path).train(cart_pole(), 20, 2, max_steps=40, updates_per_block=10, callbacks=[told])
    assert told.steps == [10, 20, 30, 40]


def test_a_callback_stops_training_after_an_episode(tmp_path):
    told = Told(stop_after=3)
    agent = dqn(tmp_path).train(cart_pole(2), 20, 4, max_timesteps=10_000, callbacks=[told])
    assert agent.global_episode == len(told.episodes) == 3
    assert told.saved == [agent.global_step]
    assert told.episodes[-1]["global_timestep"] == agent.global_timestep
    assert [episode["global_episode"] for episode in told.episodes] == [1, 2, 3]


def test_callbacks_that_stop_at_a_step(tmp_path):
    assert (
        dqn(tmp_path)
        .train(cart_pole(), 20, 4, callbacks=[{"StopAtStep": {"last_step": 5}}])
        .global_step
        == 5
    )


def test_callbacks_of_keras(tmp_path):
    class Epochs(keras.callbacks.Callback):
        seen = ()

        def on_train_begin(self, logs=None):
            self.seen = (*self.seen, "train")

        def on_epoch_end(self, epoch, logs=None):
            self.seen = (*self.seen, epoch, round(logs["val_episode_length"]))

    epochs = Epochs()
    env, agent = GymEnvironment(lambda: Counter(4)), dqn(tmp_path)
    experiment = plx.RLExperiment(
        agent=agent, env=env, train_timesteps=60, first_update=20, update_frequency=1, eval_every_n_steps=20, eval_steps=2,
        train_callbacks=[epochs],
    )  # fmt: skip
    experiment.train_and_evaluate()
    assert epochs.seen[0] == "train"
    assert [item for item in epochs.seen if item != "train"] == [0, 4, 1, 4, 2, 4]


class Priceless(Counter):
    """Pays infinitely much at its tenth step."""

    def step(self, action):
        observation, _, *rest = super().step(action)
        return (observation, math.inf if self.time == 10 else 0.0, *rest)


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_checkpoint(tmp_path):
    agent = make_agent(
        tmp_path, "a2c", {"BatchMemory": {"batch_size": 4}}, run={"save_checkpoints_steps": 1}
    )
    with pytest.raises(
        NonFiniteLoss,
        match=r"loss is not finite at step 3, timestep 12; the last good checkpoint is .*000000002",
    ):
        agent.train(GymEnvironment(lambda: Priceless(50)), max_timesteps=100)
    assert agent.global_step == 2
    weights = saved(agent)["program"]["variables"]
    assert all(np.isfinite(value).all() for value in weights.values())


def test_summaries_hold_what_was_asked_for(tmp_path):
    found = {}
    for summaries in ([], ["loss"], "all"):
        tracker = Rows()
        agent = dqn(
            tmp_path / str(len(found)),
            trackers=[tracker],
            run={"save_summary_steps": 4},
            summaries=summaries,
        )
        agent.train(cart_pole(), 20, 4, max_steps=10)
        assert [(step, split) for step, split, _ in tracker.rows] == [(4, "train"), (8, "train")]
        found[str(summaries)] = set(tracker.rows[-1][2])
    assert "loss" not in found["[]"]
    assert "loss" in found["['loss']"]
    assert {"loss", "learning_rate", "exploration_rate"} <= found["all"]


def test_variables_are_summarised_for_tensorboard(tmp_path):
    agent = dqn(tmp_path, trackers=None, run={"save_summary_steps": 4}, summaries=["variables"])
    agent.train(cart_pole(), 20, 4, max_steps=4)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("events*") if path.is_file())
    assert b"variables/" in written


def test_what_is_known_of_training_while_it_goes_on(tmp_path):
    agent = dqn(tmp_path)
    with pytest.raises(ComponentError, match="training has not begun"):
        agent.learning_rate
    agent.train(cart_pole(), 20, 4, max_timesteps=30)
    assert agent.training_model is not None
    assert agent.learning_rate == pytest.approx(0.001)


# What becomes of the policy


@pytest.mark.parametrize(("model", "memory"), [("dqn", MEMORY), ("ppo", BATCH), ("naf", MEMORY)])
def test_predictions_without_an_environment_are_the_networks_own(tmp_path, model, memory):
    env_id = "Pendulum-v1" if model == "naf" else "CartPole-v1"
    more = {"minibatch_size": 8} if model == "ppo" else {}
    agent = make_agent(tmp_path, model, memory, **more)
    agent.train(GymEnvironment(env_id), 20, 4, max_timesteps=40)
    played = list(agent.play(GymEnvironment(env_id)))
    data = numpy_input_fn(
        {"state": np.stack([step["state"] for step in played])},
        None,
        batch_size=30,
        num_epochs=1,
        shuffle=False,
    )
    told = {"num_actions": 1, "is_continuous": True} if model == "naf" else {"num_actions": 2}
    rows = make_agent(tmp_path, model, **told).predict(data, ["action"])
    bound = 2.0 if model == "naf" else 1
    np.testing.assert_allclose(
        [row["action"] * bound for row in rows], [step["action"] for step in played], atol=1e-4
    )
    with pytest.raises(ComponentError, match="needs num_actions where there is no environment"):
        next(agent.predict(data))


def test_what_is_played_can_be_written_down(tmp_path):
    agent = make_agent(tmp_path, "dqn", MEMORY).train(
        GymEnvironment(Probes), 20, 4, max_timesteps=30
    )
    for step in agent.play(GymEnvironment(Probes)):
        assert step.keys() >= {"state", "action", "reward", "terminated", "truncated"}
        assert step["state"] in range(11)
        json.dumps([float(step["reward"]), int(step["action"]), bool(step["terminated"])])


# Observations normalised by running statistics

NORMALIZED = {"env_id": "CartPole-v1", "wrappers": ["NormalizeObservation", "NormalizeReward"]}


def moments(agent):
    transforms = saved(agent)["environment"]["transforms"]
    observed = transforms["NormalizeObservation_1"]["moments"]["state"]
    return observed, transforms["NormalizeReward_1"]["moments"]


@pytest.mark.parametrize("use", ["evaluate", "run_episode", "export", "play"])
def test_a_policy_does_not_act_on_observations_of_another_normalisation(tmp_path, use):
    agent = dqn(tmp_path / "run").train(GymEnvironment(**NORMALIZED), 20, 4, max_timesteps=40)
    calls = {
        "evaluate": lambda env: agent.evaluate(env, 1),
        "run_episode": agent.run_episode,
        "export": lambda env: agent.export(tmp_path / "policy", env),
        "play": lambda env: next(agent.play(env)),
    }
    for env in (GymEnvironment("CartPole-v1"), CompiledEnvironment("CartPole-v1")):
        with pytest.raises(ComponentError, match="gives it observations with no running stat"):
            calls[use](env)
    calls[use](GymEnvironment("CartPole-v1", wrappers=["NormalizeObservation"]))


def test_an_experiment_refuses_it_before_it_trains(tmp_path):
    experiment = plx.RLExperiment(
        agent=dqn(tmp_path),
        env=GymEnvironment(**NORMALIZED),
        eval_env=GymEnvironment("CartPole-v1"),
        train_timesteps=30,
    )
    with pytest.raises(ComponentError, match="no running statistics: use the same wrappers"):
        experiment.train_and_evaluate()
    assert experiment.agent.latest_checkpoint() is None


def test_a_warm_start_takes_the_statistics_too(tmp_path):
    first = dqn(tmp_path / "first").train(
        GymEnvironment(**NORMALIZED, num_envs=2), 20, 4, max_timesteps=60
    )

    def start(name, env, variables=".*"):
        agent = dqn(tmp_path / name, seed=9)
        agent.warm_start = plx.configs.WarmStartConfig(
            path=str(tmp_path / "first"), variables=variables
        )
        return agent.train(env, 20, 4, max_timesteps=12)

    second = start("second", GymEnvironment(**NORMALIZED, num_envs=3, seed=8))
    for before, after in zip(moments(first), moments(second), strict=True):
        count = after["count"] - before["count"]
        assert count in (12, 15)  # four steps of three environments, and the resets
        assert (after["mean"] != before["mean"]).any()
    with pytest.raises(ComponentError, match="with no running statistics"):
        start("third", GymEnvironment("CartPole-v1"))
    fourth = start("fourth", GymEnvironment(**NORMALIZED), variables="dense/.*")
    assert moments(fourth)[0]["count"] == 13


def test_another_environment_in_the_next_call_has_the_statistics_so_far(tmp_path):
    agent = dqn(tmp_path).train(GymEnvironment(**NORMALIZED), 20, 4, max_timesteps=60)
    agent.train(GymEnvironment(**NORMALIZED, seed=4), 20, 4, max_timesteps=80)
    assert moments(agent)[0]["count"] == 60 + 20 + 2
    with pytest.raises(ComponentError, match="no running statistics"):
        agent.train(GymEnvironment("CartPole-v1"), 20, 4, max_timesteps=90)


def world(by_name):
    """Observations of CartPole, by a name if so asked."""
    env = gymnasium.make("CartPole-v1")
    if not by_name:
        return env
    space = gymnasium.spaces.Dict({"body": env.observation_space})
    return gymnasium.wrappers.TransformObservation(
        env, lambda observation: {"body": observation}, space
    )


def part(observations):
    return observations["body"] if isinstance(observations, dict) else observations


@pytest.mark.parametrize("by_name", [False, True])
def test_replayed_observations_are_normalised_when_they_are_sampled(tmp_path, monkeypatch, by_name):
    env = GymEnvironment(
        lambda: world(by_name),
        2,
        wrappers=["NormalizeObservation", {"ClipObservation": {"minimum": -2, "maximum": 2}}],
        seed=3,
    )
    agent = dqn(tmp_path, {"PrioritizedMemory": {"size": 200, "batch_size": 8}})
    noted = []

    def note(learner, batches, num_envs):
        stored = agent.memory._transitions.gather(batches["indices"])
        (moments,) = env.state()["transforms"]["NormalizeObservation_1"]["moments"].values()
        noted.append((batches, stored, moments))
        return update(learner, batches, num_envs)

    update = ReplayLearner.update
    monkeypatch.setattr(ReplayLearner, "update", note)
    agent.train(env, 20, 4, max_timesteps=120)
    assert len(noted) == len(range(20, 121, 4))
    for batches, stored, moments in noted:
        for name in ("state", "next_state"):
            deviation = np.sqrt(moments["variance"] + 1e-8)
            expected = (part(stored[name]) - moments["mean"]) / deviation
            np.testing.assert_allclose(part(batches[name]), np.clip(expected, -2.0, 2.0), atol=1e-6)
    raw = GymEnvironment(lambda: world(by_name), 2, seed=3)
    np.testing.assert_array_equal(part(agent.memory.get_by_index(0)["state"]), part(raw.reset())[0])
    transitions = agent.memory._transitions.gather(np.arange(100))
    follows = ~(transitions["terminated"] | transitions["truncated"])[:98]
    np.testing.assert_array_equal(
        part(transitions["next_state"])[:98][follows], part(transitions["state"])[2:100][follows]
    )


def test_an_experts_observations_are_normalised_as_the_agents_own(tmp_path, monkeypatch):
    raw = np.full((10, 4), 0.4, np.float32)
    columns = {
        "state": raw,
        "next_state": raw,
        "action": np.zeros(10, np.int64),
        "reward": np.ones(10, np.float32),
        "terminated": np.zeros(10, bool),
        "truncated": np.zeros(10, bool),
    }
    np.savez(tmp_path / "expert.npz", **columns)
    memory = {
        "DemonstrationMemory": {
            "demonstrations": str(tmp_path / "expert.npz"),
            "batch_size": 8,
            "memory": {"Memory": {"size": 100}},
        }
    }
    env = GymEnvironment("CartPole-v1", wrappers=["NormalizeObservation"])
    noted = []
    update = ReplayLearner.update

    def note(learner, batches, num_envs):
        noted.append((batches, env.encode_observations(raw)[0]))
        return update(learner, batches, num_envs)

    monkeypatch.setattr(ReplayLearner, "update", note)
    dqn(tmp_path, memory).train(env, 20, 4, max_timesteps=40)
    for batches, expected in noted:
        is_experts = batches["demonstration"]
        assert is_experts.sum() == 2
        np.testing.assert_array_equal(batches["state"][is_experts], [expected] * 2)
        assert (np.abs(batches["state"][~is_experts]) <= 10.0).all()
    assert not np.array_equal(noted[0][1], noted[-1][1])


def test_rollouts_hold_what_the_policy_acted_on(tmp_path, monkeypatch):
    env = GymEnvironment("CartPole-v1", 2, wrappers=["NormalizeObservation"], seed=3)
    agent = make_agent(tmp_path, "a2c", BATCH)
    acted, learned = [], []
    act, update = StochasticPolicy.act, ActorCriticLearner.update

    def note_act(policy, observations, *arguments):
        acted.append(observations)
        return act(policy, observations, *arguments)

    def note_update(learner, batches, num_envs):
        learned.append(batches["state"][0])
        return update(learner, batches, num_envs)

    monkeypatch.setattr(StochasticPolicy, "act", note_act)
    monkeypatch.setattr(ActorCriticLearner, "update", note_update)
    agent.train(env, max_timesteps=32)
    np.testing.assert_array_equal(np.concatenate(learned), np.concatenate(acted))


def test_normalised_replay_is_resumed_exactly(tmp_path):
    memory = {"Memory": {"size": 100, "batch_size": 8, "n_step": 2}}
    env = {"GymEnvironment": {**NORMALIZED, "num_envs": 2}}
    whole = dqn(tmp_path / "whole", memory).train(env, 20, 4, max_timesteps=120)
    dqn(tmp_path / "parts", memory).train(env, 20, 4, max_timesteps=62)
    resumed = dqn(tmp_path / "parts", memory).train(env, 20, 4, max_timesteps=120)
    assert fingerprint(resumed) == fingerprint(whole)


# What is learnt


@pytest.mark.parametrize("tau", [1.0, 0.1])
def test_a_warm_start_takes_the_weights_of_another_run(tmp_path, tau):
    first = dqn(tmp_path / "first").train(cart_pole(), 20, 4, max_timesteps=60)
    agent = dqn(tmp_path / "second", tau=tau, target_update_frequency=1, seed=9)
    agent.warm_start = plx.configs.WarmStartConfig(path=str(tmp_path / "first"))
    agent.train(cart_pole(), 20, 4, max_timesteps=10)
    source = saved(first)["program"]["variables"]
    found = saved(agent)["program"]["variables"]
    assert all((found[name] == source[name]).all() for name in source)
    agent.train(cart_pole(), 20, 4, max_timesteps=20)
    target = saved(agent)["program"]["target"]
    assert agent.global_step == 1
    assert all(
        (target[name] == source[name]).all() for name in source
    )  # not the initial weights that there were before


@pytest.mark.parametrize("graph", [{"layers": [{"Dense": {"units": 4}}]}, HAS_NORMALIZATION])
@pytest.mark.parametrize(("tau", "frequency"), [(1.0, 3), (0.25, 1), (0.25, 2)])
def test_the_target_network_follows(tmp_path, graph, tau, frequency):
    run = {"save_checkpoints_steps": 1, "keep_checkpoint_max": None}
    agent = dqn(
        tmp_path,
        graph=graph,
        tau=tau,
        target_update_frequency=frequency,
        run=run,
        optimizer={"Adam": {"learning_rate": 0.1}},
    )
    agent.train(cart_pole(), 20, 1, max_steps=8)
    programs = [saved(agent, step)["program"] for step in range(1, 9)]
    for number, (before, after) in enumerate(itertools.pairwise(programs), start=1):
        assert before["variables"].keys() == before["target"].keys()
        for name, old in before["target"].items():
            leader, found = before["variables"][name], after["target"][name]
            expected = old + np.float32(tau) * (leader - old) if number % frequency == 0 else old
            np.testing.assert_allclose(
                found,
                leader if tau == 1.0 and number % frequency == 0 else expected,
                rtol=1e-5,
                atol=1e-6,
            )
    names = [name for name in programs[-1]["target"] if "moving" in name]
    assert len(names) == (2 if graph is HAS_NORMALIZATION else 0)
    assert all(
        (programs[0]["target"][name] != programs[-1]["target"][name]).any()
        for name in programs[0]["target"]
    )


def test_there_may_be_no_target_network(tmp_path):
    agent = dqn(tmp_path, use_target_graph=False).train(cart_pole(), 20, 4, max_steps=3)
    assert "target" not in saved(agent)["program"]


@pytest.mark.parametrize("memory", ["Memory", "PrioritizedMemory"])
@pytest.mark.parametrize("n_step", [1, 3])
def test_what_was_wrong_is_told_to_the_memory(tmp_path, memory, n_step):
    """One update of linear values, by hand: δ = r + γⁿ max Q(s') - Q(s, a), and no Q(s') after an end."""
    agent = dqn(
        tmp_path,
        {memory: {"size": 64, "batch_size": 32, "n_step": n_step}},
        graph={"layers": ["Identity"]},
        dueling=None,
        discount=0.5,
    )
    spec = agent.build(Modes.TRAIN, GymEnvironment(Counter))
    kernel, bias = (variable.numpy() for variable in spec.network.weights)
    held = agent.memory
    held.discount = 0.5
    env = GymEnvironment(lambda: Counter(3))
    observations = env.reset()
    for _ in range(40):
        step = env.step(np.zeros(1, int))
        held.step(
            state=observations, action=np.zeros(1, int), reward=step.rewards, next_state=step.final_observations,
            terminated=step.terminated, truncated=step.truncated,
        )  # fmt: skip
        observations = step.observations
    batches = held.sample(1)
    learnt = spec.learner.update(batches, 1)
    batch = {name: value[0] for name, value in batches.items()}
    steps = batch.get("steps", np.ones(32))
    assert set(steps) == set(range(1, n_step + 1))
    q, following = batch["state"] @ kernel + bias, batch["next_state"] @ kernel + bias
    errors = batch["reward"] + 0.5**steps * ~batch["terminated"] * following.max(-1) - q[:, 0]
    weights = batch.get("weights", np.ones(32))
    huber = np.where(np.abs(errors) < 1.0, 0.5 * errors**2, np.abs(errors) - 0.5)
    assert learnt.metrics["loss"] == pytest.approx(np.mean(weights * huber), rel=1e-4)
    if memory == "PrioritizedMemory":
        np.testing.assert_allclose(learnt.errors[0], errors, rtol=1e-4, atol=1e-4)
    else:
        assert learnt.errors is None


def test_a_memory_that_draws_by_error_is_told_the_errors(tmp_path):
    agent = dqn(tmp_path, {"PrioritizedMemory": {"size": 64, "batch_size": 8}})
    agent.train(cart_pole(), 20, 20, max_timesteps=20)
    priorities = saved(agent)["memory"]["priorities"][:20]
    assert 1 < len(set(priorities.tolist())) <= 9  # those that were drawn, and 1 for all others
    assert priorities.max() >= 1.0 > priorities.min()


# Environments, memories and numbers of other kinds


def follows(row):
    """Whether a transition is one of CartPole's, in which a cart moves by a fiftieth of its velocity."""
    return np.allclose(row["next_state"][0], row["state"][0] + 0.02 * row["state"][1], atol=1e-5)


@pytest.mark.parametrize("n_step", [1, 3])
def test_a_step_spent_on_a_reset_is_neither_kept_nor_counted(tmp_path, n_step):
    returns, agent = (
        Returns(),
        dqn(tmp_path, {"Memory": {"size": 1000, "batch_size": 8, "n_step": n_step}}),
    )
    agent.train(
        GymEnvironment("CartPole-v1", 3, vectorization="own", seed=1),
        20,
        4,
        max_timesteps=300,
        callbacks=[returns],
    )
    rows = [agent.memory.get_by_index(index) for index in range(len(agent.memory))]
    assert len(rows) == agent.global_timestep >= 300
    assert n_step > 1 or all(follows(row) for row in rows)
    assert sum(bool(row["terminated"]) for row in rows) >= len(returns.episodes) > 3
    assert all(episode[2] == episode[3] > 7 for episode in returns.episodes)
    lengths = sum(episode[3] for episode in returns.episodes)
    assert lengths <= agent.global_timestep <= lengths + 3 * 100


def test_a_step_spent_on_a_reset_counts_for_nothing_in_a_batch(tmp_path):
    agent = make_agent(tmp_path, "a2c", {"BatchMemory": {"batch_size": 300}})
    agent.train(GymEnvironment("CartPole-v1", 3, vectorization="own", seed=1), max_timesteps=200)
    rows = [agent.memory.get_by_index(index) for index in range(len(agent.memory))]
    assert sum(row["valid"] for row in rows) == agent.global_timestep < len(rows)
    assert all(follows(row) for row in rows if row["valid"])
    assert [bool(row["valid"]) for row in rows[3:]] == [
        not before["terminated"] for before in rows[:-3]
    ]


@pytest.mark.parametrize(("model", "memory"), [("dqn", MEMORY), ("ppo", BATCH)])
def test_vectors_that_reset_themselves_are_gone_on_with(tmp_path, model, memory):
    found = []
    for goals in ([120], [33, 75, 120]):
        for goal in goals:
            agent = make_agent(
                tmp_path / str(len(goals)),
                model,
                memory,
                **({"minibatch_size": 8} if model == "ppo" else {}),
            )
            agent.train(
                GymEnvironment("CartPole-v1", 2, vectorization="own", seed=1),
                20,
                4,
                max_timesteps=goal,
            )
        found.append(fingerprint(agent))
    assert found[0] == found[1]


class Pictures(Observing):
    """Shows pictures."""

    def __init__(self):
        super().__init__(gymnasium.spaces.Box(0, 255, (6, 6, 1), np.uint8))


SEEING = {
    "layers": [
        {"Rescaling": {"scale": 1 / 255}},
        {"Conv2D": {"filters": 2, "kernel_size": 3}},
        "Flatten",
    ]
}


@pytest.mark.parametrize(
    ("model", "memory"), [("dqn", "Memory"), ("ddqn", "PrioritizedMemory"), ("a2c", "BatchMemory")]
)
def test_frames_that_are_kept_once_teach_the_same(tmp_path, model, memory):
    found = []
    for frames in (1, 3):
        params = {"batch_size": 16, "frames": frames} | (
            {} if memory == "BatchMemory" else {"size": 500}
        )
        agent = make_agent(tmp_path / str(frames), model, {memory: params}, graph=SEEING)
        agent.train(
            GymEnvironment(Pictures, 2, wrappers=[{"FrameStack": {"frames": 3}}], seed=1),
            30,
            4,
            max_timesteps=90,
        )
        found.append((agent.global_step, fingerprint(agent)["program"]))
    assert found[0] == found[1]
    assert found[0][0] > 4


@pytest.mark.parametrize(
    ("model", "memory", "env_id", "policy"),
    [
        ("ddqn", MEMORY, "CartPole-v1", "mixed_float16"),
        ("naf", MEMORY, "Pendulum-v1", "mixed_bfloat16"),
        ("trpo", BATCH, "CartPole-v1", "mixed_bfloat16"),
        ("trpo", BATCH, "CartPole-v1", "float64"),
        ("a2c", BATCH, "Pendulum-v1", "float64"),
    ],
)
def test_other_types_of_numbers(tmp_path, model, memory, env_id, policy):
    """What an agent takes for values and policies is float32, whatever the layers before compute in."""
    agent = make_agent(tmp_path, model, memory, environment={"mixed_precision": policy})
    agent.train(GymEnvironment(env_id, 2), 20, 4, max_timesteps=40)
    assert agent.global_step >= 2
    outputs = agent.training_model(
        {"state": np.ones((3, 4 if env_id == "CartPole-v1" else 3), np.float32)}
    )
    assert all(
        part.dtype == tf.float32 and np.isfinite(part).all() for part in tf.nest.flatten(outputs)
    )
    assert np.isfinite(agent.evaluate(GymEnvironment(env_id), 1)["episode_return"])


@pytest.mark.parametrize(("name", "most"), [("ddqn", 2), ("ppo", 1)])
def test_updates_are_not_traced_again(tmp_path, name, most):
    """Blocks of 1, 2 and 3 updates: the second size is the last that is traced."""
    model, memory, params, env_id = RESUMED[name]
    agent, env = make_agent(tmp_path, model, memory, **params), GymEnvironment(env_id, 2, seed=1)
    for goal, updates in ((40, 1), (60, 2), (80, 3), (100, 1)):
        agent.train(env, 20, 4, max_timesteps=goal, updates_per_block=updates)
    assert agent.global_step >= 6
    assert agent._training.learner._program.experimental_get_tracing_count() == most


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddqn", "naf", "trpo", "ppo"])
def test_updates_compiled_with_xla(tmp_path, name):
    model, memory, params, env_id = RESUMED[name]
    found = []
    for xla in (False, True):
        agent = make_agent(tmp_path / str(xla), model, memory, environment={"xla": xla}, **params)
        agent.train(GymEnvironment(env_id, 2, seed=1), 20, 4, max_timesteps=40)
        found.append(saved(agent)["program"]["variables"])
    assert agent.global_step >= 1
    for variable, value in found[0].items():
        np.testing.assert_allclose(found[1][variable], value, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "env", "is_faster"),
    [
        ("ddqn", GymEnvironment, False),
        ("ddqn", GymEnvironment, True),
        ("ppo", GymEnvironment, False),
        ("ppo", CompiledEnvironment, False),
        ("ppo", CompiledEnvironment, True),
    ],
)
def test_a_trial_of_xla_leaves_no_trace_but_its_answer(tmp_path, monkeypatch, name, env, is_faster):
    model, memory, params, env_id = RESUMED[name]
    rates = iter([1.0, 2.0 if is_faster else 0.5])

    def rate(work):
        for _ in range(2):
            work()
        return next(rates)

    monkeypatch.setattr("plx_core.reinforcement.agent_state.best_rate", rate)
    found = []
    for folder, xla, goals in (("tried", "auto", (40, 64)), ("told", is_faster, (64,))):
        for goal in goals:  # the second call goes on from the first one's checkpoint
            agent = make_agent(tmp_path / folder, model, memory, environment={"xla": xla}, **params)
            agent.train(env(env_id, 2, seed=1), 20, 4, max_timesteps=goal)
        found.append(fingerprint(agent))
    assert found[0] == found[1]
    assert json.loads((tmp_path / "tried" / "xla.json").read_text())["xla"] is is_faster


# What goes on between calls


def test_a_described_environment_is_the_same_in_each_call(tmp_path):
    described = {
        "GymEnvironment": {
            "env_id": "CartPole-v1",
            "num_envs": 2,
            "wrappers": ["NormalizeObservation"],
        }
    }
    found = []
    for goals in ([90], [20, 55, 90]):
        agent = dqn(tmp_path / str(len(goals)))
        for goal in goals:
            agent.train(dict(described), 20, 4, max_timesteps=goal)
        found.append(fingerprint(agent))
    assert found[0] == found[1]


@pytest.mark.parametrize("model", ["dqn", "a2c"])
def test_a_callback_may_evaluate_in_the_environment_of_training(tmp_path, model):
    class Evaluating(plx.Callback):
        def on_checkpoint(self, run, step, path):
            self.metrics = run.evaluate(self.env, 2, checkpoint_path=path)

    found = []
    for is_evaluated in (False, True):
        memory, env = MEMORY if model == "dqn" else BATCH, cart_pole(2)
        agent = make_agent(
            tmp_path / str(is_evaluated), model, memory, run={"save_checkpoints_steps": 3}
        )
        Evaluating.env = env
        agent.train(env, 20, 4, max_timesteps=120, callbacks=[Evaluating()] if is_evaluated else [])
        found.append(
            {name: part for name, part in fingerprint(agent).items() if name != "callbacks"}
        )
    assert found[0] == found[1]


def test_an_experiment_that_evaluates_in_between_learns_the_same(tmp_path):
    found = []
    for name in ("train", "train_and_evaluate"):
        experiment = plx.RLExperiment(
            agent=dqn(tmp_path / name), env=cart_pole(2), train_timesteps=150, first_update=20, update_frequency=4,
            eval_every_n_steps=7, eval_steps=2,
        )  # fmt: skip
        getattr(experiment, name)()
        found.append(fingerprint(experiment.agent))
    assert found[0] == found[1]
    assert (
        len(
            [
                line
                for line in experiment.agent.run_directory.read_metrics()
                if line["split"] == "eval"
            ]
        )
        >= 4
    )


def test_environments_made_for_an_evaluation_are_closed(tmp_path):
    class Closing(Counter):
        closed = 0

        def close(self):
            Closing.closed += 1

    gymnasium.register(
        "Closing-v0", entry_point=Closing, disable_env_checker=True, order_enforce=False
    )
    described = {"GymEnvironment": {"env_id": "Closing-v0", "num_envs": 2}}
    try:
        agent = dqn(tmp_path).train(described, 20, max_timesteps=4)
        before = Closing.closed
        agent.evaluate(described, 2)
        assert Closing.closed == before + 2
        given = GymEnvironment(Closing)
        agent.evaluate(given, 2)
        assert Closing.closed == before + 2
    finally:
        del gymnasium.registry["Closing-v0"]


def test_returns_are_those_of_the_environment_whatever_is_learnt_from(tmp_path):
    agent, returns = dqn(tmp_path), Returns()
    wrappers = ["NormalizeReward", {"ClipReward": {"minimum": -0.1, "maximum": 0.1}}]
    agent.train(cart_pole(2, wrappers=wrappers), 20, 4, max_timesteps=120, callbacks=[returns])
    assert returns.episodes
    assert all(episode[2] == episode[3] for episode in returns.episodes)
    assert abs(agent.memory.get_by_index(-1)["reward"]) <= 0.1001
    metrics = agent.evaluate(cart_pole(wrappers=wrappers), 3)
    assert metrics["episode_return"] == metrics["episode_length"]


@pytest.mark.parametrize("model", ["dqn", "a2c"])
def test_legal_actions_may_be_named_now_and_then(tmp_path, model):
    class Sometimes(Counter):
        """Forbids the action 0 at odd steps, and says nothing at even ones."""

        def __init__(self):
            super().__init__(5)

        def step(self, action):
            if self.time % 2 and action == 0:
                raise RuntimeError("not legal")
            *answer, _ = super().step(action)
            return (*answer, {"action_mask": np.array([False, True])} if self.time % 2 else {})

    agent = make_agent(tmp_path, model, MEMORY if model == "dqn" else BATCH)
    agent.train(GymEnvironment(Sometimes, 2), 20, 4, max_timesteps=60)
    assert agent.global_step > 2
    row = agent.memory.get_by_index(-1)
    assert row["next_mask"].tolist() in ([False, True], [True, True])


def test_legal_actions_that_are_named_late_are_refused(tmp_path):
    class Late(Counter):
        def step(self, action):
            *answer, _ = super().step(action)
            return (*answer, {"action_mask": np.array([False, True])} if self.time > 2 else {})

    with pytest.raises(
        DataError, match="is set after a step without it; set it from the first reset on"
    ):
        dqn(tmp_path).train(GymEnvironment(lambda: Late(9)), 20, 4, max_timesteps=60)


@pytest.mark.parametrize(("target_kl", "updates"), [(None, 3 * 8), (100.0, 3 * 8), (1e-9, 3)])
def test_a_batch_is_left_when_the_policy_has_moved_too_far(tmp_path, target_kl, updates):
    params = {
        "epochs": 4,
        "minibatch_size": 8,
        "target_kl": target_kl,
        "optimizer": {"SGD": {"learning_rate": 0.5}},
    }
    agent = make_agent(tmp_path, "ppo", BATCH, **params).train(cart_pole(), max_timesteps=3 * 16)
    assert (
        agent.global_step == updates
    )  # with the least of targets, the first update of each batch alone


REGULARIZED = {
    "dqn": (
        MEMORY,
        {"optimizer": {"SGD": {"learning_rate": 0.1}}, "dueling": None, "clip_gradients": None},
    ),
    "naf": (MEMORY, {"optimizer": {"SGD": {"learning_rate": 0.1}}, "clip_gradients": None}),
    "vpg": (
        BATCH,
        {
            "optimizer": {"SGD": {"learning_rate": 0.1}},
            "value_optimizer": {"SGD": {"learning_rate": 0.1}},
            "value_epochs": 1,
            "clip_gradients": None,
        },
    ),
    "a2c": (BATCH, {"optimizer": {"SGD": {"learning_rate": 0.1}}, "clip_gradients": None}),
    "ppo": (
        BATCH,
        {
            "optimizer": {"SGD": {"learning_rate": 0.1}},
            "clip_gradients": None,
            "epochs": 1,
            "minibatch_size": None,
        },
    ),
    "trpo": (BATCH, {"optimizer": {"SGD": {"learning_rate": 0.1}}, "value_epochs": 1}),
}


@pytest.mark.parametrize("model", REGULARIZED)
def test_penalties_of_regularizers_are_part_of_the_loss(tmp_path, model):
    memory, params = REGULARIZED[model]
    env_id, first, last = ("Pendulum-v1" if model == "naf" else "CartPole-v1"), {}, {}
    for strength in (0.0, 0.25):
        graph = {
            "layers": [
                {
                    "Dense": {
                        "units": 8,
                        "activation": "tanh",
                        "kernel_regularizer": {"L2": {"l2": strength}},
                    }
                }
            ]
        }
        agent = make_agent(tmp_path / str(strength), model, memory, graph=graph, **params)
        for goal, found in ((4, first), (16, last)):
            agent.train(GymEnvironment(env_id, seed=1), 16, 16, max_timesteps=goal)
            found[strength] = saved(agent)["program"]["variables"]
    assert agent.global_step == 1
    kernels = [name for name in first[0.0] if name.startswith("dense") and "kernel" in name]
    assert len(kernels) == (1 if MEMORY is memory else 2)
    for name in kernels:
        found, change = last[0.25][name] - last[0.0][name], -0.1 * 2 * 0.25 * first[0.0][name]
        if (
            model == "trpo" and name == kernels[0]
        ):  # a step of the policy is as long as its divergence allows
            assert np.abs(found).max() > 1e-4
        else:
            np.testing.assert_allclose(found, change, rtol=1e-3, atol=1e-5)
