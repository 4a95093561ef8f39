"""The components of plx_layers, by the names that a config uses.

A name of Keras is Keras's own part, unchanged, unless a hook below says otherwise.
"""

import re
from collections.abc import Mapping

from plx_core import hookimpl
from plx_core.hookspecs import Factories
from plx_layers import keras_parts

LAYERS_OF_2017 = (
    "FullyConnected", "Conv1d", "Conv2d", "Conv3d", "Conv2dTranspose", "MaxPool1d", "MaxPool2d",
    "MaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "Upsample2d", "GlobalAvgPool",
    "GlobalMaxPool",
)  # fmt: skip
FURTHER_LAYERS_OF_2017 = {
    "highway": ("Highway", "HighwayConv1d", "HighwayConv2d"),
    "normalizations": ("L2Normalization", "LocalResponseNormalization"),
    "recurrent": ("BasicLSTMCell", "BasicRNNCell", "BidirectionalRNN"),
    "residual": ("ResidualBlock", "ResidualBottleneck"),
    "tensors": ("Merge", "OneHotEncoding", "SingleUnit", "Slice", "Upscore"),
}
RECURRENT = {
    "bias": "use_bias",
    "inner_activation": "recurrent_activation",
    "num_units": "units",
    "return_seq": "return_sequences",
    "weights_init": "kernel_initializer",
}
"""polyaxon-lib's names of the parameters of Keras's recurrent layers."""
LOSSES_OF_2017 = {
    "AbsoluteDifference": "absolute_difference",
    "ClippedDeltaLoss": "ClippedDeltaLoss",
    "CosineDistance": "CosineDistance",
    "HingeLoss": "hinge_loss",
    "HuberLoss": "huber_loss",
    "KullbackLeiblerDivergence": "KullbackLeiblerDivergence",
    "LogLoss": "LogLoss",
    "PoissonLoss": "poisson_loss",
    "SigmoidCrossEntropy": "sigmoid_cross_entropy",
    "SoftmaxCrossEntropy": "SoftmaxCrossEntropy",
}
METRICS = {
    "curves": (
        "StreamingAUC", "StreamingSensitivityAtSpecificity", "StreamingSpecificityAtSensitivity",
    ),
    "decisions": ("PrecisionAtK", "PrecisionAtThresholds", "RecallAtK", "RecallAtThresholds"),
    "means": ("MeanCosineDistance", "MeanRelativeError", "PercentageLess", "StreamingMean"),
    "correlations": ("Covariance", "StreamingPearsonCorrelation"),
}  # fmt: skip
STREAMING = (
    "Covariance", "MeanCosineDistance", "MeanRelativeError", "PercentageLess", "PrecisionAtK",
    "PrecisionAtThresholds", "RecallAtK", "RecallAtThresholds", "TruePositives", "TrueNegatives",
    "FalsePositives", "FalseNegatives", "Accuracy", "Precision", "Recall", "MeanAbsoluteError",
    "MeanSquaredError", "RootMeanSquaredError",
)  # fmt: skip
"""The metrics that TensorFlow 1 called `streaming_…`, and that have the same meaning without it."""


LAYERS_WITH_EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "BidirectionalRNN": {
        "params": {
            "rnncell_fw": {"BasicLSTMCell": {"num_units": 3}},
            "rnncell_bw": {"BasicLSTMCell": {"num_units": 3}},
        }
    },
    "Highway": {"params": {"num_units": 8}},
    "Merge": {"params": {"modules": ["Flatten", {"Dense": {"units": 2}}], "merge_mode": "concat"}},
    "ResidualBlock": {"params": {"num_blocks": 1, "out_channels": 9, "batch_norm": False}},
    "ResidualBottleneck": {
        "params": {"num_blocks": 1, "bottleneck_size": 2, "out_channels": 9, "batch_norm": False}
    },
    "SingleUnit": {"input_shape": (1,)},
    "Slice": {"params": {"begin": [0, 1], "size": [-1, 2]}},
}
"""What `plx_core.testing` tries these layers with."""


@hookimpl
def provide_layers() -> Factories:
    """Return Keras's layers, further ones, and those of polyaxon-lib.

    `Activation` and `Reshape` are Keras's, and take a little more.
    """
    return {
        **keras_parts.classes("layers"),
        "Activation": "plx_layers.layers.activation:Activation",
        "Cast": "plx_layers.layers.cast:Cast",
        "LocallyConnected1D": "plx_layers.layers.locally_connected:LocallyConnected1D",
        "LocallyConnected2D": "plx_layers.layers.locally_connected:LocallyConnected2D",
        "Reshape": "plx_layers.layers.reshape:Reshape",
        "ThresholdedReLU": "plx_layers.layers.thresholded_relu:ThresholdedReLU",
        **{name: f"plx_layers.layers.polyaxon_2017:{name}" for name in LAYERS_OF_2017},
        **{
            name: f"plx_layers.layers.{module}:{name}"
            for module, names in FURTHER_LAYERS_OF_2017.items()
            for name in names
        },
    }


