"""What plx_layers offers, by the names that a config uses."""
