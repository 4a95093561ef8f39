"""The experiment of naf_pendulum.yml in Python.

Run it with `python examples/naf_pendulum.py`.
"""

import sys

import plx_core as plx


def graph_fn(mode, features):
    x = plx.layers.Dense(units=128, activation="relu")(features["state"])
    return plx.layers.Dense(units=128, activation="relu")(x)


def model_fn(features, labels, mode):
    model = plx.models.NAFModel(
        mode,
        graph_fn=graph_fn,
        optimizer=plx.optimizers.Adam(learning_rate=0.001),
        discount=0.98,
        target_update_frequency=1,
        tau=0.05,
        exploration=plx.explorations.Gaussian(sigma=0.3, min_sigma=0.05, decay_steps=20_000),
    )
    return model(features, labels)


def main(model_dir="runs/naf_pendulum", train_timesteps=30_000, eval_episodes=50):
    periods = plx.RunConfig(
        save_summary_steps=1000, log_step_count_steps=1000, save_checkpoints_steps=10000
    )
    agent = plx.Agent(
        model_fn,
        plx.memories.Memory(size=100_000, batch_size=128),
        model_dir,
        plx.EnvironmentConfig(seed=1, run_config=periods),
    )
    experiment = plx.RLExperiment(
        agent=agent,
        env=plx.envs.GymEnvironment(
            "Pendulum-v1", wrappers=[plx.rl.wrappers.ScaleReward(scale=0.1)]
        ),
        eval_env=plx.envs.GymEnvironment("Pendulum-v1", num_envs=5),
        train_timesteps=int(train_timesteps),
        eval_steps=int(eval_episodes),
        first_update=1000,
        update_frequency=1,
    )
    metrics = experiment.train_and_evaluate()
    print(f"return {metrics['episode_return']:.0f} after {agent.global_timestep} timesteps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
