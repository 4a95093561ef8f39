"""Data pipelines, as a plug-in of plx."""
