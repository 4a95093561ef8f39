"""Record files: reading and writing them, their examples and metadata, corruption."""
