"""Every component of 2017 and of Keras, by name: a line of YAML is checked, built, called, saved and read again."""

import inspect
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import plx_core as plx
from plx_core.components.component import default_registry
from plx_core.components.example_lines import yaml_line
from plx_core.components.schema_cache import Signatures
from plx_core.config.validate import Reader
from plx_core.config.yaml_tree import parse
from plx_core.errors import ConfigError
from plx_core.networks.graph import Graph, build_network
from plx_core.networks.load_model import custom_objects
from plx_layers import keras_parts

SEQUENCE, IMAGE, VOLUME = (6, 4), (8, 8, 4), (6, 6, 6, 2)

LAYERS = [
    # What polyaxon-lib had, by Keras's names.
    ("Masking: {mask_value: 0}", SEQUENCE, SEQUENCE),
    ("Dropout: {rate: 0.5}", (5,), (5,)),
    ("SpatialDropout1D: {rate: 0.5}", SEQUENCE, SEQUENCE),
    ("SpatialDropout2D: {rate: 0.5}", IMAGE, IMAGE),
    ("SpatialDropout3D: {rate: 0.5}", VOLUME, VOLUME),
    ("Activation: {activation: relu6}", (5,), (5,)),
    ("Reshape: {target_shape: [3, 2]}", (6,), (3, 2)),
    ("Permute: {dims: [2, 1]}", (3, 2), (2, 3)),
    ("Flatten:", (3, 2), (6,)),
    ("RepeatVector: {n: 3}", (5,), (3, 5)),
    (
        "Dense: {units: 3, activation: tanh, kernel_regularizer: {L2: {l: 0.02}}, kernel_constraint: {MaxNorm: {max_value: 2}}}",
        (5,),
        (3,),
    ),
    ("ActivityRegularization: {l1: 0.1, l2: 0.1}", (5,), (5,)),
    ("Cast: {dtype: float16}", (5,), (5,)),
    ("Conv1D: {filters: 3, kernel_size: 3}", SEQUENCE, (4, 3)),
    (
        "Conv2D: {filters: 3, kernel_size: [3, 2], strides: 2, padding: same, activation: elu, regularizer: {L2: {l: 0.02}}}",
        IMAGE,
        (4, 4, 3),
    ),
    ("Conv3D: {filters: 3, kernel_size: 2}", VOLUME, (5, 5, 5, 3)),
    (
        "Conv2DTranspose: {filters: 3, kernel_size: 3, strides: 2, padding: same}",
        IMAGE,
        (16, 16, 3),
    ),
    ("Conv3DTranspose: {filters: 3, kernel_size: 2}", VOLUME, (7, 7, 7, 3)),
    ("SeparableConv2D: {filters: 3, kernel_size: 3}", IMAGE, (6, 6, 3)),
    ("UpSampling1D: {size: 2}", SEQUENCE, (12, 4)),
    ("UpSampling2D: {size: [2, 3]}", IMAGE, (16, 24, 4)),
    ("UpSampling3D: {size: [2, 1, 1]}", VOLUME, (12, 6, 6, 2)),
    ("ZeroPadding1D: {padding: 1}", SEQUENCE, (8, 4)),
    ("ZeroPadding2D: {padding: [[1, 0], [2, 1]]}", IMAGE, (9, 11, 4)),
    ("ZeroPadding3D: {padding: 1}", VOLUME, (8, 8, 8, 2)),
    ("Cropping1D: {cropping: [1, 2]}", SEQUENCE, (3, 4)),
    ("Cropping2D: {cropping: [[1, 1], [0, 2]]}", IMAGE, (6, 6, 4)),
    ("Cropping3D: {cropping: 1}", VOLUME, (4, 4, 4, 2)),
    ("ConvLSTM2D: {filters: 2, kernel_size: 3}", (2, 5, 5, 3), (3, 3, 2)),
    ("MaxPooling1D: {pool_size: 2}", SEQUENCE, (3, 4)),
    ("MaxPooling2D: {pool_size: 3, strides: 2}", IMAGE, (3, 3, 4)),
    ("MaxPooling3D: {pool_size: 2}", VOLUME, (3, 3, 3, 2)),
    ("AveragePooling1D: {pool_size: 2}", SEQUENCE, (3, 4)),
    ("AveragePooling2D: {pool_size: [2, 4]}", IMAGE, (4, 2, 4)),
    ("AveragePooling3D: {pool_size: 2}", VOLUME, (3, 3, 3, 2)),
    ("GlobalMaxPooling1D:", SEQUENCE, (4,)),
    ("GlobalMaxPooling2D:", IMAGE, (4,)),
    ("GlobalMaxPooling3D:", VOLUME, (2,)),
    ("GlobalAveragePooling1D:", SEQUENCE, (4,)),
    ("GlobalAveragePooling2D:", IMAGE, (4,)),
    ("GlobalAveragePooling3D:", VOLUME, (2,)),
    (
        "LSTM: {units: 3, dropout: 0.1, recurrent_initializer: {Orthogonal: {gain: 0.9}}}",
        SEQUENCE,
        (3,),
    ),
    ("GRU: {units: 3, return_sequences: true}", SEQUENCE, (6, 3)),
    ("SimpleRNN: {units: 3}", SEQUENCE, (3,)),
    ("TimeDistributed: {layer: {Dense: {units: 3, activation: relu}}}", SEQUENCE, (6, 3)),
    ("Bidirectional: {layer: {LSTM: {units: 3}}, merge_mode: concat}", SEQUENCE, (6,)),
    (
        "Embedding: {input_dim: 10, output_dim: 4, mask_zero: true, embeddings_initializer: {Uniform: {minval: -1, maxval: 1}}}",
        (6,),
        (6, 4),
    ),
    ("LocallyConnected1D: {filters: 3, kernel_size: 2}", SEQUENCE, (5, 3)),
    ("LocallyConnected2D: {filters: 3, kernel_size: 3, strides: [2, 1]}", IMAGE, (3, 6, 3)),
    ("Add:", [(5,), (5,)], (5,)),
    ("Subtract:", [(5,), (5,)], (5,)),
    ("Multiply:", [(5,), (5,)], (5,)),
    ("Average:", [(5,), (5,)], (5,)),
    ("Maximum:", [(5,), (5,)], (5,)),
    ("Concatenate: {axis: 1}", [(5,), (2,)], (7,)),
    ("Dot: {axes: 1}", [(5,), (5,)], (1,)),
    ("GaussianNoise: {stddev: 0.5}", (5,), (5,)),
    ("GaussianDropout: {rate: 0.5}", (5,), (5,)),
    ("AlphaDropout: {rate: 0.5}", (5,), (5,)),
    ("BatchNormalization: {momentum: 0.9, gamma_initializer: {Constant: {value: 2}}}", (5,), (5,)),
    ("LeakyReLU: {alpha: 0.2}", (5,), (5,)),
    ("PReLU: {alpha_initializer: {Constant: {value: 0.1}}}", (5,), (5,)),
    ("ELU: {alpha: 0.5}", (5,), (5,)),
    ("ThresholdedReLU: {theta: 0.5}", (5,), (5,)),
    # The JSON dialect.
    (
        "FullyConnected: {num_units: 3, activation: tanh, regularizer: l2_regularizer, dropout: 0.2}",
        IMAGE,
        (3,),
    ),
    ("Conv1d: {num_filter: 3, filter_size: 3}", SEQUENCE, (6, 3)),
    (
        "Conv2d: {num_filter: 3, filter_size: 5, strides: 1, regularizer: l2_regularizer}",
        IMAGE,
        (8, 8, 3),
    ),
    ("Conv3d: {num_filter: 3, filter_size: 3}", VOLUME, (6, 6, 6, 3)),
    ("Conv2dTranspose: {num_filter: 3, filter_size: 3, strides: 2}", IMAGE, (16, 16, 3)),
    ("MaxPool1d: {kernel_size: 2}", SEQUENCE, (3, 4)),
    ("MaxPool2d: {kernel_size: 2}", IMAGE, (4, 4, 4)),
    ("MaxPool3d: {kernel_size: 2}", VOLUME, (3, 3, 3, 2)),
    ("AvgPool1d: {kernel_size: 2}", SEQUENCE, (3, 4)),
    ("AvgPool2d: {kernel_size: 2}", IMAGE, (4, 4, 4)),
    ("AvgPool3d: {kernel_size: 2}", VOLUME, (3, 3, 3, 2)),
    ("Upsample2d: {kernel_size: 2}", IMAGE, (16, 16, 4)),
    ("GlobalAvgPool:", IMAGE, (4,)),
    ("GlobalMaxPool:", IMAGE, (4,)),
    (
        "Conv2d: {num_filter: 3, filter_size: 5, regularizer: l2_regularizer, scale: 0.1}",
        IMAGE,
        (8, 8, 3),
    ),
    (
        "Highway: {num_units: 24, activation: tanh, transform_dropout: 0.2, regularizer: l2_regularizer}",
        SEQUENCE,
        (24,),
    ),
    ("HighwayConv1d: {num_filter: 3, filter_size: 3, strides: 2}", SEQUENCE, (3, 3)),
    (
        "HighwayConv2d: {num_filter: 3, filter_size: [3, 2], activation: elu, padding: VALID}",
        IMAGE,
        (6, 7, 3),
    ),
    ("L2Normalization: {dim: 1}", SEQUENCE, SEQUENCE),
    ("LocalResponseNormalization: {depth_radius: 2}", IMAGE, IMAGE),
    ("ResidualBlock: {num_blocks: 2, out_channels: 7, downsample: true}", IMAGE, (2, 2, 7)),
    (
        "ResidualBottleneck: {num_blocks: 2, bottleneck_size: 2, out_channels: 4, batch_norm: false}",
        IMAGE,
        IMAGE,
    ),
    (
        "BidirectionalRNN: {rnncell_fw: {BasicLSTMCell: {num_units: 3}}, rnncell_bw: {BasicLSTMCell: {num_units: 3}}, return_seq: true, dynamic: true}",
        SEQUENCE,
        (6, 6),
    ),
    (
        "BidirectionalRNN: {rnncell_fw: {BasicRNNCell: {num_units: 3}}, rnncell_bw: {BasicRNNCell: {num_units: 3}}}",
        SEQUENCE,
        (6,),
    ),
    (
        "Merge: {modules: [{FullyConnected: {num_units: 2}}, {FullyConnected: {num_units: 3}}], merge_mode: concat}",
        IMAGE,
        (5,),
    ),
    (
        "Merge: {modules: [{Dense: {units: 2}}, {Dense: {units: 2}}], merge_mode: mean, axis: -1}",
        SEQUENCE,
        (6,),
    ),
    ("OneHotEncoding: {n_classes: 10, on_value: 0.9, off_value: 0.1}", (3,), (3, 10)),
    ("SingleUnit: {activation: tanh}", (1,), ()),
    ("Slice: {begin: [0, 2, 1], size: [-1, 3, -1]}", SEQUENCE, (3, 3)),
    ("Upscore: {num_classes: 3}", IMAGE, (15, 15, 3)),
    ("LSTM: {num_units: 3, return_seq: true}", SEQUENCE, (6, 3)),
    # What Keras has gained since.
    ("AdditiveAttention:", [SEQUENCE, SEQUENCE], SEQUENCE),
    ("Attention: {score_mode: dot}", [SEQUENCE, SEQUENCE], SEQUENCE),
    ("MultiHeadAttention: {num_heads: 2, key_dim: 3}", SEQUENCE, SEQUENCE),
    ("MultiHeadAttention: {num_heads: 2, key_dim: 3}", [SEQUENCE, (3, 4)], SEQUENCE),
    (
        "GroupQueryAttention: {head_dim: 2, num_query_heads: 4, num_key_value_heads: 2}",
        SEQUENCE,
        SEQUENCE,
    ),
    ("LayerNormalization: {epsilon: 0.001}", (5,), (5,)),
    ("RMSNormalization:", (5,), (5,)),
    ("GroupNormalization: {groups: 2}", IMAGE, IMAGE),
    ("UnitNormalization:", (5,), (5,)),
    ("SpectralNormalization: {layer: {Dense: {units: 3}}}", (5,), (3,)),
    ("Conv1DTranspose: {filters: 3, kernel_size: 2}", SEQUENCE, (7, 3)),
    ("SeparableConv1D: {filters: 3, kernel_size: 2}", SEQUENCE, (5, 3)),
    ("DepthwiseConv1D: {kernel_size: 3}", SEQUENCE, (4, 4)),
    ("DepthwiseConv2D: {kernel_size: 3}", IMAGE, (6, 6, 4)),
    ("ConvLSTM1D: {filters: 2, kernel_size: 3}", (2, 5, 3), (3, 2)),
    ("RNN: {cell: {GRUCell: {units: 3}}}", SEQUENCE, (3,)),
    (
        "RNN: {cell: {StackedRNNCells: {cells: [{LSTMCell: {units: 3}}, {GRUCell: {units: 2}}]}}}",
        SEQUENCE,
        (2,),
    ),
    (
        "EinsumDense: {equation: 'abc,cd->abd', output_shape: [6, 3], bias_axes: d}",
        SEQUENCE,
        (6, 3),
    ),
    ("Minimum:", [(5,), (5,)], (5,)),
    ("Softmax:", (5,), (5,)),
    ("ReLU: {max_value: 2.0}", (5,), (5,)),
    ("Identity:", (5,), (5,)),
    ("Rescaling: {scale: 0.004, offset: -1}", IMAGE, IMAGE),
    ("Resizing: {height: 4, width: 6}", IMAGE, (4, 6, 4)),
    ("CenterCrop: {height: 4, width: 6}", IMAGE, (4, 6, 4)),
    ("CategoryEncoding: {num_tokens: 10, output_mode: multi_hot}", (6,), (10,)),
    ("Discretization: {bin_boundaries: [0.0, 1.0]}", (5,), (5,)),
]

