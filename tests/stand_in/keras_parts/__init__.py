"""A stranger's plug-in that offers Keras's parts, in place of plx_layers."""
