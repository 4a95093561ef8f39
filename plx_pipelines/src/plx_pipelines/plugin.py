"""The components of plx_pipelines, by the names that a config uses."""

from collections.abc import Mapping
from typing import Any

from plx_core.hookspecs import Factories, hookimpl


@hookimpl
def provide_pipelines() -> Factories:
    """Provide pipelines for record files, text files, tables and folders of images."""
    modules = {
        "captions": ("ImageCaptioningPipeline",),
        "folders": ("ImageFolderPipeline",),
        "images": ("TFRecordImagePipeline",),
        "sequences": ("TFRecordSequencePipeline",),
        "tables": ("TablePipeline",),
        "text_pairs": ("ParallelTextPipeline", "TFRecordSourceSequencePipeline"),
        "tf_datasets": ("TFDatasetPipeline", "TFDSPipeline"),
    }
    return {
        name: f"plx_pipelines.pipelines.{module}:{name}"
        for module, names in modules.items()
        for name in names
    }


@hookimpl
def provide_datasets() -> Factories:
    """Provide well-known data sets."""
    names = ("cifar10", "digits", "fashion_mnist", "flowers17", "imdb", "mnist", "shapes")
    return {
        "text-pairs": "plx_pipelines.datasets.text_pairs:prepare",
        **{name: f"plx_pipelines.datasets.{name}:prepare" for name in names},
    }


@hookimpl
def provide_aliases() -> Mapping[str, Mapping[str, str]]:
    """Provide other names of data sets."""
    return {"datasets": {"text_pairs": "text-pairs", "multi30k": "text-pairs"}}


@hookimpl
def provide_layers() -> Factories:
    """Provide layers that process images, in `feature_processors` or in a model."""
    modules = {
        "colours": (
            "AdjustBrightness",
            "AdjustContrast",
            "AdjustGamma",
            "AdjustHue",
            "AdjustSaturation",
            "ConvertColorSpace",
            "ConvertImagesDtype",
            "Standardization",
        ),
        "geometry": (
            "CentralCrop",
            "ExtractGlimpse",
            "Flip",
            "RandomImageCrop",
            "Resize",
            "Rotate90",
            "ToBoundingBox",
            "Transpose",
        ),
        "measures": ("DrawBoundingBoxes", "TotalVariation"),
    }
    return {
        name: f"plx_pipelines.processors.{module}:{name}"
        for module, names in modules.items()
        for name in names
    }


@hookimpl
def provide_parameter_aliases() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Provide the names of parameters that polyaxon-lib used."""
    return {
        "pipelines": {
            name: {"files": "data_files"}
            for name in ("ImageCaptioningPipeline", "TFRecordSourceSequencePipeline")
        }
    }


@hookimpl
def provide_commands() -> Mapping[str, str]:
    """Provide commands that write and inspect record files."""
    return {
        f"data {name}": f"plx_pipelines.commands.cli:{name}"
        for name in ("convert", "show", "verify")
    }


@hookimpl
def provide_examples() -> Mapping[str, Mapping[str, Mapping[str, Any] | str]]:
    """Provide examples of the pipelines and layers that need files, or an image, as input."""
    image = (8, 8, 3)
    box = {"offset_height": 1, "offset_width": 1, "target_height": 12, "target_width": 12}
    pipelines = {
        "ImageFolderPipeline": "image_folder",
        "ParallelTextPipeline": "texts",
        "TablePipeline": "table",
        "TFDatasetPipeline": "dataset",
        "TFRecordImagePipeline": "image_records",
        "TFRecordSequencePipeline": "sequence_records",
    }
    return {
        "pipelines": {
            name: f"plx_pipelines.examples:{function}" for name, function in pipelines.items()
        },
        "layers": {
            "DrawBoundingBoxes": {
                "params": {"boxes": [[0.1, 0.1, 0.5, 0.5]]},
                "input_shape": image,
            },
            "ExtractGlimpse": {"params": {"size": [4, 4], "offset": [0, 0]}, "input_shape": image},
            "ToBoundingBox": {"params": box, "input_shape": image},
        },
    }
