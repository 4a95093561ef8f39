"""A plug-in that claims a name of Keras's."""

from plx_core import hookimpl


@hookimpl
def provide_layers():
    return {"Dense": "keras.layers:Dense"}
