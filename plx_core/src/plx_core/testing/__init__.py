"""Checks of the parts that a plug-in offers: what a run relies on, tried on a small scale, with messages that say how to mend it.

    from plx_core import testing

    def test_scale():
        testing.check_layer("Scale", {"factor": 2.0}, input_shape=(8,))

A part is given as a class or function, or by its name among the installed plug-ins, with its parameters as a config writes them. A
check returns nothing where all is well, and raises `CheckFailed` at the first thing that is not: what was done, what came of it,
what was expected, and how to mend it. The parts of plx itself pass the same checks.
"""

from plx_core.testing.failures import CheckFailed
from plx_core.testing.inputs import check_pipeline
from plx_core.testing.keras_parts import (
    check_layer,
    check_loss,
    check_metric,
    check_optimizer,
    check_schedule,
)
from plx_core.testing.models import check_model
from plx_core.testing.other_parts import check_part
from plx_core.testing.plugin_modules import CHECKS, Result, check_plugin, try_plugin
from plx_core.testing.reinforcement import check_environment, check_exploration, check_memory
from plx_core.testing.run_parts import check_callback, check_exporter, check_tracker

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
