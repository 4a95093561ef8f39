"""Losses, each with a weight and weights of classes among its parameters."""
