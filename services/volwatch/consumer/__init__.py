"""The consumer: trades from Kafka to the raw zone, each at least once, and once for good by its offset."""
