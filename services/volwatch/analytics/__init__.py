"""The mathematics: trades in, bars, volatility and alert transitions out. Pure: no client, setting, clock or log."""
