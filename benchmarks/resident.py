"""Resident memory during a long training, in MiB.

    python benchmarks/resident.py {mlp,dqn,ppo,ppo-compiled} [--quick]

Prints the size after 10,000 steps or actions, and then after every 100,000. It must not grow: by
then an agent's memory is full, and metrics, summaries and checkpoints are written throughout.
"""

import os
import tempfile
from pathlib import Path

from sides import run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
EXAMPLES = Path(__file__).parents[1] / "examples"
STOPS = (10_000, *range(100_000, 1_000_001, 100_000))
SETS = {
    "dqn": (
        "agent.memory.Memory.size=10000",
        "train.update_frequency=64",
        "train.updates_per_block=4",
    ),
    "ppo": (
        "train.env={GymEnvironment: {env_id: CartPole-v1, num_envs: 64}}",
        "agent.memory.BatchMemory.batch_size=2048",
        "model.ppo.epochs=2",
    ),
    "ppo-compiled": (
        "train.env={CompiledEnvironment: {env_id: CartPole-v1, num_envs: 8}}",
        "model.ppo.epochs=2",
    ),
}


def resident():
    """Return the resident size of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def train_agent(case):
    """Train an agent, and yield its global timestep at each stop."""
    import plx_core as plx

    algorithm = case.split("-")[0]
    config = plx.check_config(str(EXAMPLES / f"{algorithm}_cartpole.yml"), SETS[case])
    with tempfile.TemporaryDirectory() as folder:
        experiment = plx.create_rl_experiment(config, folder)
        for stop in STOPS:
            experiment.agent.train(
                experiment.env,
                experiment.first_update,
                experiment.update_frequency,
                max_timesteps=stop,
                updates_per_block=experiment.updates_per_block,
            )
            yield experiment.agent.global_timestep


def train_estimator():
    """Train an estimator, and yield its global step at each stop."""
    import training

    import plx_core as plx

    x, y = training.make_data("mlp")

    def model_fn(features, labels, mode):
        graph = plx.Graph(layers=training.make_layers("mlp"))
        return plx.models.Classifier(
            mode, graph=graph, loss=training.sparse_loss(), metrics=["Accuracy"]
        )(features, labels)

    input_fn = plx.inputs.numpy_input_fn({"x": x}, y, batch_size=32, num_epochs=None, shuffle=True)
    with tempfile.TemporaryDirectory() as folder:
        estimator = plx.Estimator(model_fn, folder, plx.RunConfig(save_checkpoints_steps=50_000))
        for stop in STOPS:
            yield estimator.train(input_fn, max_steps=stop).global_step


def side(case):
    def measure(quick):
        sizes = []
        for step in train_estimator() if case == "mlp" else train_agent(case):
            sizes.append(resident())
            print(f"{case} {step:9,d}  {sizes[-1]:8.1f} MiB", flush=True)
            if quick and step >= 200_000:
                break
        return {"rate": sizes[-1] / sizes[0], "first": sizes[0], "last": sizes[-1]}

    return measure


if __name__ == "__main__":
    run({case: side(case) for case in ("mlp", *SETS)}, __doc__)
