"""What the tests of core, plx_rl and plx_pipelines name of Keras's parts, as they are; and two plain models."""

from plx_core import hookimpl

LAYERS = (
    "Activation", "Add", "BatchNormalization", "Bidirectional", "Concatenate", "Conv2D", "Dense", "Dropout", "Embedding", "Flatten",
    "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GRU", "Identity", "LSTM", "LSTMCell", "MaxPooling2D", "Permute",
    "RandomFlip", "RandomTranslation",
    "Rescaling", "Reshape", "RNN", "Softmax", "Subtract", "TimeDistributed",
)  # fmt: skip
LOSSES = (
    "BinaryCrossentropy", "CategoricalCrossentropy", "Huber", "MeanAbsoluteError", "MeanSquaredError", "SparseCategoricalCrossentropy",
)  # fmt: skip
METRICS = (
    "AUC",
    "Accuracy",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Precision",
    "R2Score",
    "Recall",
    "SparseCategoricalAccuracy",
)


def _of(module, names):
    return {name: f"keras.{module}:{name}" for name in names}


@hookimpl
def provide_layers():
    return _of("layers", LAYERS) | {"Cast": "keras_parts.cast:Cast"}


@hookimpl
def provide_losses():
    return _of("losses", LOSSES)


@hookimpl
def provide_optimizers():
    return _of("optimizers", ("Adam", "RMSprop", "SGD"))


@hookimpl
def provide_metrics():
    return _of("metrics", METRICS)


@hookimpl
def provide_schedules():
    return _of(
        "optimizers.schedules",
        ("ExponentialDecay", "PiecewiseConstantDecay", "PolynomialDecay"),
    )


@hookimpl
def provide_initializers():
    return _of("initializers", ("GlorotUniform", "Ones", "Orthogonal", "VarianceScaling", "Zeros"))


@hookimpl
def provide_regularizers():
    return _of("regularizers", ("L1", "L2"))


@hookimpl
def provide_constraints():
    return _of("constraints", ("MaxNorm", "NonNeg"))


@hookimpl
def provide_activations():
    return _of("activations", ("leaky_relu", "relu", "sigmoid", "softmax", "tanh"))


@hookimpl
def provide_models():
    return {name: f"keras_parts.models:{name}" for name in ("Classifier", "Regressor")}
