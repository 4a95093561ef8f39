"""Sweeps: train an experiment with other values, and find the best."""
