"""Train an agent from Python: proximal policy optimization (PPO) on CartPole-v1.

This is the experiment of ppo_cartpole.yml; both give the same numbers.

Run it with `python examples/ppo_cartpole.py`.
"""

import sys

import plx_core as plx

UPDATES = 7820


def hidden_layer():
    initializer = plx.initializers.Orthogonal(gain=1.414)
    return plx.layers.Dense(units=64, activation="tanh", kernel_initializer=initializer)


def graph_fn(mode, features):
    x = hidden_layer()(features["state"])
    return hidden_layer()(x)


def falling_to_zero(initial):
    """Return a linear schedule from `initial` to 0, over all updates of the run."""
    return plx.schedules.PolynomialDecay(
        initial_learning_rate=initial, decay_steps=UPDATES, end_learning_rate=0.0
    )


def model_fn(observations, action_space, mode):
    model = plx.models.PPOModel(
        mode,
        graph_fn=graph_fn,
        optimizer=plx.optimizers.Adam(learning_rate=falling_to_zero(0.001), epsilon=1e-5),
        clip_range=falling_to_zero(0.2),
        epochs=20,
        minibatch_size=256,
        discount=0.98,
        gae_lambda=0.8,
    )
    return model(observations, action_space)


def main(model_dir="runs/ppo_cartpole", train_timesteps=100_000, eval_episodes=50):
    run_config = plx.RunConfig(
        save_summary_steps=400, log_step_count_steps=400, save_checkpoints_steps=4000
    )
    agent = plx.Agent(
        model_fn,
        plx.memories.BatchMemory(batch_size=256),
        model_dir,
        plx.EnvironmentConfig(seed=1, run_config=run_config),
    )
    experiment = plx.RLExperiment(
        agent=agent,
        env=plx.envs.GymEnvironment("CartPole-v1", num_envs=8),
        eval_env=plx.envs.GymEnvironment("CartPole-v1", num_envs=5),
        train_timesteps=int(train_timesteps),
        eval_steps=int(eval_episodes),
    )
    metrics, _ = experiment.train_and_evaluate()
    print(f"return {metrics['episode_return']:.0f} after {agent.global_timestep} timesteps")
    return metrics


if __name__ == "__main__":
    main(*sys.argv[1:])
