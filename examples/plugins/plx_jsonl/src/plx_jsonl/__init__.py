"""JSON lines as a pipeline of plx."""
