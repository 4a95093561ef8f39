"""What plx_pipelines offers, by the names that a config uses."""

from plx_core.hookspecs import Factories, hookimpl


@hookimpl
def provide_pipelines() -> Factories:
    """Inputs from record files."""
    return {
        "TFRecordImagePipeline": "plx_pipelines.images:TFRecordImagePipeline",
    }


@hookimpl
def provide_datasets() -> Factories:
    """Known data sets."""
    return {
        "digits": "plx_pipelines.datasets.digits:prepare",
        "mnist": "plx_pipelines.datasets.mnist:prepare",
    }
