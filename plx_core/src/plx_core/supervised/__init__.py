"""Supervised learning: the estimator."""
