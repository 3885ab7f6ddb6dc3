"""The producer, the first stage. A source (simulator, replay, Finnhub) gives trades, the publisher sends them on."""
