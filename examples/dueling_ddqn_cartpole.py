"""The experiment of dueling_ddqn_cartpole.yml in Python.

Run it with `python examples/dueling_ddqn_cartpole.py`.
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
    model = plx.models.DDQNModel(
        mode,
        graph_fn=graph_fn,
        dueling="mean",
        loss="Huber",
        optimizer=plx.optimizers.Adam(learning_rate=0.0005),
        clip_gradients=10.0,
        discount=0.99,
        target_update_frequency=1,
        tau=0.01,
        exploration=plx.explorations.Decay(
            exploration_rate=1.0, min_exploration_rate=0.04, decay_steps=8000
        ),
    )
    return model(features, labels)


def main(model_dir="runs/dueling_ddqn_cartpole", train_timesteps=50_000, eval_episodes=50):
    periods = plx.RunConfig(
        save_summary_steps=1000, log_step_count_steps=1000, save_checkpoints_steps=10000
    )
    agent = plx.Agent(
        model_fn,
        plx.memories.PrioritizedMemory(size=50_000, batch_size=64, beta_steps=50_000, n_step=3),
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
        update_frequency=64,
        updates_per_block=32,
    )
    metrics = experiment.train_and_evaluate()
    print(f"return {metrics['episode_return']:.0f} after {agent.global_timestep} timesteps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
