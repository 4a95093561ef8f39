"""Well-known data sets, each with a function that prepares it as record files."""
