"""The commands under `plx data`, and the functions behind them."""