LOSSES = [
    "AbsoluteDifference: {weights: 2.0}", "LogLoss: {class_weights: [1, 2, 3]}", "HuberLoss: {clip: 1.0}", "ClippedDelta: {clip_value_max: 2.0}",
    "ClippedDeltaLoss:", "SoftmaxCrossEntropy: {label_smoothing: 0.1}", "softmax_cross_entropy:", "SigmoidCrossEntropy: {class_weights: [1, 2, 3]}",
    "HingeLoss: {weights: 2}", "CosineDistance: {dim: 1}", "PoissonLoss:", "KullbackLeiblerDivergence:", "KullbackLeiberDivergence:",
    "Weighted: {loss: MeanSquaredError, weights: 0.5}", "Weighted: {loss: {Huber: {delta: 2}}, class_weights: [1, 2, 3]}", "MeanSquaredError:",
    "Huber: {delta: 2}", "Hinge:", "Poisson:", "MeanAbsoluteError:", "BinaryCrossentropy:", "CategoricalCrossentropy: {from_logits: true}",
    "CategoricalHinge:", "CosineSimilarity:", "KLDivergence:", "LogCosh:", "SquaredHinge:",
]  # fmt: skip

OPTIMIZERS = [
    "SGD: {learning_rate: 0.1, decay_type: exponential_decay, decay_rate: 0.2, decay_steps: 10, staircase: true}",
    "Momentum: {momentum: 0.8, decay_type: inverse_time_decay, decay_rate: 0.5}",
    "Nesterov: {decay_type: natural_exp_decay, decay_rate: 0.5, start_decay_at: 5, stop_decay_at: 50}", "Nestrov:",
    "RMSProp: {decay: 0.9, decay_type: polynomial_decay, power: 2.0, end_learning_rate: 0.001}",
    "Adam: {beta1: 0.8, decay_type: piecewise_constant, boundaries: [10], values: [0.1, 0.01]}",
    "adam: {learning_rate: 0.007, decay_type: exponential_decay, decay_rate: 0.2}", "Adagrad: {initial_accumulator_value: 0.2}",
    "Adadelta: {learning_rate: 0.9, decay_type: cosine_decay, warmup_steps: 5}", "Ftrl: {learning_rate_power: -0.4, warmup_steps: 5}",
    "AdamW: {weight_decay: 0.01}", "Nadam:", "Adamax:", "Lion:", "Adafactor:", "SGD: {learning_rate: {CosineDecay: {initial_learning_rate: 0.1, decay_steps: 10}}}",
]  # fmt: skip

