"""Layers that process images in a pipeline or in a model.

Images are [batch, height, width, channels], of whole numbers from 0 to the dtype's greatest or of floats from 0 to 1, and keep their
dtype unless it is said. What is random is drawn for each image by itself, and only in training.
"""
