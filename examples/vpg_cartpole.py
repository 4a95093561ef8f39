"""The experiment of vpg_cartpole.yml in Python.

Run it with `python examples/vpg_cartpole.py`.
"""

import sys

import plx_core as plx


def dense():
    return plx.layers.Dense(
        units=64, activation="tanh", kernel_initializer=plx.initializers.Orthogonal(gain=1.414)
    )


def graph_fn(mode, features):
    x = dense()(features["state"])
    return dense()(x)


def model_fn(features, labels, mode):
    model = plx.models.VPGModel(
        mode,
        graph_fn=graph_fn,
        optimizer=plx.optimizers.Adam(learning_rate=0.003),
        value_optimizer=plx.optimizers.Adam(learning_rate=0.001),
        discount=0.99,
        gae_lambda=0.97,
    )
    return model(features, labels)


def main(model_dir="runs/vpg_cartpole", train_timesteps=300_000, eval_episodes=50):
    periods = plx.RunConfig(save_summary_steps=5, log_step_count_steps=5, save_checkpoints_steps=50)
    agent = plx.Agent(
        model_fn,
        plx.memories.BatchMemory(batch_size=2048),
        model_dir,
        plx.EnvironmentConfig(seed=1, run_config=periods),
    )
    experiment = plx.RLExperiment(
        agent=agent,
        env=plx.envs.GymEnvironment("CartPole-v1", num_envs=8),
        eval_env=plx.envs.GymEnvironment("CartPole-v1", num_envs=5),
        train_timesteps=int(train_timesteps),
        eval_steps=int(eval_episodes),
    )
    metrics = experiment.train_and_evaluate()
    print(f"return {metrics['episode_return']:.0f} after {agent.global_timestep} timesteps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
