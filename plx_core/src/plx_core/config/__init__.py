"""Load and check experiment files, with the place of every mistake."""
