"""What plx_layers offers, by the names that a config uses; Keras's own stock is read off its public modules."""

import re
from collections.abc import Mapping
from typing import Any

from plx_core import hookimpl
from plx_core.hookspecs import Factories
from plx_layers import stock

OLDER_LAYERS = (
    "FullyConnected", "Conv1d", "Conv2d", "Conv3d", "Conv2dTranspose", "MaxPool1d", "MaxPool2d", "MaxPool3d",
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "Upsample2d",
)  # fmt: skip
LOSSES = {
    "cross_entropies": ("SoftmaxCrossEntropy", "SigmoidCrossEntropy", "LogLoss"),
    "differences": ("AbsoluteDifference", "MeanSquaredError", "Huber", "ClippedDelta"),
    "similarities": ("Hinge", "CosineDistance"),
    "divergences": ("Poisson", "KullbackLeiblerDivergence"),
}
METRICS = {
    "curves": ("AUC", "SensitivityAtSpecificity", "SpecificityAtSensitivity"),
    "decisions": ("PrecisionAtK", "PrecisionAtThresholds", "RecallAtK", "RecallAtThresholds"),
    "means": ("Mean", "MeanCosineDistance", "MeanRelativeError", "PercentageLess", "Sum"),
    "correlations": ("Covariance", "PearsonCorrelation"),
}
STREAMING = (
    *(name for names in METRICS.values() for name in names if name != "Sum"),
    "TruePositives", "TrueNegatives", "FalsePositives", "FalseNegatives", "Accuracy", "Precision", "Recall",
    "MeanAbsoluteError", "MeanSquaredError", "RootMeanSquaredError",
)  # fmt: skip
"""The metrics that TensorFlow 1 called `streaming_…`."""


@hookimpl
def provide_layers() -> Factories:
    """Keras's layers, those that it has no more or less of, and those of polyaxon-lib's JSON dialect."""
    return {
        **stock.classes("layers"),
        "Activation": "plx_layers.layers.activation:Activation",
        "Cast": "plx_layers.layers.cast:Cast",
        "LocallyConnected1D": "plx_layers.layers.locally_connected:LocallyConnected1D",
        "LocallyConnected2D": "plx_layers.layers.locally_connected:LocallyConnected2D",
        "Reshape": "plx_layers.layers.reshape:Reshape",
        "ThresholdedReLU": "plx_layers.layers.thresholded_relu:ThresholdedReLU",
        **{name: f"plx_layers.layers.older:{name}" for name in OLDER_LAYERS},
    }


@hookimpl
def provide_losses() -> Factories:
    """Keras's losses, and polyaxon-lib's, which have weights; where both have a name, it is the one with weights."""
    return {
        **stock.classes("losses"),
        **{
            name: f"plx_layers.losses.{module}:{name}"
            for module, names in LOSSES.items()
            for name in names
        },
    }


@hookimpl
def provide_optimizers() -> Factories:
    """Keras's optimizers and TensorFlow 1's, each with the decay and the warm-up of its learning rate among its parameters."""
    return {
        name: f"plx_layers.optimizers:{name}"
        for name in (*stock.classes("optimizers"), "Momentum", "Nesterov")
    }


@hookimpl
def provide_schedules() -> Factories:
    """Keras's learning-rate schedules, the decay family of TensorFlow 1, and warm-up."""
    return {
        **stock.classes("optimizers.schedules"),
        **{name: f"plx_layers.schedules:{name}" for name in ("Decay", "Warmup")},
    }


@hookimpl
def provide_metrics() -> Factories:
    """Keras's metrics and TensorFlow 1's; where both have a name, it is the one that counts over all examples."""
    return {
        **stock.classes("metrics"),
        **{
            name: f"plx_layers.metrics.{module}:{name}"
            for module, names in METRICS.items()
            for name in names
        },
    }


@hookimpl
def provide_initializers() -> Factories:
    """Keras's initializers."""
    return stock.classes("initializers")