METRICS = [
    "TruePositives:", "TrueNegatives:", "FalsePositives:", "FalseNegatives:", "Accuracy:", "Precision:", "Recall:", "AUC: {curve: PR}", "StreamingAUC: {curve: PR}",
    "StreamingSpecificityAtSensitivity: {sensitivity: 0.5}", "StreamingSensitivityAtSpecificity: {specificity: 0.5}",
    "SpecificityAtSensitivity: {sensitivity: 0.5}", "SensitivityAtSpecificity: {specificity: 0.5}", "RecallAtThresholds: {thresholds: [0.5]}",
    "PrecisionAtThresholds: {thresholds: [0.2, 0.8]}", "RecallAtK: {k: 2}", "PrecisionAtK: {k: 1}", "SparseRecallAtK: {k: 2, class_id: 1}",
    "SparsePrecisionAtK: {k: 2}", "MeanAbsoluteError:", "MeanRelativeError: {normalizer: 2.0}", "MeanSquaredError:", "RootMeanSquaredError:",
    "Covariance:", "StreamingPearsonCorrelation:", "PearsonCorrelation:", "MeanCosineDistance: {dim: 1}", "PercentageLess: {threshold: 0.5}", "MeanIoU: {num_classes: 2}",
    "MeanIOU: {num_classes: 2}", "streaming_mean:", "streaming_auc:", "streaming_sparse_recall_at_k: {k: 1}", "streaming_mean_iou: {num_classes: 2}",
    "F1Score: {threshold: 0.5}", "R2Score:", "CategoricalAccuracy:", "TopKCategoricalAccuracy: {k: 2}",
]  # fmt: skip

