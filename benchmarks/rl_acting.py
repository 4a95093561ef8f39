"""Greedy actions per second in one CartPole-v1 with a 64-64 network: plx's policy, and Stable-Baselines3's `predict`."""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "cpu"


def rate(act, env_reset, env_step, quick):
    """Actions a second, the environment's steps among them."""
    count = 2_000 if quick else 10_000
    observation = env_reset()
    for _ in range(200):
        observation = env_step(act(observation))
    start = time.perf_counter()
    for _ in range(count):
        observation = env_step(act(observation))
    return {"rate": count / (time.perf_counter() - start)}


def of_plx(quick):
    from plx_core.config.check import check_config
    from plx_core.experiments.from_config import create_rl_experiment

    with tempfile.TemporaryDirectory() as folder:
        run = create_rl_experiment(
            check_config(str(Path(__file__).parents[1] / "examples" / "ppo_cartpole.yml")), folder
        )
        run.agent.train(run.env, timesteps=256)
        env, policy = run.agent.restored({"GymEnvironment": {"env_id": "CartPole-v1"}})
        return rate(
            policy.greedy,
            lambda: env.reset(seed=0),
            lambda actions: env.step(actions).observations,
            quick,
        )


def of_sb3(quick):
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env

    env = make_vec_env("CartPole-v1", 1, seed=0)
    model = PPO("MlpPolicy", env, seed=0)
    return rate(
        lambda observation: model.predict(observation, deterministic=True)[0],
        env.reset,
        lambda actions: env.step(actions)[0],
        quick,
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from sides import run

    run({"plx": of_plx, "sb3": of_sb3}, __doc__)
