"""Pipelines: batches of examples in an order that depends only on seed, epoch and position."""
