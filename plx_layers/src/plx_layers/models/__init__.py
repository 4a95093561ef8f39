"""Models: a graph joined to a loss, an optimizer and metrics."""
