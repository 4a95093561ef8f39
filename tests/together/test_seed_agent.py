"""The program by which polyaxon-lib introduced its agents; only its import and the environment's version are others."""

from plx_core.callbacks.callback import Callback

PROGRAM = """
import plx_core as plx
import tensorflow as tf

env = plx.envs.GymEnvironment('CartPole-v1')

def graph_fn(mode, inputs):
    return plx.layers.FullyConnected(mode, num_units=512)(inputs['state'])

def model_fn(features, labels, mode):
    model = plx.models.DDQNModel(
        mode,
        graph_fn=graph_fn,
        loss_config=plx.configs.LossConfig(module='huber_loss'),
        num_states=env.num_states,
        num_actions=env.num_actions,
        optimizer_config=plx.configs.OptimizerConfig(module='sgd', learning_rate=0.01),
        exploration_config=plx.configs.ExplorationConfig(module='decay'),
        target_update_frequency=10,
        summaries='all')
    return model(features, labels)

memory = plx.rl.memories.Memory()
estimator = plx.estimators.Agent(
  model_fn=model_fn, memory=memory, model_dir="ddqn_cartpole")
"""


class Watch(Callback):
    """Ends what would go on for ever, after the first updates."""

    every_n_steps = 5
    losses = ()

    def on_steps(self, run, step, metrics):
        self.losses = (*self.losses, metrics["loss"])
        self.stop_training = step >= 20


def test_the_seeds_program_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(PROGRAM, names)
    watch = Watch()
    names["estimator"].train(names["env"], callbacks=[watch])
    assert len(watch.losses) == 4
    assert names["estimator"].global_step == 20
    assert (
        names["estimator"].global_timestep == 1190
    )  # an update at 1000 actions, and at each 10 after
