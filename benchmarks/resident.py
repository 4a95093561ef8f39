"""Resident memory while training goes on: python benchmarks/resident.py {mlp,dqn,ppo,ppo-compiled} [--quick].

Prints the size in MiB at 10,000 steps or actions and at each tenth of a million after. It has to stay what it was: the memory of an
agent is filled by then, and metrics, summaries and checkpoints are written all the while.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
EXAMPLES = Path(__file__).parents[1] / "examples"
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
    """The resident size of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def of_agent(case):
    from plx_core.config.check import check_config
    from plx_core.experiments.from_config import create_rl_experiment

    with tempfile.TemporaryDirectory() as folder:
        run = create_rl_experiment(
            check_config(str(EXAMPLES / f"{case.split('-')[0]}_cartpole.yml"), SETS[case]), folder
        )
        yield from (
            run.agent.train(
                run.env,
                run.first_update,
                run.update_frequency,
                max_timesteps=stop,
                updates_per_block=run.updates_per_block,
            ).global_timestep
            for stop in (10_000, *range(100_000, 1_000_001, 100_000))
        )


def of_estimator():
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
        yield from (
            estimator.train(input_fn, max_steps=stop).global_step
            for stop in (10_000, *range(100_000, 1_000_001, 100_000))
        )


def measure(case):
    def run(quick):
        sizes = {}
        for reached in of_estimator() if case == "mlp" else of_agent(case):
            sizes[reached] = resident()
            print(f"{case} {reached:9,d}  {sizes[reached]:8.1f} MiB", flush=True)
            if quick and reached >= 200_000:
                break
        first, *_, last = sizes.values()
        return {"rate": last / first, "first": first, "last": last}

    return run


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from sides import run

    run({case: measure(case) for case in ("mlp", *SETS)}, __doc__)
