"""Greedy actions per second with a 64-64 network: plx's policy, and Stable-Baselines3's `predict`.

The environment is one CartPole-v1, and its steps count.
"""

import os
import tempfile
import time
from pathlib import Path

from sides import run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "cpu"

EXAMPLE = Path(__file__).parents[1] / "examples" / "ppo_cartpole.yml"


def rate(act, env_reset, env_step, quick):
    """Return the actions per second; `act` maps observations to actions."""
    count = 2_000 if quick else 10_000
    observation = env_reset()
    for _ in range(200):
        observation = env_step(act(observation))
    start = time.perf_counter()
    for _ in range(count):
        observation = env_step(act(observation))
    return {"rate": count / (time.perf_counter() - start)}


def ours(quick):
    import plx_core as plx

    with tempfile.TemporaryDirectory() as folder:
        experiment = plx.create_rl_experiment(plx.check_config(str(EXAMPLE)), folder)
        agent = experiment.agent
        agent.train(experiment.env, timesteps=256)
        env, policy = agent.restored({"GymEnvironment": {"env_id": "CartPole-v1"}})
        return rate(
            policy.greedy,
            lambda: env.reset(seed=0),
            lambda actions: env.step(actions).observations,
            quick,
        )


def sb3(quick):
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
    run({"plx": ours, "sb3": sb3}, __doc__)
