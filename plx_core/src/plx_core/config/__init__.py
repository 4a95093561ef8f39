"""From a file to a checked experiment, with the place of every mistake."""
