"""Runs per second of solving CartPole-v1 with PPO.

A run lasts from an untrained network to a mean greedy return of 475 over 20 episodes.
Stable-Baselines3 has rl-zoo3's settings, and is evaluated every 5,000 steps. plx has 256 compiled
environments and settings for them, and is evaluated after every eight rollouts. Neither evaluations
nor imports count; tracing does.
"""

import os
import tempfile
import time

from sides import run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["JAX_PLATFORMS"] = os.environ["CUDA_VISIBLE_DEVICES"] = "cpu"
ENOUGH = 475.0


def ours(quick):
    import plx_core as plx

    graph = plx.Graph(
        layers=[{"Dense": {"units": 64, "activation": "tanh"}}] * 2, input_layers=["state"]
    )

    def model_fn(observations, action_space, mode):
        model = plx.models.PPOModel(
            mode,
            graph=graph,
            optimizer={"Adam": {"learning_rate": 0.005}},
            epochs=4,
            minibatch_size=2048,
            discount=0.98,
            gae_lambda=0.9,
        )
        return model(observations, action_space)

    env = plx.envs.CompiledEnvironment("CartPole-v1", num_envs=256)
    eval_env = plx.envs.CompiledEnvironment("CartPole-v1", num_envs=20)
    with tempfile.TemporaryDirectory() as folder:
        run_config = plx.RunConfig(
            save_summary_steps=None, log_step_count_steps=None, save_checkpoints_steps=10**9
        )
        agent = plx.Agent(
            model_fn,
            {"BatchMemory": {"batch_size": 8192}},
            folder,
            plx.EnvironmentConfig(seed=1, run_config=run_config),
        )
        seconds = reached = 0.0
        while reached < ENOUGH:
            start = time.perf_counter()
            agent.train(env, timesteps=8 * 8192)
            seconds += time.perf_counter() - start
            reached = agent.evaluate(eval_env, 20)["episode_return"]
        return {
            "rate": 1 / seconds,
            "return": reached,
            "seconds": seconds,
            "timesteps": agent.global_timestep,
        }


def sb3(quick):
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.evaluation import evaluate_policy

    settings = {
        "n_steps": 32,
        "batch_size": 256,
        "gae_lambda": 0.8,
        "gamma": 0.98,
        "n_epochs": 20,
        "ent_coef": 0.0,
        "learning_rate": 1e-3,
        "clip_range": 0.2,
    }
    model = PPO("MlpPolicy", make_vec_env("CartPole-v1", 8, seed=0), seed=0, **settings)
    eval_env = make_vec_env("CartPole-v1", 1, seed=123)
    seconds = reached = 0.0
    while reached < ENOUGH:
        start = time.perf_counter()
        model.learn(5000, reset_num_timesteps=False)
        seconds += time.perf_counter() - start
        reached = float(evaluate_policy(model, eval_env, 20)[0])
    return {
        "rate": 1 / seconds,
        "return": reached,
        "seconds": seconds,
        "timesteps": model.num_timesteps,
    }


if __name__ == "__main__":
    run({"plx": ours, "sb3": sb3}, __doc__)
