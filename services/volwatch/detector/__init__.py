"""The fast path: the same engine on the trades as they come, so that an alert is there while its bar is still open."""