OTHERS = {
    "initializers": [
        "Zeros:", "Ones:", "Constant: {value: 2}", "Uniform: {minval: -1, maxval: 1, seed: 1}", "Normal: {mean: 0, stddev: 1}",
        "TruncatedNormal: {stddev: 0.1}", "VarianceScaling: {scale: 2.0, mode: fan_out}", "Orthogonal: {gain: 0.5}", "Identity: {gain: 2.0}",
        "GlorotUniform:", "GlorotNormal:", "HeUniform:", "HeNormal:", "LecunUniform:", "LecunNormal: {seed: 3}",
    ],
    "regularizers": ["L1: {l: 0.02}", "L2: {l: 0.02}", "L1L2: {l1: 0.1, l2: 0.2}", "l1_regularizer: {scale: 0.1}", "l2_regularizer:"],
    "constraints": ["MaxNorm: {max_value: 2, axis: 0}", "NonNeg:", "UnitNorm: {axis: 0}", "MinMaxNorm: {min_value: 0.5, rate: 0.9}"],
    "activations": [
        "linear:", "tanh:", "sigmoid:", "hard_sigmoid:", "softmax:", "softplus:", "softsign:", "relu:", "relu: {max_value: 2.0}", "relu6:",
        "elu: {alpha: 0.5}", "selu:", "crelu:", "gelu: {approximate: true}", "leaky_relu: {negative_slope: 0.1}",
    ],
    "schedules": [
        "Decay: {learning_rate: 0.1, decay_type: cosine_decay}", "Warmup: {learning_rate: 0.1, warmup_steps: 10}",
        "Warmup: {learning_rate: {ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 10, decay_rate: 0.5}}, warmup_steps: 3}",
        "ExponentialDecay: {initial_learning_rate: 0.1, decay_steps: 10, decay_rate: 0.5}", "CosineDecay: {initial_learning_rate: 0.1, decay_steps: 10}",
        "InverseTimeDecay: {initial_learning_rate: 0.1, decay_steps: 10, decay_rate: 0.5}",
        "PolynomialDecay: {initial_learning_rate: 0.1, decay_steps: 10}", "PiecewiseConstantDecay: {boundaries: [10], values: [0.1, 0.01]}",
        "CosineDecayRestarts: {initial_learning_rate: 0.1, first_decay_steps: 10}",
    ],
}  # fmt: skip

