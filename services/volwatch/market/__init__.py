"""A market made on purpose: kinds of calm, events with labels, price paths and the trades that show them. Pure."""
