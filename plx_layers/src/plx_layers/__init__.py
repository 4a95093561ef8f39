"""The parts of supervised models, as a plug-in of plx."""
