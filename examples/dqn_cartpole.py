"""The experiment of dqn_cartpole.yml in Python.

Run it with `python examples/dqn_cartpole.py`.
"""

import sys

import plx_core as plx


def dense():
    return plx.layers.Dense(
        units=256,
        activation="relu",
        kernel_initializer=plx.initializers.VarianceScaling(
            scale=0.3333, mode="fan_in", distribution="uniform"
        ),
    )


def graph_fn(mode, features):
    x = dense()(features["state"])
    return dense()(x)


def model_fn(features, labels, mode):
    model = plx.models.DQNModel(
        mode,
        graph_fn=graph_fn,
        loss="Huber",
        optimizer=plx.optimizers.Adam(learning_rate=0.0023, epsilon=1e-8),
        clip_gradients=10.0,
        discount=0.99,
        target_update_frequency=128,
        exploration=plx.explorations.Decay(
            exploration_rate=1.0, min_exploration_rate=0.04, decay_steps=8000
        ),
    )
    return model(features, labels)


def main(model_dir="runs/dqn_cartpole", train_timesteps=50_000, eval_episodes=50):
    periods = plx.RunConfig(
        save_summary_steps=1000, log_step_count_steps=1000, save_checkpoints_steps=10000
    )
    agent = plx.Agent(
        model_fn,
        plx.memories.Memory(size=100_000, batch_size=64),
        model_dir,
        plx.EnvironmentConfig(seed=1, run_config=periods),
    )
    experiment = plx.RLExperiment(
        agent=agent,
        env=plx.envs.GymEnvironment("CartPole-v1"),
        eval_env=plx.envs.GymEnvironment("CartPole-v1", num_envs=5),
        train_timesteps=int(train_timesteps),
        eval_steps=int(eval_episodes),
        first_update=1000,
        update_frequency=256,
        updates_per_block=128,
    )
    metrics = experiment.train_and_evaluate()
    print(f"return {metrics['episode_return']:.0f} after {agent.global_timestep} timesteps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
