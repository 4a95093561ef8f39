"""How those built-in parts are tried that need more than their defaults; by kind and name, as `provide_examples` says it."""

import numpy as np

SPECIES = (np.arange(16) % 3).astype("int64")
HEADS = {
    "graph": {
        "layers": [
            {"Dense": {"units": 4, "name": "hidden"}},
            {"Dense": {"units": 3, "name": "species", "inbound_nodes": "hidden"}},
            {"Dense": {"units": 1, "name": "size", "inbound_nodes": "hidden"}},
        ],
        "output_layers": ["species", "size"],
    },
    "heads": {"species": "Classifier", "size": "Regressor"},
}
CODER = {
    "encoder": {"layers": [{"Dense": {"units": 3}}]},
    "bridge": "NoOpBridge",
    "decoder": {"layers": [{"Dense": {"units": 8}}]},
    "loss": "MeanSquaredError",
}


EXAMPLES = {
    "metrics": {name: {"params": {"k": 2}} for name in ("PrecisionAtK", "RecallAtK")},
    "models": {
        "MultiHead": {"params": HEADS, "labels": {"species": SPECIES, "size": SPECIES[:, None].astype("float32")}},
        "Generator": {"params": CODER},
    },
}  # fmt: skip
UNTRIED = {
    "layers/Shared": "it stands for another layer of its graph",
    "callbacks/GeneratedImages": "it needs a Generator; tests/layers/test_generator.py",
    "callbacks/LatentTraversal": "it needs a Generator; tests/layers/test_generator.py",
    "callbacks/ReconstructionImages": "it needs a Generator; tests/layers/test_generator.py",
    "exporters/BestVideo": "it needs an agent; tests/rl",
    "memories/DemonstrationMemory": "it needs demonstrations; tests/rl/test_demonstrations.py",
    "pipelines/ImageCaptioningPipeline": "tests/pipelines/test_captions.py",
    "pipelines/TFDSPipeline": "it needs TensorFlow Datasets; tests/pipelines/test_adapters.py",
    "pipelines/TFRecordSourceSequencePipeline": "tests/pipelines/test_sequences.py",
}
"""What is not tried here, and why."""
STOCK = {
    "layers": ("Dense", "Conv2D", "LSTM", "BatchNormalization", "Dropout", "LayerNormalization", "Concatenate"),
    "losses": ("BinaryCrossentropy", "CategoricalCrossentropy", "LogCosh"),
    "metrics": ("CategoricalAccuracy", "F1Score", "R2Score", "MeanIoU"),
    "optimizers": ("Adam", "SGD", "RMSprop", "Adafactor"),
    "schedules": ("ExponentialDecay", "CosineDecayRestarts", "PiecewiseConstantDecay"),
    "initializers": ("GlorotUniform", "Orthogonal"),
    "regularizers": ("L1L2",),
    "constraints": ("MaxNorm",),
    "activations": ("relu", "gelu"),
}
"""Keras's own parts that stand for the others, which Keras tests."""