# The names, by kind, that have to be in the tables above.
NEEDED = {
    "layers": """
        Masking Dropout SpatialDropout1D SpatialDropout2D SpatialDropout3D Activation Reshape Permute Flatten RepeatVector Dense
        ActivityRegularization Cast Conv1D Conv2D Conv3D Conv2DTranspose Conv3DTranspose SeparableConv2D UpSampling1D UpSampling2D UpSampling3D
        ZeroPadding1D ZeroPadding2D ZeroPadding3D Cropping1D Cropping2D Cropping3D ConvLSTM2D MaxPooling1D MaxPooling2D MaxPooling3D
        AveragePooling1D AveragePooling2D AveragePooling3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GlobalAveragePooling1D
        GlobalAveragePooling2D GlobalAveragePooling3D LSTM GRU SimpleRNN TimeDistributed Bidirectional Embedding LocallyConnected1D
        LocallyConnected2D Add Subtract Multiply Average Maximum Concatenate Dot GaussianNoise GaussianDropout AlphaDropout BatchNormalization
        LeakyReLU PReLU ELU ThresholdedReLU FullyConnected Conv1d Conv2d Conv3d Conv2dTranspose MaxPool1d MaxPool2d MaxPool3d AvgPool1d AvgPool2d
        AvgPool3d Upsample2d GlobalAvgPool GlobalMaxPool Highway HighwayConv1d HighwayConv2d L2Normalization LocalResponseNormalization
        ResidualBlock ResidualBottleneck BidirectionalRNN Merge OneHotEncoding SingleUnit Slice Upscore MultiHeadAttention Attention LayerNormalization
    """,
    "losses": """
        AbsoluteDifference LogLoss HuberLoss ClippedDeltaLoss SoftmaxCrossEntropy SigmoidCrossEntropy HingeLoss CosineDistance PoissonLoss
        KullbackLeiblerDivergence Weighted MeanSquaredError Huber Hinge Poisson
    """,
    "optimizers": "SGD Momentum Nesterov RMSprop Adam Adagrad Adadelta Ftrl AdamW Nadam Adamax Lion Adafactor",
    "metrics": """
        TruePositives TrueNegatives FalsePositives FalseNegatives Accuracy Precision Recall AUC SpecificityAtSensitivity
        SensitivityAtSpecificity StreamingAUC StreamingMean StreamingPearsonCorrelation StreamingSensitivityAtSpecificity
        StreamingSpecificityAtSensitivity PrecisionAtThresholds RecallAtThresholds RecallAtK PrecisionAtK MeanAbsoluteError MeanRelativeError
        MeanSquaredError RootMeanSquaredError Covariance PearsonCorrelation MeanCosineDistance PercentageLess MeanIoU
    """,
    "initializers": """
        Zeros Ones Constant RandomUniform RandomNormal TruncatedNormal VarianceScaling Orthogonal Identity GlorotUniform GlorotNormal HeUniform
        HeNormal LecunUniform LecunNormal
    """,
    "regularizers": "L1 L2 L1L2 l1_regularizer l2_regularizer",
    "constraints": "MaxNorm NonNeg UnitNorm MinMaxNorm",
    "activations": "linear tanh sigmoid hard_sigmoid softmax softplus softsign relu relu6 elu selu crelu",
    "schedules": "Decay Warmup ExponentialDecay InverseTimeDecay PolynomialDecay PiecewiseConstantDecay CosineDecay",
}
TABLES = {
    "layers": [line for line, _, _ in LAYERS],
    "losses": LOSSES,
    "optimizers": OPTIMIZERS,
    "metrics": METRICS,
    **OTHERS,
}
SHAPES = re.compile(r"shape|scalar|\[[^\]]*\]")


