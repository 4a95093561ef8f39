"""The input side of experiments, as a plug-in of plx."""
