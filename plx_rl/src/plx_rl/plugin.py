"""What plx_rl offers, by the names that a config uses."""