@pytest.fixture(scope="module")
def signatures(tmp_path_factory):
    return Signatures(tmp_path_factory.mktemp("cache") / "signatures.json")


def component(kind, line, signatures):
    """The component of a line of YAML, which has to be correct."""
    reader = Reader(default_registry(), signatures)
    result = reader.read(parse(line, "line"), {"x-component": kind}, "line")
    assert reader.problems == []
    return result


def first_word(line):
    return re.split(r"[:\s]", line)[0]


def round_trip(module, instance):
    with keras.saving.custom_object_scope(custom_objects()):
        return module.deserialize(module.serialize(instance))


@pytest.mark.parametrize("kind", NEEDED)
def test_every_name_is_offered_documented_with_shapes_and_in_the_table(kind):
    registry = default_registry()
    tested = {registry.find(kind, first_word(line)).name for line in TABLES[kind]}
    for name in NEEDED[kind].split():
        entry = registry.find(kind, name)
        assert entry.name == name
        assert name in tested
        factory = entry.load()
        text = inspect.getdoc(factory) or ""
        assert text, f"{name} has no docstring"
        assert inspect.unwrap(factory).__module__.startswith("keras.") or SHAPES.search(text), (
            f"{name} says nothing of shapes"
        )


@pytest.mark.parametrize(
    ("line", "shapes", "expected"), LAYERS, ids=[f"{line} {shapes}" for line, shapes, _ in LAYERS]
)
def test_a_layer(line, shapes, expected, signatures, tmp_path):
    shapes = shapes if isinstance(shapes, list) else [shapes]
    whole = first_word(line) in ("Embedding", "CategoryEncoding", "OneHotEncoding")
    rng = np.random.default_rng(0)
    features = {
        f"x{index}": rng.integers(0, 10, (2, *shape))
        if whole
        else rng.normal(size=(2, *shape)).astype("float32")
        for index, shape in enumerate(shapes)
    }
    specs = {
        name: tf.TensorSpec((None, *value.shape[1:]), value.dtype)
        for name, value in features.items()
    }
    network = build_network(Graph([component("layers", line, signatures)]), specs, "train")
    assert network.output_shape == (None, *expected)
    outputs = network(features, training=False)
    assert tuple(outputs.shape) == (2, *expected)
    network(features, training=True)
    network.save(tmp_path / "a.keras")
    np.testing.assert_allclose(
        plx.load_model(tmp_path / "a.keras")(features, training=False),
        network(features, training=False),
        rtol=1e-4,
        atol=1e-6,
    )


