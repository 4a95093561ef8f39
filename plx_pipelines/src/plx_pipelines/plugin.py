"""What plx_pipelines offers, by the names that a config uses."""
