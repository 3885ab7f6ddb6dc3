"""The notifier: tells people and programs of alerts, each step once, through channels."""
