"""The run directory and everything that is written in it."""
