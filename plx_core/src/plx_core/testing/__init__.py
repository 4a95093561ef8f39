"""Checks of the parts that a plug-in offers: small tests of what a run relies on.

    from plx_core import testing

    def test_scale():
        testing.check_layer("Scale", {"factor": 2.0}, input_shape=(8,))

A part is a class or function, or its name among the installed plug-ins; its parameters are as in a
config. A check raises `CheckFailed` at the first failure. The message says what the check did, the
result, the expected result, and how to fix the part. The parts of plx itself pass the same checks.
"""

from plx_core.testing.callbacks import check_callback
from plx_core.testing.environments import check_environment
from plx_core.testing.explorations import check_exploration
from plx_core.testing.exporters import check_exporter
from plx_core.testing.failures import CheckFailed
from plx_core.testing.layers import check_layer
from plx_core.testing.losses import check_loss
from plx_core.testing.memories import check_memory
from plx_core.testing.metrics import check_metric
from plx_core.testing.models import check_model
from plx_core.testing.optimizers import check_optimizer
from plx_core.testing.other_kinds import check_part
from plx_core.testing.pipelines import check_pipeline
from plx_core.testing.plugins import CHECKS, Result, check_plugin, try_plugin
from plx_core.testing.schedules import check_schedule
from plx_core.testing.trackers import check_tracker

__all__ = [
    "CHECKS",
    "CheckFailed",
    "Result",
    "check_callback",
    "check_environment",
    "check_exploration",
    "check_exporter",
    "check_layer",
    "check_loss",
    "check_memory",
    "check_metric",
    "check_model",
    "check_optimizer",
    "check_part",
    "check_pipeline",
    "check_plugin",
    "check_schedule",
    "check_tracker",
    "try_plugin",
]
