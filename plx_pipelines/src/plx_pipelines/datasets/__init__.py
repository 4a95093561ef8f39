"""Known data sets, each prepared as record files by one function."""
