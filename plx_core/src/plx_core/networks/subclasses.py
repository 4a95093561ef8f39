"""Networks that are instances of the user's own subclass of `keras.Model`."""

from __future__ import annotations

import keras

from plx_core.errors import ComponentError, reason_of
from plx_core.networks.graph import symbolic_inputs
from plx_core.types import Features, Network

REPLACED = {
    "train_step": "loss_fn and optimizer",
    "test_step": "loss_fn and update_metrics",
    "predict_step": "predict_fn",
    "compute_loss": "loss_fn",
    "compute_metrics": "update_metrics",
}
"""The methods of a `keras.Model` that plx does not call, with the fields of an `EstimatorSpec` that
it uses instead."""


def check_network(network: Network) -> None:
    """Check that a network defines nothing that training or evaluation would ignore.

    Raises:
        ComponentError: it defines its own `train_step` or another of `REPLACED`.
    """
    own = [
        name
        for name in REPLACED
        if getattr(type(network), name, None) is not getattr(keras.Model, name)
        or name in vars(network)
    ]
    if own:
        uses = "; ".join(f"{REPLACED[name]} instead of {name}" for name in own)
        raise ComponentError(
            f"the network, a {type(network).__name__}, defines {', '.join(own)}, which plx does "
            f"not call: it uses the EstimatorSpec's {uses}. Move the computation there, and leave "
            "the methods out of the class"
        )


def build_if_unbuilt(network: Network, inputs: Features) -> None:
    """Create the variables of a network that would create them when it is first called.

    Args:
        network: the network.
        inputs: its symbolic inputs by name.

    Raises:
        ComponentError: it cannot be called with these inputs.
    """
    if network.built:
        return
    try:
        network(inputs)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ComponentError(
            f"the network, a {type(network).__name__}, cannot be called with "
            f"{', '.join(inputs)}: {reason_of(error)}"
        ) from error


def as_functional(network: Network, features: Features) -> Network:
    """Return a network that knows its inputs by name: the same one where it does.

    Args:
        network: the network.
        features: the `tf.TensorSpec`s of its inputs, by name.
    """
    if getattr(network, "inputs", None):
        return network
    inputs = symbolic_inputs(features)
    return keras.Model(inputs, network(inputs), name=network.name)
