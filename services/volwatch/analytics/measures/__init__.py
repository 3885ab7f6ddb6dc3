"""Measures of finished sessions and of daily returns: realised variance, jumps, risk, GARCH."""
