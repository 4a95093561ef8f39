"""Scores of scikit-learn as metrics of plx."""
