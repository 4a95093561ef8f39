"""The `plx` command line."""