def test_a_tensor_is_never_taken_for_the_mode_of_training():
    class Halved(keras.layers.Layer):
        def call(self, inputs, training):
            return inputs / 2

    with pytest.raises(ConfigError, match="layer halved cannot take x of shape .*training"):
        build_network(
            Graph([Halved(name="halved")]), {"x": tf.TensorSpec((None, 2), tf.float32)}, "train"
        )


@pytest.mark.parametrize("line", LOSSES)
def test_a_loss(line, signatures):
    loss = component("losses", line, signatures).build()
    labels = tf.constant([[1.0, 0, 0], [0, 0, 1.0]])
    outputs = tf.constant([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3]])
    result = loss(labels, outputs)
    assert result.shape == () and np.isfinite(result)
    assert float(round_trip(keras.losses, loss)(labels, outputs)) == pytest.approx(float(result))


@pytest.mark.parametrize("line", OPTIMIZERS)
def test_an_optimizer(line, signatures):
    optimizer = component("optimizers", line, signatures).build()
    copy = round_trip(keras.optimizers, optimizer)
    assert type(copy) is type(optimizer)
    weights = []
    for each in (optimizer, copy):
        weight = keras.Variable([[1.0, 2.0]])
        for _ in range(3):
            each.apply([tf.constant([[1.0, -1.0]])], [weight])
        weights.append(np.asarray(weight))
    assert not np.array_equal(weights[0], [[1.0, 2.0]])
    np.testing.assert_allclose(*weights, rtol=1e-6)


