"""Environment steps per second of training on CartPole-v1 with rl-zoo3's settings: plx, Stable-Baselines3 and SBX.

A first short training takes compilation out of the time, on all sides, and the trial of `xla: auto`; `return` is the greedy one over 20
episodes afterwards.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["JAX_PLATFORMS"] = os.environ["CUDA_VISIBLE_DEVICES"] = "cpu"

EXAMPLES = Path(__file__).parents[1] / "examples"
STEPS = {"dqn": (50_000, 10_000), "ppo": (60_000, 20_000)}
PEERS = {
    "dqn": {
        "learning_rate": 2.3e-3, "batch_size": 64, "buffer_size": 100_000, "learning_starts": 1000, "gamma": 0.99, "train_freq": 256,
        "target_update_interval": 10, "gradient_steps": 128, "exploration_fraction": 0.16, "exploration_final_eps": 0.04,
        "policy_kwargs": {"net_arch": [256, 256]},
    },
    "ppo": {
        "n_steps": 32, "batch_size": 256, "gae_lambda": 0.8, "gamma": 0.98, "n_epochs": 20, "ent_coef": 0.0,
        "learning_rate": lambda left: left * 1e-3, "clip_range": lambda left: left * 0.2,
    },
}  # fmt: skip


def plx(algorithm, *sets):
    def measure(quick):
        from plx_core.config.check import check_config
        from plx_core.experiments.from_config import create_rl_experiment

        steps = STEPS[algorithm][quick]
        with tempfile.TemporaryDirectory() as folder:
            run = create_rl_experiment(
                check_config(str(EXAMPLES / f"{algorithm}_cartpole.yml"), sets), folder
            )

            def train(timesteps):
                run.agent.train(
                    run.env,
                    run.first_update,
                    run.update_frequency,
                    timesteps=timesteps,
                    updates_per_block=run.updates_per_block,
                )

            train(2048)
            start = time.perf_counter()
            train(steps)
            seconds = time.perf_counter() - start
            reached = run.agent.evaluate(run.eval_env, 20)["episode_return"]
        return {"rate": steps / seconds, "return": reached}

    return measure


def peer(library, algorithm):
    def measure(quick):
        import importlib

        from stable_baselines3.common.env_util import make_vec_env
        from stable_baselines3.common.evaluation import evaluate_policy

        steps = STEPS[algorithm][quick]
        envs = make_vec_env("CartPole-v1", 8 if algorithm == "ppo" else 1, seed=0)
        model = getattr(importlib.import_module(library), algorithm.upper())(
            "MlpPolicy", envs, seed=0, **PEERS[algorithm]
        )
        model.learn(2048)
        start = time.perf_counter()
        model.learn(steps, reset_num_timesteps=True)
        seconds = time.perf_counter() - start
        return {
            "rate": steps / seconds,
            "return": float(
                evaluate_policy(model, make_vec_env("CartPole-v1", 1, seed=123), 20)[0]
            ),
        }

    return measure


COMPILED = "train.env={CompiledEnvironment: {env_id: CartPole-v1, num_envs: 8}}"
SIDES = {
    "plx-dqn": plx("dqn"),
    "plx-dqn-auto": plx("dqn", "environment.xla=auto"),
    "plx-ppo": plx("ppo"),
    "plx-ppo-auto": plx("ppo", "environment.xla=auto"),
    "plx-ppo-compiled": plx("ppo", COMPILED, "environment.xla=true"),
    "sb3-dqn": peer("stable_baselines3", "dqn"),
    "sb3-ppo": peer("stable_baselines3", "ppo"),
    "sbx-dqn": peer("sbx", "dqn"),
    "sbx-ppo": peer("sbx", "ppo"),
}

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from sides import run

    run(SIDES, __doc__)
