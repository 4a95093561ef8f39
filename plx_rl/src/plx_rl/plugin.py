"""What plx_rl offers, by the names that a config uses."""

from collections.abc import Mapping

from plx_core import hookimpl


@hookimpl
def provide_memories() -> Mapping[str, str]:
    """Where an agent keeps its transitions."""
    return {
        "BatchMemory": "plx_rl.memories.batch_memory:BatchMemory",
        "Memory": "plx_rl.memories.memory:Memory",
        "PrioritizedMemory": "plx_rl.memories.prioritized_memory:PrioritizedMemory",
    }


@hookimpl
def provide_explorations() -> Mapping[str, str]:
    """How an agent departs from its greedy action."""
    return {
        "Boltzmann": "plx_rl.explorations.boltzmann:Boltzmann",
        "Constant": "plx_rl.explorations.constant:Constant",
        "Decay": "plx_rl.explorations.decay:Decay",
        "Gaussian": "plx_rl.explorations.gaussian:Gaussian",
        "Greedy": "plx_rl.explorations.greedy:Greedy",
        "OrnsteinUhlenbeck": "plx_rl.explorations.ornstein_uhlenbeck:OrnsteinUhlenbeck",
        "Random": "plx_rl.explorations.random:Random",
        "RandomDecay": "plx_rl.explorations.random_decay:RandomDecay",
    }
