"""What plx_layers offers, by the names that a config uses; Keras's own stock is read off its public modules."""

from plx_core import hookimpl
from plx_core.hookspecs import Factories
from plx_layers import stock


@hookimpl
def provide_layers() -> Factories:
    """Keras's layers, and ours."""
    return {**stock.classes("layers"), "Cast": "plx_layers.layers.cast:Cast"}


@hookimpl
def provide_losses() -> Factories:
    """Keras's losses, and those of logits."""
    ours = ("SoftmaxCrossEntropy", "SigmoidCrossEntropy")
    return {**stock.classes("losses"), **{name: f"plx_layers.losses:{name}" for name in ours}}


@hookimpl
def provide_optimizers() -> Factories:
    """Keras's optimizers, each with the decay of its learning rate among its parameters."""
    return {name: f"plx_layers.optimizers:{name}" for name in stock.classes("optimizers")}


@hookimpl
def provide_schedules() -> Factories:
    """Keras's learning-rate schedules, and the decay family of TensorFlow 1."""
    return {**stock.classes("optimizers.schedules"), "Decay": "plx_layers.schedules:Decay"}


@hookimpl
def provide_metrics() -> Factories:
    """Keras's metrics."""
    return stock.classes("metrics")


@hookimpl
def provide_initializers() -> Factories:
    """Keras's initializers."""
    return stock.classes("initializers")


@hookimpl
def provide_regularizers() -> Factories:
    """Keras's regularizers."""
    return stock.classes("regularizers")


@hookimpl
def provide_constraints() -> Factories:
    """Keras's constraints."""
    return stock.classes("constraints")


@hookimpl
def provide_activations() -> Factories:
    """Keras's activations."""
    return stock.functions("activations")


@hookimpl
def provide_models() -> Factories:
    """Models of supervised learning."""
    return {"Classifier": "plx_layers.models.classifier:Classifier", "Regressor": "plx_layers.models.regressor:Regressor"}