@hookimpl
def provide_regularizers() -> Factories:
    """Keras's regularizers, and those of TensorFlow 1 by its names."""
    ours = {
        name: f"plx_layers.regularizers:{name}" for name in ("l1_regularizer", "l2_regularizer")
    }
    return {**stock.classes("regularizers"), **ours}


@hookimpl
def provide_constraints() -> Factories:
    """Keras's constraints."""
    return stock.classes("constraints")


@hookimpl
def provide_activations() -> Factories:
    """Keras's activations, and `crelu`."""
    return {**stock.functions("activations"), "crelu": "plx_layers.activations:crelu"}


@hookimpl
def provide_models() -> Factories:
    """Models of supervised learning."""
    return {
        "Classifier": "plx_layers.models.classifier:Classifier",
        "Generator": "plx_layers.models.generator:Generator",
        "MultiHead": "plx_layers.models.multi_head:MultiHead",
        "Regressor": "plx_layers.models.regressor:Regressor",
    }


@hookimpl
def provide_bridges() -> Factories:
    """What joins a generator's encoder to its decoder."""
    return {
        "LatentBridge": "plx_layers.bridges.latent:LatentBridge",
        "NoOpBridge": "plx_layers.bridges.noop:NoOpBridge",
    }


@hookimpl
def provide_callbacks() -> Factories:
    """Pictures of what a generator makes."""
    return {
        name: f"plx_layers.callbacks:{name}"
        for name in ("GeneratedImages", "LatentTraversal", "ReconstructionImages")
    }


@hookimpl
def provide_aliases() -> Mapping[str, Mapping[str, str]]:
    """The names that polyaxon-lib and TensorFlow 1 had for Keras's parts; a lower-case name stays Keras's."""
    older = {
        name.lower(): name.replace("d", "D")
        for name in OLDER_LAYERS
        if name.startswith("Conv") and name != "Conv2dTranspose"
    }
    return {
        "layers": older
        | {
            "conv2dtranspose": "Conv2DTranspose",
            "maxpool1d": "MaxPool1D",
            "maxpool2d": "MaxPool2D",
            "maxpool3d": "MaxPool3D",
        }
        | {"avgpool1d": "AvgPool1D", "avgpool2d": "AvgPool2D", "avgpool3d": "AvgPool3D"},
        "losses": {f"{name}Loss": name for name in ("Huber", "ClippedDelta", "Hinge", "Poisson")}
        | {"KullbackLeiberDivergence": "KullbackLeiblerDivergence"},
        "optimizers": {"Nestrov": "Nesterov"},
        "initializers": {"Uniform": "RandomUniform", "Normal": "RandomNormal"},
        "metrics": {f"streaming_{_snake(name)}": name for name in STREAMING}
        | {"streaming_mean_iou": "MeanIoU"}
        | {
            f"{prefix}{name}": name
            for name in ("PrecisionAtK", "RecallAtK")
            for prefix in ("Sparse", "streaming_sparse_")
        },
    }


@hookimpl
def provide_parameter_aliases() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """What polyaxon-lib's files and Keras 2 called parameters of Keras's parts."""
    return {
        "layers": {
            "*": {"regularizer": "kernel_regularizer"},
            "GaussianNoise": {"scale": "stddev"},
            "LeakyReLU": {"alpha": "negative_slope"},
            "Reshape": {"new_shape": "target_shape"},
        },
        "losses": {"Huber": {"clip": "delta"}},
        "optimizers": {"*": {"beta1": "beta_1", "beta2": "beta_2"}, "RMSprop": {"decay": "rho"}},
        "regularizers": {"L1": {"l": "l1"}, "L2": {"l": "l2"}},
    }


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """How those are tried that take more than a graph of one output."""
    models = {
        "Generator": "plx_layers.examples:generator",
        "MultiHead": "plx_layers.examples:multi_head",
    }
    return {"models": models}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
