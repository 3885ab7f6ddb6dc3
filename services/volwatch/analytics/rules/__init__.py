"""Rules that a user gives beside the default detector: fixed thresholds on volatility and on moves, and per series what
the default detector opens at. Pure; part of the engine's configuration and of its state."""