@hookimpl
def provide_losses() -> Factories:
    """Return Keras's losses, weights for any loss, and the losses of polyaxon-lib."""
    return {
        **keras_parts.classes("losses"),
        "Weighted": "plx_layers.losses.weighted:Weighted",
        **{
            name: f"plx_layers.losses.polyaxon_2017:{factory}"
            for name, factory in LOSSES_OF_2017.items()
        },
    }


@hookimpl
def provide_optimizers() -> Factories:
    """Return Keras's optimizers and those of TensorFlow 1.

    Each also takes the decay and the warm-up of its learning rate.
    """
    return {
        name: f"plx_layers.optimizers.scheduled:{name}"
        for name in (*keras_parts.classes("optimizers"), "Momentum", "Nesterov")
    }


@hookimpl
def provide_schedules() -> Factories:
    """Return Keras's learning-rate schedules, the decays of TensorFlow 1, and warm-up."""
    return {
        **keras_parts.classes("optimizers.schedules"),
        **{name: f"plx_layers.schedules:{name}" for name in ("Decay", "Warmup")},
    }


@hookimpl
def provide_metrics() -> Factories:
    """Return Keras's metrics, and those of TensorFlow 1 that Keras lacks or defines differently."""
    return {
        **keras_parts.classes("metrics"),
        **{
            name: f"plx_layers.metrics.{module}:{name}"
            for module, names in METRICS.items()
            for name in names
        },
    }


@hookimpl
def provide_initializers() -> Factories:
    """Return Keras's initializers."""
    return keras_parts.classes("initializers")


@hookimpl
def provide_regularizers() -> Factories:
    """Return Keras's regularizers, and those of TensorFlow 1 by its names."""
    own = {name: f"plx_layers.regularizers:{name}" for name in ("l1_regularizer", "l2_regularizer")}
    return {**keras_parts.classes("regularizers"), **own}


@hookimpl
def provide_constraints() -> Factories:
    """Return Keras's constraints."""
    return keras_parts.classes("constraints")


@hookimpl
def provide_activations() -> Factories:
    """Return Keras's activations, and `crelu`."""
    return {**keras_parts.functions("activations"), "crelu": "plx_layers.activations:crelu"}


@hookimpl
def provide_models() -> Factories:
    """Return the models of supervised learning."""
    return {
        "Classifier": "plx_layers.models.classifier:Classifier",
        "Generator": "plx_layers.models.generator:Generator",
        "MultiHead": "plx_layers.models.multi_head:MultiHead",
        "Regressor": "plx_layers.models.regressor:Regressor",
    }


@hookimpl
def provide_bridges() -> Factories:
    """Return the bridges from a generator's encoder to its decoder."""
    return {
        "LatentBridge": "plx_layers.bridges.latent:LatentBridge",
        "NoOpBridge": "plx_layers.bridges.noop:NoOpBridge",
    }


@hookimpl
def provide_callbacks() -> Factories:
    """Return the callbacks that draw the results of a generator."""
    return {
        name: f"plx_layers.callbacks:{name}"
        for name in ("GeneratedImages", "LatentTraversal", "ReconstructionImages")
    }


@hookimpl
def provide_aliases() -> Mapping[str, Mapping[str, str]]:
    """Return the names that polyaxon-lib and TensorFlow 1 had for Keras's parts.

    A layer's name in lower case is Keras's, not polyaxon-lib's.
    """
    layers = {
        name.lower(): name.replace("d", "D")
        for name in LAYERS_OF_2017
        if name.startswith(("Conv", "MaxPool", "AvgPool"))
    }
    metrics = {f"streaming_{_snake(name)}": name for name in STREAMING}
    metrics["streaming_mean_iou"] = "MeanIoU"
    for name in ("PrecisionAtK", "RecallAtK"):
        metrics[f"Sparse{name}"] = name
        metrics[f"streaming_sparse_{name}"] = name
    return {
        "layers": layers,
        "losses": {
            "ClippedDelta": "ClippedDeltaLoss",
            "KullbackLeiberDivergence": "KullbackLeiblerDivergence",
        },
        "optimizers": {"Nestrov": "Nesterov"},
        "initializers": {"Uniform": "RandomUniform", "Normal": "RandomNormal"},
        "metrics": metrics,
    }


@hookimpl
def provide_parameter_aliases() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Return the names that polyaxon-lib and Keras 2 had for parameters of Keras's parts."""
    return {
        "layers": {
            "*": {"regularizer": "kernel_regularizer"},
            **{name: RECURRENT for name in ("GRU", "LSTM", "SimpleRNN")},
            "FullyConnected": {"n_units": "num_units"},
            "GaussianNoise": {"scale": "stddev"},
            "LeakyReLU": {"alpha": "negative_slope"},
            "Reshape": {"new_shape": "target_shape"},
        },
        "losses": {"HuberLoss": {"clip": "delta"}},
        "optimizers": {"*": {"beta1": "beta_1", "beta2": "beta_2"}, "RMSprop": {"decay": "rho"}},
        "regularizers": {"L1": {"l": "l1"}, "L2": {"l": "l2"}},
    }


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, object] | str]]:
    """Return examples of the models that take more than a graph with one output."""
    models = {
        "Generator": "plx_layers.examples:generator",
        "MultiHead": "plx_layers.examples:multi_head",
    }
    return {"layers": LAYERS_WITH_EXAMPLES, "models": models}


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
