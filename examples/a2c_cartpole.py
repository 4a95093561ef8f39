"""The experiment of a2c_cartpole.yml in Python.

Run it with `python examples/a2c_cartpole.py`.
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
    model = plx.models.A2CModel(
        mode,
        graph_fn=graph_fn,
        optimizer=plx.optimizers.RMSprop(learning_rate=0.0007, rho=0.99, epsilon=1e-5),
        discount=0.99,
        gae_lambda=1.0,
    )
    return model(features, labels)


def main(model_dir="runs/a2c_cartpole", train_timesteps=500_000, eval_episodes=50):
    periods = plx.RunConfig(
        save_summary_steps=500, log_step_count_steps=500, save_checkpoints_steps=5000
    )
    agent = plx.Agent(
        model_fn,
        plx.memories.BatchMemory(batch_size=40),
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
