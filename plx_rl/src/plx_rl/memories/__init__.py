"""Memories: where an agent stores transitions."""
