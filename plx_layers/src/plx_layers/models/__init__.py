"""Models of supervised learning."""
