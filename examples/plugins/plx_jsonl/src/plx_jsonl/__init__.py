"""A pipeline of JSON lines for plx."""
