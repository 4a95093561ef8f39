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


def table(folder):
    rows = "".join(f"{number},{number / 10},{number % 3}\n" for number in range(12))
    (folder / "a.csv").write_text(f"a,b,c\n{rows}")
    return {"params": {"data_files": str(folder / "a.csv"), "features": {"x": ["a", "b"]}, "labels": "c"}}


def texts(folder):
    for name, word in (("source", "tree"), ("target", "Baum")):
        (folder / name).write_text("".join(f"{word} {'x ' * number}\n" for number in range(10)))
    return {"params": {"source_files": str(folder / "source"), "target_files": str(folder / "target")}}


def image_folder(folder):
    from PIL import Image

    for number in range(8):
        (folder / f"class{number % 2}").mkdir(exist_ok=True)
        Image.fromarray(np.full((6, 6, 3), number * 30, "uint8")).save(folder / f"class{number % 2}" / f"{number}.png")
    return {"params": {"data_dir": str(folder), "height": 6, "width": 6}}


def image_records(folder):
    from plx_pipelines.encoding import encode_labelled_image
    from plx_pipelines.metadata import write_metadata
    from plx_pipelines.records import write_records

    pixels = np.random.default_rng(1).integers(0, 256, (10, 4, 4, 3), "uint8")
    write_records(folder / "a.tfrecord", (encode_labelled_image(image, label, "png") for label, image in enumerate(pixels)))
    write_metadata(folder, {"height": 4, "width": 4, "channels": 3})
    return {"params": {"data_files": str(folder / "a.tfrecord"), "meta_data_file": str(folder / "meta_data.json")}}


def dataset(folder):
    import tensorflow as tf

    return {"params": {"dataset": tf.data.Dataset.range(10).map(lambda number: {"x": number})}}


FILES = {
    ("pipelines", "TablePipeline"): table,
    ("pipelines", "ParallelTextPipeline"): texts,
    ("pipelines", "ImageFolderPipeline"): image_folder,
    ("pipelines", "TFRecordImagePipeline"): image_records,
    ("pipelines", "TFDatasetPipeline"): dataset,
}
EXAMPLES = {
    "metrics": {name: {"params": {"k": 2}} for name in ("PrecisionAtK", "RecallAtK")},
    "layers": {
        "DrawBoundingBoxes": {"params": {"boxes": [[0.1, 0.1, 0.5, 0.5]]}, "input_shape": (8, 8, 3)},
        "ExtractGlimpse": {"params": {"size": [4, 4], "offset": [0, 0]}, "input_shape": (8, 8, 3)},
        "ToBoundingBox": {"params": {"offset_height": 1, "offset_width": 1, "target_height": 12, "target_width": 12}, "input_shape": (8, 8, 3)},
    },
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
    "pipelines/TFRecordSequencePipeline": "tests/pipelines/test_sequences.py",
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
