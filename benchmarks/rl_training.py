"""Environment steps per second of training on CartPole-v1: plx, Stable-Baselines3 and SBX.

All have rl-zoo3's settings. A short training before the measurement keeps compilation, and the
trial of `xla: auto`, out of the time. `return` is the mean greedy return of 20 episodes afterwards.
"""

import os
import tempfile
import time
from pathlib import Path

from sides import run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["JAX_PLATFORMS"] = os.environ["CUDA_VISIBLE_DEVICES"] = "cpu"

EXAMPLES = Path(__file__).parents[1] / "examples"
STEPS = {"dqn": 50_000, "ppo": 60_000}
QUICK_STEPS = {"dqn": 10_000, "ppo": 20_000}
PEERS = {
    "dqn": {
        "learning_rate": 2.3e-3,
        "batch_size": 64,
        "buffer_size": 100_000,
        "learning_starts": 1000,
        "gamma": 0.99,
        "train_freq": 256,
        "target_update_interval": 10,
        "gradient_steps": 128,
        "exploration_fraction": 0.16,
        "exploration_final_eps": 0.04,
        "policy_kwargs": {"net_arch": [256, 256]},
    },
    "ppo": {
        "n_steps": 32,
        "batch_size": 256,
        "gae_lambda": 0.8,
        "gamma": 0.98,
        "n_epochs": 20,
        "ent_coef": 0.0,
        "learning_rate": lambda remaining: remaining * 1e-3,
        "clip_range": lambda remaining: remaining * 0.2,
    },
}


def ours(algorithm, *sets):
    def measure(quick):
        import plx_core as plx

        config = plx.check_config(str(EXAMPLES / f"{algorithm}_cartpole.yml"), sets)
        steps = QUICK_STEPS[algorithm] if quick else STEPS[algorithm]
        with tempfile.TemporaryDirectory() as folder:
            experiment = plx.create_rl_experiment(config, folder)
            agent = experiment.agent

            def train(timesteps):
                agent.train(
                    experiment.env,
                    experiment.first_update,
                    experiment.update_frequency,
                    timesteps=timesteps,
                    updates_per_block=experiment.updates_per_block,
                )

            train(2048)
            start = time.perf_counter()
            train(steps)
            seconds = time.perf_counter() - start
            episode_return = agent.evaluate(experiment.eval_env, 20)["episode_return"]
        return {"rate": steps / seconds, "return": episode_return}

    return measure


def peer(library, algorithm):
    def measure(quick):
        import importlib

        from stable_baselines3.common.env_util import make_vec_env
        from stable_baselines3.common.evaluation import evaluate_policy

        steps = QUICK_STEPS[algorithm] if quick else STEPS[algorithm]
        envs = make_vec_env("CartPole-v1", 8 if algorithm == "ppo" else 1, seed=0)
        model = getattr(importlib.import_module(library), algorithm.upper())(
            "MlpPolicy", envs, seed=0, **PEERS[algorithm]
        )
        model.learn(2048)
        start = time.perf_counter()
        model.learn(steps, reset_num_timesteps=True)
        seconds = time.perf_counter() - start
        episode_return, _ = evaluate_policy(model, make_vec_env("CartPole-v1", 1, seed=123), 20)
        return {"rate": steps / seconds, "return": float(episode_return)}

    return measure


COMPILED = "train.env={CompiledEnvironment: {env_id: CartPole-v1, num_envs: 8}}"
SIDES = {
    "plx-dqn": ours("dqn"),
    "plx-dqn-auto": ours("dqn", "environment.xla=auto"),
    "plx-ppo": ours("ppo"),
    "plx-ppo-auto": ours("ppo", "environment.xla=auto"),
    "plx-ppo-compiled": ours("ppo", COMPILED, "environment.xla=true"),
    "sb3-dqn": peer("stable_baselines3", "dqn"),
    "sb3-ppo": peer("stable_baselines3", "ppo"),
    "sbx-dqn": peer("sbx", "dqn"),
    "sbx-ppo": peer("sbx", "ppo"),
}

if __name__ == "__main__":
    run(SIDES, __doc__)
