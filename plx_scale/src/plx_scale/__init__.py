"""Run experiments beyond one process, as a plug-in of plx."""
