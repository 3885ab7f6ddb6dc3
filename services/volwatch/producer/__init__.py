"""The producer: the first stage. A source (simulator, replay) gives trades, the publisher sends them to Kafka."""
