"""The components and commands of plx_rl, by the names that configs use."""

from collections.abc import Mapping
from typing import Any

from plx_core import hookimpl
from plx_core.hookspecs import Factories


@hookimpl
def provide_environments() -> Factories:
    """Provide vectors of environments."""
    return {
        "CompiledEnvironment": "plx_rl.environments.compiled_environment:CompiledEnvironment",
        "GymEnvironment": "plx_rl.environments.gym_environment:GymEnvironment",
    }


@hookimpl
def provide_dynamics() -> Factories:
    """Provide environment dynamics as TensorFlow programs."""
    return {
        "Acrobot": "plx_rl.dynamics.acrobot:Acrobot",
        "CartPole": "plx_rl.dynamics.cart_pole:CartPole",
        "MountainCar": "plx_rl.dynamics.mountain_car:MountainCar",
        "MountainCarContinuous": "plx_rl.dynamics.mountain_car:MountainCarContinuous",
        "Pendulum": "plx_rl.dynamics.pendulum:Pendulum",
    }


@hookimpl
def provide_wrappers() -> Factories:
    """Provide wrappers of environments."""
    return {
        "ClipObservation": "plx_rl.wrappers.clip:ClipObservation",
        "ClipReward": "plx_rl.wrappers.clip:ClipReward",
        "EpisodicLife": "plx_rl.wrappers.atari:EpisodicLife",
        "FireReset": "plx_rl.wrappers.atari:FireReset",
        "FlattenObservation": "plx_rl.wrappers.flatten_observation:FlattenObservation",
        "FrameSkip": "plx_rl.wrappers.atari:FrameSkip",
        "FrameStack": "plx_rl.wrappers.frame_stack:FrameStack",
        "GreyScale": "plx_rl.wrappers.grey_scale:GreyScale",
        "NoopReset": "plx_rl.wrappers.atari:NoopReset",
        "NormalizeObservation": "plx_rl.wrappers.normalize_observation:NormalizeObservation",
        "NormalizeReward": "plx_rl.wrappers.normalize_reward:NormalizeReward",
        "RecordVideo": "plx_rl.wrappers.record_video:RecordVideo",
        "Resize": "plx_rl.wrappers.resize:Resize",
        "ScaleReward": "plx_rl.wrappers.scale_reward:ScaleReward",
        "TimeLimit": "plx_rl.wrappers.time_limit:TimeLimit",
    }


@hookimpl
def provide_memories() -> Factories:
    """Provide memories of transitions."""
    return {
        "BatchMemory": "plx_rl.memories.batch_memory:BatchMemory",
        "DemonstrationMemory": "plx_rl.memories.demonstration_memory:DemonstrationMemory",
        "Memory": "plx_rl.memories.memory:Memory",
        "PrioritizedMemory": "plx_rl.memories.prioritized_memory:PrioritizedMemory",
    }


@hookimpl
def provide_explorations() -> Factories:
    """Provide explorations."""
    return {
        "Boltzmann": "plx_rl.explorations.boltzmann:Boltzmann",
        "Constant": "plx_rl.explorations.constant:Constant",
        "Decay": "plx_rl.explorations.decay:Decay",
        "EpsilonGreedy": "plx_rl.explorations.epsilon_greedy:EpsilonGreedy",
        "Gaussian": "plx_rl.explorations.gaussian:Gaussian",
        "GaussianNoise": "plx_rl.explorations.gaussian:GaussianNoise",
        "Greedy": "plx_rl.explorations.greedy:Greedy",
        "OrnsteinUhlenbeck": "plx_rl.explorations.ornstein_uhlenbeck:OrnsteinUhlenbeck",
        "Random": "plx_rl.explorations.random:Random",
        "RandomDecay": "plx_rl.explorations.random_decay:RandomDecay",
    }


@hookimpl
def provide_exporters() -> Factories:
    """Provide exporters of agents."""
    return {"BestVideo": "plx_rl.exporters:BestVideo"}


@hookimpl
def provide_models() -> Factories:
    """Provide models of agents."""
    return {
        "DDQNModel": "plx_rl.models.dqn:DDQNModel",
        "DQNModel": "plx_rl.models.dqn:DQNModel",
        "A2CModel": "plx_rl.models.ppo:A2CModel",
        "NAFModel": "plx_rl.models.naf:NAFModel",
        "PPOModel": "plx_rl.models.ppo:PPOModel",
        "TRPOModel": "plx_rl.models.trpo:TRPOModel",
        "VPGModel": "plx_rl.models.vpg:VPGModel",
    }


@hookimpl
def provide_commands() -> Mapping[str, str]:
    """Provide subcommands of `plx`."""
    return {"record": "plx_rl.commands:record", "seeds": "plx_rl.commands:seeds"}


@hookimpl
def provide_aliases() -> Mapping[str, Mapping[str, str]]:
    """Provide short and older names of models, and gymnasium's ids of dynamics."""
    return {
        "models": {
            name.lower(): f"{name}Model"
            for name in ("A2C", "DDQN", "DQN", "NAF", "PPO", "TRPO", "VPG")
        }
        | {"BaseQModel": "DQNModel"},
        "dynamics": {
            "Acrobot-v1": "Acrobot",
            "CartPole-v1": "CartPole",
            "MountainCar-v0": "MountainCar",
            "MountainCarContinuous-v0": "MountainCarContinuous",
            "Pendulum-v1": "Pendulum",
        },
    }


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """Provide the environments and parameters with which `plx_core.testing` tries components."""
    pole = {"GymEnvironment": {"env_id": "CartPole-v1", "num_envs": 2}}
    pendulum = {"GymEnvironment": {"env_id": "Pendulum-v1", "num_envs": 2}}
    schedule = {
        "PolynomialDecay": {
            "initial_learning_rate": 1.0,
            "decay_steps": 10_000,
            "end_learning_rate": 0.05,
        }
    }
    return {
        "explorations": {
            "Boltzmann": {"params": {"temperature": schedule}},
            "EpsilonGreedy": {"params": {"epsilon": schedule}},
            "GaussianNoise": {"params": {"scale": schedule}},
            "OrnsteinUhlenbeck": {"params": {"sigma": schedule}},
        },
        "models": {f"{name}Model": {"env": pole} for name in ("A2C", "DDQN", "DQN", "TRPO", "VPG")}
        | {
            "NAFModel": {"env": pendulum},
            "PPOModel": {"env": pole, "params": {"minibatch_size": 8}},
        },
        "environments": {
            "CompiledEnvironment": {"params": {"env_id": "CartPole", "num_envs": 2}},
            "GymEnvironment": {"params": {"env_id": "CartPole-v1", "num_envs": 2}},
        },
    }
