"""Pipelines, one module for each kind of data."""
