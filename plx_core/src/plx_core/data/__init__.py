"""Batches in an order that is a function of seed, epoch and step."""
