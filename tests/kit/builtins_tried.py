"""Which built-in parts are tried, and which are not."""

UNTRIED = {
    "layers/BasicLSTMCell": "it is a part of BidirectionalRNN",
    "layers/BasicRNNCell": "it is a part of BidirectionalRNN",
    "layers/Shared": "it stands for another layer of its graph",
    "callbacks/EpisodeCheckpointSaver": "it needs an agent; tests/together/test_callbacks.py",
    "callbacks/EpisodeCounter": "it needs an agent; tests/together/test_callbacks.py",
    "callbacks/EpisodeLogging": "it needs an agent; tests/together/test_callbacks.py",
    "callbacks/EpisodeSummarySaver": "it needs an agent; tests/together/test_callbacks.py",
    "callbacks/StopAtEpisode": "it needs an agent; tests/together/test_callbacks.py",
    "callbacks/GeneratedImages": "it needs a Generator; tests/layers/models/test_generator.py",
    "callbacks/LatentTraversal": "it needs a Generator; tests/layers/models/test_generator.py",
    "callbacks/ReconstructionImages": "it needs a Generator; tests/layers/models/test_generator.py",
    "exporters/BestVideo": "it needs an agent; tests/rl",
    "memories/DemonstrationMemory": "it needs demonstrations; tests/rl/memories/test_demonstrations.py",
    "pipelines/ImageCaptioningPipeline": "tests/pipelines/test_captions.py",
    "pipelines/TFDSPipeline": "it needs TensorFlow Datasets; tests/pipelines/test_tf_datasets.py",
    "pipelines/TFRecordSourceSequencePipeline": "tests/pipelines/test_sequences.py",
}
"""What is not tried here, and why."""
STOCK = {
    "layers": (
        "Dense",
        "Conv2D",
        "LSTM",
        "BatchNormalization",
        "Dropout",
        "LayerNormalization",
        "Concatenate",
    ),
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
