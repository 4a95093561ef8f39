"""What plx_core itself offers; it registers as any other package does."""

from plx_core.hookspecs import Factories, hookimpl


@hookimpl
def provide_pipelines() -> Factories:
    """Inputs that need nothing but arrays."""
    return {"ArrayPipeline": "plx_core.inputs:ArrayPipeline"}


@hookimpl
def provide_trackers() -> Factories:
    """Where metrics go."""
    return {"TensorBoard": "plx_core.tracking:TensorBoardTracker", "CSV": "plx_core.tracking:CSVTracker"}
