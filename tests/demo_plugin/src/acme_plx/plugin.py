"""A layer, a loss, a metric, a schedule, a pipeline and commands."""

from plx_core import hookimpl


@hookimpl
def provide_layers():
    return {"Shift": "acme_plx.parts:Shift"}


@hookimpl
def provide_losses():
    return {"Quartic": "acme_plx.parts:Quartic"}


@hookimpl
def provide_metrics():
    return {"LargestError": "acme_plx.parts:LargestError"}


@hookimpl
def provide_schedules():
    return {"Halving": "acme_plx.parts:Halving"}


@hookimpl
def provide_pipelines():
    return {"Line": "acme_plx.parts:Line"}


@hookimpl
def provide_commands():
    return {
        "weigh": "acme_plx.commands:weigh",
        "shelf": "acme_plx.commands:shelf",
        "data weigh": "acme_plx.commands:weigh",
    }
