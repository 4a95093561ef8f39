"""Text: its lines, tokens, vocabularies and record files."""