@pytest.mark.parametrize("line", METRICS)
def test_a_metric(line, signatures):
    metric = component("metrics", line, signatures).build()
    copy = round_trip(keras.metrics, metric)
    labels, outputs = (
        tf.constant([[1, 0], [0, 1], [0, 1]]),
        tf.constant([[0.6, 0.4], [0.2, 0.8], [0.7, 0.3]]),
    )
    if "MeanI" in type(metric).__name__:
        outputs = tf.cast(outputs > 0.5, tf.int32)
    result = []
    for each in (metric, copy):
        tf.function(each.update_state)(labels, outputs)
        result.append(np.asarray(each.result()))
        each.reset_state()
    assert np.isfinite(result[0]).all()
    np.testing.assert_allclose(*result)


@pytest.mark.parametrize("line", OTHERS["initializers"])
def test_an_initializer(line, signatures):
    initializer = component("initializers", line, signatures).build()
    assert initializer((3, 4)).shape == (3, 4)
    assert type(round_trip(keras.initializers, initializer)) is type(initializer)


@pytest.mark.parametrize("line", OTHERS["regularizers"])
def test_a_regularizer(line, signatures):
    regularizer = component("regularizers", line, signatures).build()
    weights = tf.constant([[1.0, -2.0]])
    assert float(regularizer(weights)) > 0
    assert float(round_trip(keras.regularizers, regularizer)(weights)) == pytest.approx(
        float(regularizer(weights))
    )


@pytest.mark.parametrize("line", OTHERS["constraints"])
def test_a_constraint(line, signatures):
    constraint = component("constraints", line, signatures).build()
    weights = tf.constant([[3.0, -4.0], [1.0, 2.0]])
    assert not np.array_equal(constraint(weights), weights)
    np.testing.assert_allclose(
        round_trip(keras.constraints, constraint)(weights), constraint(weights)
    )


@pytest.mark.parametrize("line", OTHERS["activations"])
def test_an_activation(line, signatures):
    activation = component("activations", line, signatures).build()
    x = tf.constant([[1.0, -2.0, 7.0]])
    assert activation(x).shape == ((1, 6) if line.startswith("crelu") else (1, 3))
    with keras.saving.custom_object_scope(custom_objects()):
        copy = keras.activations.get(keras.activations.serialize(activation))
    np.testing.assert_allclose(copy(x), activation(x))


@pytest.mark.parametrize("line", OTHERS["schedules"])
def test_a_schedule(line, signatures):
    schedule = component("schedules", line, signatures).build()
    copy = round_trip(keras.optimizers.schedules, schedule)
    assert [float(copy(step)) for step in (0, 5, 20)] == [
        float(schedule(step)) for step in (0, 5, 20)
    ]
    assert float(schedule(0)) > 0


@pytest.mark.parametrize("kind", TABLES)
def test_the_line_that_the_command_shows_can_be_built(kind, signatures):
    for entry in default_registry().entries(kind):
        if entry.plugin.name == "plx_layers":
            line = yaml_line(entry.name, signatures.parameters(entry)).removeprefix("- ")
            component(kind, line, signatures).build(mode="train")


def test_keras_stock_is_offered_whole():
    offered = {
        name: {entry.name for entry in default_registry().entries(name)}
        for name in ("layers", "losses", "optimizers", "metrics")
    }
    for kind, names in offered.items():
        public = {
            name for name, value in vars(getattr(keras, kind)).items() if inspect.isclass(value)
        }
        assert public - keras_parts.NOT_COMPONENTS <= names
