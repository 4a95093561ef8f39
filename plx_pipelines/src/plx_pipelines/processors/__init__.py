"""Layers that process images in a pipeline or in a model.

Images are [batch, height, width, channels], as integers from 0 to the dtype's maximum or floats
from 0 to 1. Layers keep the dtype unless documented otherwise. Random numbers are drawn separately
for each image, and only in training.
"""
